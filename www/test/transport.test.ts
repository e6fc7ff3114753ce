import { describe, expect, it } from 'vitest';
import { pace, placeOf, reduce, SPEEDS, speedAt, speedWords, start, timeWords } from '../src/transport/transport';

const SECOND = 1e9;

describe('the transport', () => {
  it('turns wall time into simulated time by its speed', () => {
    let transport = { ...start(40 * SECOND, 1 / 10, true), follow: false };
    transport = reduce(transport, { do: 'tick', wall: 50, marks: [] });
    expect(transport.at).toBe(5e6);
  });

  it('does not jump after a long frame, and stops at the end', () => {
    let transport = { ...start(SECOND, 100, true), follow: false };
    transport = reduce(transport, { do: 'tick', wall: 60_000, marks: [] });
    expect([transport.at, transport.playing]).toEqual([SECOND, false]);
    expect(reduce(transport, { do: 'play' }).at).toBe(0);
  });

  it('stands still while paused', () => {
    const transport = start(SECOND, 1, false);
    expect(reduce(transport, { do: 'tick', wall: 16, marks: [] })).toBe(transport);
  });

  it('is slow near what happens and hurries between', () => {
    const transport = { ...start(40 * SECOND, 1 / 5, true), at: 10 * SECOND };
    expect(pace(transport, [10 * SECOND])).toBeCloseTo(1 / 5);
    expect(pace(transport, [30 * SECOND])).toBeCloseTo(1);
    expect(pace({ ...transport, follow: false }, [30 * SECOND])).toBeCloseTo(1 / 5);
  });

  it('keeps seeks within the run', () => {
    const transport = start(10 * SECOND, 1, false);
    expect(reduce(transport, { do: 'seek', to: -5 }).at).toBe(0);
    expect(reduce(transport, { do: 'seek', to: 99 * SECOND }).at).toBe(10 * SECOND);
  });

  it('has speeds on a logarithmic scale, there and back', () => {
    for (const speed of [1e-5, 1 / 200, 1, 100]) expect(speedAt(placeOf(speed))).toBeCloseTo(speed, 10);
    expect(reduce(start(1, 1, true), { do: 'speed', speed: 1e9 }).speed).toBe(SPEEDS.most);
    expect([speedWords(1 / 200), speedWords(1), speedWords(2.5), speedWords(0.96)]).toEqual([
      '1/200 ×',
      '1 ×',
      '2.5 ×',
      '1 ×',
    ]);
    expect(timeWords(4_812_000_000)).toBe('4.812 s');
  });
});
