// A run being watched: owns the handle, the transport and the frame loop, and tells its listeners what changed.
import {
  give,
  isWhole,
  type MarkOut,
  type Order,
  openDocument,
  type ProgressOut,
  type Report,
  type Run,
  type Side,
} from './engine/engine';
import { type Action, reduce, start, type Transport } from './transport/transport';
import { words } from './words';

/** What may have changed since the last call. */
export interface Change {
  /** The playhead moved, or the state at it changed. */
  moved: boolean;
  /** The marks, the tape or the known part of the run changed. */
  tape: boolean;
}

/** An order as the tape has it, with its time in words, such as `4.2s`. */
export interface TapeLine {
  at: string;
  order: string;
  muted?: boolean;
  [field: string]: unknown;
}

/** A tape that was left, to return to. */
export interface Branch {
  name: string;
  /** Where the orders of this run and of the branch part, in nanoseconds. */
  at: number;
  tape: TapeLine[];
}

/** The parts of a document that the page reads; the engine's own check has seen it. */
export interface Parsed {
  title?: string;
  about?: string;
  log?: object;
  queue?: object;
  tape?: TapeLine[];
  branches?: { name: string; at: string; tape?: TapeLine[] }[];
  workload?: { producers?: { name: string }[]; consumers?: { name: string }[] };
}

/** So many branches a document may have. */
const BRANCHES = 20;
const UNITS: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, min: 60e9, h: 3600e9 };

/** Nanoseconds of a time as the document has it, such as `4.2s`. */
function nanosOf(text: string): number {
  const [, number = '0', unit = 's'] = /^([\d.]+)\s*(\D+)$/.exec(text.trim()) ?? [];
  return Number(number) * (UNITS[unit.trim()] ?? 1e9);
}

export type Listener = (change: Change) => void;

/** How long a frame may play, in milliseconds: longer would drop frames; the playhead then lags and says so. */
const FRAME = 12;
/** How long a frame may play ahead, or to where the run is watched from, in milliseconds: so that a phone answers still. */
const SPARE = 6;
/** Events between two looks at the watch. */
const CHUNK = 500;
/** Further ahead than this is gone to by a seek, in nanoseconds. */
const FAR = 1e9;
/** Events of a run that is played aside, between two frames. */
const ASIDE_EVENTS = 20_000;
/** Faces and panels change at most this often, in milliseconds of wall time; what flies is painted each frame. */
const WARM = 33;
/** While it is played ahead the marks are read anew at most this often, in milliseconds. */
const TOLD = 150;

export class Session {
  run: Run;
  transport: Transport;
  marks: readonly MarkOut[] = [];
  /** The digest that a link promised for the whole run. */
  promised: string | undefined;
  /** A message of an engine that stopped. */
  failure: string | undefined;
  branches: Branch[] = [];
  /** The window that is played again and again, in nanoseconds. */
  loop: { from: number; to: number } | undefined;
  private times: readonly number[] = [];
  private listeners = new Set<Listener>();
  private painters = new Set<() => void>();
  private frame = 0;
  private last = 0;
  private warm = 0;
  private pending: Change = { moved: true, tape: true };
  private known = false;
  private due = 0;
  /** Where the run is to be watched from, while it is on its way there. */
  private goal: number | undefined;
  private visible = true;
  /** Whether the handle was given back. */
  closed = false;
  /** The run whose playhead this one keeps up with. */
  private leading: Session | undefined;

  /** The document as it was given, while that is known to be as the engine writes it. */
  private written: string | undefined;

  constructor(
    text: string,
    options: { speed: number; playing: boolean; promised?: string | undefined; written?: boolean },
  ) {
    this.run = openDocument(text);
    if (options.written) this.written = text;
    this.transport = start(this.run.end, options.speed, options.playing);
    this.promised = options.promised;
    // The text knows whether there is anything to read.
    if (text.includes('"branches"')) {
      const kept = this.parsed().branches ?? [];
      this.branches = kept.map(({ name, at, tape = [] }) => ({ name, at: nanosOf(at), tape }));
    }
    if (isWhole()) this.lookAhead();
    this.onFrameTime = this.onFrameTime.bind(this);
    this.frame = requestAnimationFrame(this.onFrameTime);
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

  /** Keeps up with the playhead of another run, shown beside this one. */
  keepUpWith(leading: Session): void {
    this.leading = leading;
  }

  private keepUp({ transport, closed }: Session): void {
    const { at, end } = this.transport;
    const to = Math.min(transport.at, end);
    this.transport = { ...this.transport, speed: transport.speed };
    if (closed || to === at) return;
    // Far ahead there may be a state to go on from.
    if (to < at || to > at + FAR) {
      this.act({ do: 'seek', to });
      return;
    }
    const progress = this.go(to, FRAME);
    if (progress === undefined) return;
    this.transport = reduce(this.transport, { do: 'reached', at: progress.arrived ? to : progress.at });
    this.changed({ moved: true, tape: false });
  }

  /** Goes to a time by and by, a little in each frame. The playhead is there at once. */
  approach(to: number): void {
    this.goal = to;
    this.transport = reduce(this.transport, { do: 'reached', at: to });
  }

  /** Whether the run is still on its way to where it is watched from: there is nothing to see yet. */
  get isOnTheWay(): boolean {
    return this.goal !== undefined;
  }

  /** What is done to a run is done where its playhead is. */
  private arrive(): void {
    const { goal } = this;
    this.goal = undefined;
    if (goal !== undefined) this.guard(() => this.run.advance(goal, 0xffffffff));
  }

  /** Plays on to a time, for so many milliseconds at the most. */
  private go(to: number, budget: number): ProgressOut | undefined {
    const begun = performance.now();
    let progress: ProgressOut | undefined;
    do progress = this.guard(() => this.run.advance(to, CHUNK));
    while (progress?.arrived === false && performance.now() - begun < budget);
    return progress;
  }

  private goOn(goal: number): void {
    if (this.go(goal, SPARE)?.arrived === false) return;
    this.goal = undefined;
    this.transport = reduce(this.transport, { do: 'reached', at: this.run.at });
    this.changed({ moved: true, tape: false });
  }

  act(action: Action): void {
    const before = this.transport;
    if (action.do === 'seek') this.goal = undefined;
    this.transport = reduce(before, action);
    if (action.do === 'seek' || this.transport.at < before.at) {
      this.guard(() => this.run.seek(this.transport.at, 0xffffffff));
    }
    this.changed({ moved: true, tape: false });
  }

  /** Goes on by one event, and pauses. */
  step(): void {
    this.arrive();
    this.transport = reduce(this.transport, { do: 'pause' });
    this.guard(() => {
      const { at } = this.run.step();
      this.transport = reduce(this.transport, { do: 'reached', at });
    });
    this.changed({ moved: true, tape: false });
  }

  /** Carries out orders now, as one change. Answers a sentence if one was refused; then none is carried out. */
  order(...orders: Order[]): string | undefined {
    this.arrive();
    const before = this.tape();
    this.written = undefined;
    try {
      give(this.run, orders);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    this.left(before);
    this.promised = undefined;
    this.retaped();
    return undefined;
  }

  /** The document, as far as the page reads it. */
  parsed(): Parsed {
    return JSON.parse(this.written ?? this.run.document()) as Parsed;
  }

  tape(): TapeLine[] {
    return this.parsed().tape ?? [];
  }

  /** Writes the tape anew. Answers a sentence if it was refused. */
  setTape(tape: TapeLine[]): string | undefined {
    this.arrive();
    this.written = undefined;
    try {
      this.run.setTape(JSON.stringify(tape));
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    this.promised = undefined;
    this.retaped();
    return undefined;
  }

  /** Adds orders to the tape, each with its time. Answers a sentence if they were refused. */
  add(orders: TapeLine[]): string | undefined {
    return this.setTape([...this.tape(), ...orders]);
  }

  redo(): boolean {
    this.arrive();
    this.written = undefined;
    const done = this.guard(() => this.run.redo()) ?? false;
    if (done) this.retaped();
    return done;
  }

  /** An order in the past cut off what came after: that stays as a branch. */
  private left(before: TapeLine[]): void {
    const kept = this.tape().map((line) => JSON.stringify(line));
    if (before.every((line) => kept.includes(JSON.stringify(line)))) return;
    this.setBranches([...this.branches, this.branch(before)]);
  }

  /** Links carry the branches, up to a number: the oldest go. */
  private setBranches(branches: Branch[]): void {
    this.branches = branches.slice(-BRANCHES);
    this.written = undefined;
    const kept = this.branches.map(({ name, at, tape }) => ({ name, at: `${Math.round(at)}ns`, tape }));
    this.guard(() => this.run.setBranches(JSON.stringify(kept)));
  }

  renameBranch(branch: Branch, name: string): void {
    branch.name = [...name.trim()].slice(0, 60).join('') || branch.name;
    this.setBranches(this.branches);
    this.touched();
  }

  private branch(tape: TapeLine[]): Branch {
    return { name: `${words.branches.numbered} ${this.branches.length + 1}`, at: this.transport.at, tape };
  }

  /** Keeps the run as it is as a branch. */
  keepBranch(): void {
    this.setBranches([...this.branches, this.branch(this.tape())]);
    this.touched();
  }

  /** Goes on with a branch; what was is kept as one. */
  takeBranch(branch: Branch): void {
    const now = this.branch(this.tape());
    if (this.setTape(branch.tape) !== undefined) return;
    this.setBranches(this.branches.map((one) => (one === branch ? { ...now, name: branch.name } : one)));
    this.touched();
  }

  dropBranch(branch: Branch): void {
    this.setBranches(this.branches.filter((one) => one !== branch));
    this.touched();
  }

  /** Something beside the run changed that panels show. */
  touched(): void {
    this.changed({ moved: false, tape: true });
  }

  /** This document with another tape. */
  documentWith(tape: TapeLine[]): string {
    return JSON.stringify({ ...this.parsed(), tape });
  }

  /** What this document comes to at its end with another tape: played aside, in slices. */
  outcome(tape: TapeLine[]): Promise<Report> {
    return this.outcomeOf(this.documentWith(tape));
  }

  /** What a document comes to at its end: played aside, in slices. */
  async outcomeOf(text: string): Promise<Report> {
    const run = openDocument(text);
    try {
      while (!run.advance(run.end, ASIDE_EVENTS).arrived) await new Promise((go) => setTimeout(go));
      return run.report();
    } finally {
      run.free();
    }
  }

  /** Goes to the next (1) or last (-1) mark of a kind. False if there is none. */
  jump(way: 1 | -1, kind: string): boolean {
    const { at } = this.transport;
    const fits = this.marks.filter((mark) => kind === 'all' || mark.kind === kind);
    const to = way > 0 ? fits.find((mark) => mark.at > at) : fits.findLast((mark) => mark.at < at);
    if (to) this.act({ do: 'seek', to: to.at });
    return to !== undefined;
  }

  /** Loops the two seconds around the playhead, or stops doing so. */
  toggleLoop(): void {
    const { at, end } = this.transport;
    this.loop = this.loop ? undefined : { from: Math.max(0, at - 1e9), to: Math.min(end - 1e6, at + 1e9) };
    this.touched();
  }

  undo(): boolean {
    this.arrive();
    this.written = undefined;
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
    this.arrive();
    const picture = this.run.picture(side);
    const servers = picture?.cards.filter((card) => card.role === 'server' && card.health === 'running') ?? [];
    return (servers.find((card) => card.does === 'leads') ?? servers[0])?.name;
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
    this.due = 0;
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
    const begun = performance.now();
    do this.known = this.guard(() => this.run.lookAhead(CHUNK)) ?? true;
    while (!this.known && performance.now() - begun < SPARE);
    if (this.known || (this.run.known !== before && begun >= this.due)) {
      this.due = begun + TOLD;
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

  private onFrameTime(now: number): void {
    this.frame = requestAnimationFrame(this.onFrameTime);
    const wall = this.last === 0 ? 0 : now - this.last;
    this.last = now;
    if (this.failure !== undefined && this.pending.tape === false) return;
    if (!this.known && this.failure === undefined && isWhole()) this.lookAhead();
    if (this.leading) this.keepUp(this.leading);
    else if (this.goal !== undefined) this.goOn(this.goal);
    else if (this.transport.playing && this.visible && !document.hidden) this.play(wall);
    if (this.isOnTheWay) return;
    if ((this.pending.moved || this.pending.tape) && now - this.warm >= WARM) {
      this.warm = now;
      const change = this.pending;
      this.pending = { moved: false, tape: false };
      for (const listener of this.listeners) listener(change);
    }
    if (this.visible) for (const paint of this.painters) paint();
  }

  private play(wall: number): void {
    if (this.loop && this.transport.at >= this.loop.to) this.act({ do: 'seek', to: this.loop.from });
    const wanted = reduce(this.transport, { do: 'tick', wall, marks: this.times });
    const progress = this.go(wanted.at, FRAME);
    if (progress === undefined) return;
    this.transport = progress.arrived
      ? wanted
      : reduce({ ...wanted, playing: true }, { do: 'reached', at: progress.at });
    this.changed({ moved: true, tape: false });
  }
}
