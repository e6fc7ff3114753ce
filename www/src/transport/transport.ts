// Simulated time from wall time: a pure reducer. Times of the run are in nanoseconds, wall time in milliseconds.
import { count, decimal } from '../format';

export interface Transport {
  readonly playing: boolean;
  /** The playhead. */
  readonly at: number;
  readonly end: number;
  /** Seconds of the run for one second at the wall. */
  readonly speed: number;
  /** Whether it hurries through where nothing happens. */
  readonly follow: boolean;
}

export type Action =
  | { do: 'play' }
  | { do: 'pause' }
  | { do: 'toggle' }
  | { do: 'seek'; to: number }
  | { do: 'speed'; speed: number }
  | { do: 'follow'; follow: boolean }
  | { do: 'tick'; wall: number; marks: readonly number[] }
  | { do: 'reached'; at: number };

export const SPEEDS = { least: 1e-5, most: 100 } as const;

/** No frame counts for more than this: a hidden tab does not jump when it comes back. */
const FRAME_MAX = 100;
/** How much faster it goes where nothing happens. */
const HURRY = 5;
/** How long before and after a mark counts as something happening, in nanoseconds. */
const BEFORE = 0.35e9;
const AFTER = 1.6e9;

const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

export function start(end: number, speed: number, playing: boolean): Transport {
  return { playing, at: 0, end, speed, follow: true };
}

/** How fast it goes at a time: near a mark as asked, elsewhere faster, with a soft change between. */
export function pace(transport: Transport, marks: readonly number[]): number {
  if (!transport.follow) return transport.speed;
  let calm = 1;
  for (const mark of marks) {
    const distance = transport.at < mark ? (mark - transport.at) / BEFORE : (transport.at - mark) / AFTER;
    calm = Math.min(calm, clamp(distance - 1, 0, 1));
  }
  return transport.speed * (1 + (HURRY - 1) * calm);
}

export function reduce(transport: Transport, action: Action): Transport {
  switch (action.do) {
    case 'play':
      return { ...transport, playing: true, at: transport.at >= transport.end ? 0 : transport.at };
    case 'pause':
      return { ...transport, playing: false };
    case 'toggle':
      return reduce(transport, { do: transport.playing ? 'pause' : 'play' });
    case 'seek':
      return { ...transport, at: clamp(action.to, 0, transport.end) };
    case 'speed':
      return { ...transport, speed: clamp(action.speed, SPEEDS.least, SPEEDS.most) };
    case 'follow':
      return { ...transport, follow: action.follow };
    case 'tick': {
      if (!transport.playing) return transport;
      const step = Math.min(action.wall, FRAME_MAX) * 1e6 * pace(transport, action.marks);
      const at = Math.min(transport.at + step, transport.end);
      return { ...transport, at, playing: at < transport.end };
    }
    case 'reached':
      return { ...transport, at: clamp(action.at, 0, transport.end) };
  }
}

/** The speed of a slider's place from 0 to 1, on a logarithmic scale. */
export function speedAt(place: number): number {
  return SPEEDS.least * (SPEEDS.most / SPEEDS.least) ** clamp(place, 0, 1);
}

/** The slider's place of a speed. */
export function placeOf(speed: number): number {
  return Math.log(speed / SPEEDS.least) / Math.log(SPEEDS.most / SPEEDS.least);
}

/** A speed in words: `1/20 ×`, `3 ×`. */
export function speedWords(speed: number): string {
  const shown = speed >= 1 ? speed : 1 / speed;
  const digits = shown >= 100 ? 0 : shown >= 10 ? 0 : 1;
  const rounded = count(Number(shown.toFixed(digits)));
  return speed >= 1 || rounded === '1' ? `${rounded} ×` : `1/${rounded} ×`;
}

/** A time of the run in words: `4.812 s`. */
export function timeWords(nanos: number): string {
  return `${decimal((nanos / 1e9).toFixed(3))} s`;
}
