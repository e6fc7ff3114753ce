// A run being watched: owns the handle, the transport and the frame loop, and tells its listeners what changed.
import { give, type MarkOut, type Order, openDocument, type Report, type Run, type Side } from './engine/engine';
import { type Action, reduce, start, type Transport } from './transport/transport';

/** What may have changed since the last call. */
export interface Change {
  /** The playhead moved, or the state at it changed. */
  moved: boolean;
  /** The marks, the tape or the known part of the run changed. */
  tape: boolean;
}

export type Listener = (change: Change) => void;

/** Events that one frame may play: more would drop frames; the playhead then lags and says so. */
const FRAME_EVENTS = 60_000;
/** Events that an idle frame plays ahead, for the marks to come. */
const AHEAD_EVENTS = 40_000;
/** Faces and panels change at most this often, in milliseconds of wall time; what flies is painted each frame. */
const WARM = 33;

export class Session {
  run: Run;
  transport: Transport;
  marks: readonly MarkOut[] = [];
  /** The digest that a link promised for the whole run. */
  promised: string | undefined;
  /** A message of an engine that stopped. */
  failure: string | undefined;
  private times: readonly number[] = [];
  private listeners = new Set<Listener>();
  private painters = new Set<() => void>();
  private frame = 0;
  private last = 0;
  private warm = 0;
  private pending: Change = { moved: true, tape: true };
  private known = false;
  private visible = true;
  /** Whether the handle was given back. */
  closed = false;

  constructor(text: string, options: { speed: number; playing: boolean; promised?: string | undefined }) {
    this.run = openDocument(text);
    this.transport = start(this.run.end, options.speed, options.playing);
    this.promised = options.promised;
    this.lookAhead();
    this.loop = this.loop.bind(this);
    this.frame = requestAnimationFrame(this.loop);
  }

  /** Calls back when something changed, at most some thirty times a second. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Calls back in each frame, to paint what flies. */
  onFrame(painter: () => void): () => void {
    this.painters.add(painter);
    return () => this.painters.delete(painter);
  }

  /** Off screen nothing is painted, and nothing plays. */
  setVisible(visible: boolean): void {
    this.visible = visible;
  }

  act(action: Action): void {
    const before = this.transport;
    this.transport = reduce(before, action);
    if (action.do === 'seek' || this.transport.at < before.at) {
      this.guard(() => this.run.seek(this.transport.at, 0xffffffff));
    }
    this.changed({ moved: true, tape: false });
  }

  /** Goes on by one event, and pauses. */
  step(): void {
    this.transport = reduce(this.transport, { do: 'pause' });
    this.guard(() => {
      const { at } = this.run.step();
      this.transport = reduce(this.transport, { do: 'reached', at });
    });
    this.changed({ moved: true, tape: false });
  }

  /** Carries out an order now. Answers a sentence if it was refused. */
  order(order: Order): string | undefined {
    try {
      give(this.run, order);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    this.promised = undefined;
    this.retaped();
    return undefined;
  }

  undo(): boolean {
    const undone = this.guard(() => this.run.undo()) ?? false;
    if (undone) this.retaped();
    return undone;
  }

  report(): Report {
    return this.run.report();
  }

  /** The fragment of a link to this run; the whole run is played for its digest. */
  link(): string {
    while (!this.run.lookAhead(1_000_000));
    return `#${this.run.link()}`;
  }

  /** Whether the run is the one that its link promised: undefined while that is not known, or was not promised. */
  agrees(): boolean | undefined {
    const digest = this.run.endDigest();
    return this.promised === undefined || digest === undefined ? undefined : digest === this.promised;
  }

  /** The name of the node that leads in a cluster: the one most recently elected that is still up. */
  leader(side: Side): string | undefined {
    const picture = this.run.picture(side);
    const servers = picture?.cards.filter((card) => card.role === 'server' && card.health === 'running') ?? [];
    const leads = servers.find((card) => /\bleads\b|leader|home/.test(card.says));
    return (leads ?? servers[0])?.name;
  }

  close(): void {
    this.closed = true;
    cancelAnimationFrame(this.frame);
    this.listeners.clear();
    this.painters.clear();
    this.run.free();
  }

  private retaped(): void {
    this.known = false;
    this.transport = reduce(this.transport, { do: 'reached', at: this.run.at });
    this.lookAhead();
    this.changed({ moved: true, tape: true });
  }

  private guard<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      // A broken assertion stops the engine; the orders are on the tape, so the link still shows the run.
      this.failure = error instanceof Error ? error.message : String(error);
      this.transport = reduce(this.transport, { do: 'pause' });
      this.changed({ moved: true, tape: true });
      return undefined;
    }
  }

  private lookAhead(): void {
    const before = this.run.known;
    this.known = this.guard(() => this.run.lookAhead(AHEAD_EVENTS)) ?? true;
    if (this.run.known !== before || this.known) {
      this.marks = this.run.marks();
      this.times = this.marks
        .filter((mark) => mark.kind === 'fault' || mark.kind === 'election')
        .map((mark) => mark.at);
      this.changed({ moved: false, tape: true });
    }
  }

  private changed(change: Change): void {
    this.pending = { moved: this.pending.moved || change.moved, tape: this.pending.tape || change.tape };
  }

  private loop(now: number): void {
    this.frame = requestAnimationFrame(this.loop);
    const wall = this.last === 0 ? 0 : now - this.last;
    this.last = now;
    if (this.failure !== undefined && this.pending.tape === false) return;
    if (!this.known && this.failure === undefined) this.lookAhead();
    if (this.transport.playing && this.visible && !document.hidden) this.play(wall);
    if ((this.pending.moved || this.pending.tape) && now - this.warm >= WARM) {
      this.warm = now;
      const change = this.pending;
      this.pending = { moved: false, tape: false };
      for (const listener of this.listeners) listener(change);
    }
    if (this.visible) for (const paint of this.painters) paint();
  }

  private play(wall: number): void {
    const wanted = reduce(this.transport, { do: 'tick', wall, marks: this.times });
    const progress = this.guard(() => this.run.advance(wanted.at, FRAME_EVENTS));
    if (progress === undefined) return;
    this.transport = progress.arrived
      ? wanted
      : reduce({ ...wanted, playing: true }, { do: 'reached', at: progress.at });
    this.changed({ moved: true, tape: false });
  }
}
