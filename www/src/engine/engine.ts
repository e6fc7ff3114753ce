// Loads the WebAssembly package and owns the handle; the only importer of it.

import type { Fact } from '../gen/Fact';
import type { Focus } from '../gen/Focus';
import type { Graph } from '../gen/Graph';
import type { HandOut } from '../gen/HandOut';
import type { LifeOut } from '../gen/LifeOut';
import type { MarkOut } from '../gen/MarkOut';
import type { MessageOut } from '../gen/MessageOut';
import type { Opened } from '../gen/Opened';
import type { Picture } from '../gen/Picture';
import type { ProgressOut } from '../gen/ProgressOut';
import type { Report } from '../gen/Report';
import type { SpaceTime } from '../gen/SpaceTime';
import type { Wait } from '../gen/Wait';
import init, { checkDocument as checkText, Lab, onMissing, readLink, readTranscript } from './pkg/brokerlab.js';

/** Has the engines say what they say in other words: a template in English on a line, its translation on the next. */
export { speak } from './pkg/brokerlab.js';
export type { HandOut, LifeOut, MarkOut, MessageOut, Opened, Picture, ProgressOut, Report, SpaceTime };

/** Which cluster: 0 the log, 1 the queues. */
export type Side = 0 | 1;

/** An order as the tape has it, without its time. */
export interface Order {
  order: string;
  cluster?: 'log' | 'queue' | undefined;
  node?: string;
  from?: string[];
  to?: string[];
  one_way?: boolean;
  delay?: string;
  loss_percent?: number;
  percent?: number;
  rate?: string;
  processing?: string;
  count?: number;
  free?: string;
  queue?: string;
  topic?: string;
  partition?: number;
  replicas?: number[];
  tag?: number;
  multiple?: boolean;
  requeue?: boolean;
  offset?: number;
  setting?: string;
  broker?: number;
  value?: string;
  /** A policy of RabbitMQ, as its definitions have it. */
  policy?: {
    name: string;
    pattern: string;
    definition: Record<string, unknown>;
    priority?: number;
    'apply-to'?: string;
  };
  like?: string;
  group?: string;
  key?: number;
  tombstone?: boolean;
}

/** A run in the page. Times are in nanoseconds of the run. After a thrown error the handle is dead. */
export interface Run {
  readonly at: number;
  readonly end: number;
  readonly known: number;
  document(): string;
  /** What is accepted in the document, and does less or something else than one may think. */
  remarks(): string[];
  digest(): string;
  endDigest(): string | undefined;
  advance(to: number, eventsMax: number): ProgressOut;
  step(): ProgressOut;
  seek(to: number, eventsMax: number): ProgressOut;
  lookAhead(eventsMax: number): boolean;
  /** Takes the order's JSON; see {@link give}. */
  order(order: string): void;
  undo(): boolean;
  redo(): boolean;
  /** Takes the tape's JSON. Throws with a sentence for each thing that is wrong. */
  setTape(tape: string): void;
  /** Thirteen numbers a bucket; see the Rust side. */
  chart(side: Side): Float64Array;
  spaceTime(side: Side, from: number, to: number, width: number, producer: number, sequence: number): SpaceTime | null;
  /** What a consumer holds and has not settled; null if there is no such consumer. */
  hand(side: Side, name: string): HandOut | null;
  /** Follows a message by about so many events more with each call, until its life is done. */
  life(side: Side, producer: number, sequence: number, eventsMax: number): LifeOut | null;
  /** What is waited for at the playhead. */
  waits(): Wait[];
  messages(side: Side, fate: string, limit: number): MessageOut[];
  link(): string;
  marks(): MarkOut[];
  report(): Report;
  series(side: Side): Float64Array;
  layout(side: Side, width: number, height: number): boolean;
  /** Takes the branches' JSON, kept with the document. Throws with a sentence for each thing that is wrong. */
  setBranches(branches: string): void;
  /** What stands of a thing at the playhead; null if there is no such thing. */
  inspect(side: Side, kind: string, name: string): Fact[] | null;
  /** The topology at the playhead; null if there is no such cluster. */
  graph(side: Side): Graph | null;
  /** What may be in focus. */
  focuses(side: Side): Focus[];
  /** Lays out `zoom` times as large as the stage, of which a part of this size is seen; see {@link Run.lookAt}. */
  layoutOf(side: Side, width: number, height: number, zoom: number, kind: string, name: string): boolean;
  lookAt(side: Side, x: number, y: number): void;
  picture(side: Side): Picture | null;
  figure(width: number, height: number, dark: boolean): string;
  attach(side: Side, canvas: HTMLCanvasElement): string;
  detach(side: Side): void;
  /** Undefined: the canvas is not ready yet. Throws with the graphics driver's words. */
  paint(side: Side, scale: number, dark: boolean, wrecks: number): number | undefined;
  free(): void;
}

// The package comes in two parts: what a first visit runs, and the rest. See scripts/split.mjs.
const REST = new URL('./pkg/rest.wasm', import.meta.url).href;
let first: Promise<void> | undefined;
let rest: Promise<void> | undefined;
let exports: WebAssembly.Exports | undefined;

/** Loads what a first visit runs, once. What else is called before {@link loadRest} is through waits for the network. */
export function load(): Promise<void> {
  first ??= init().then((loaded) => {
    exports = loaded as unknown as WebAssembly.Exports;
    onMissing(fetchNow);
  });
  return first;
}

/** Loads the rest, once; again if the network failed. */
export function loadRest(): Promise<void> {
  rest ??= Promise.all([compile(), load()])
    .then(([module]) => join(module))
    .catch((error: unknown) => {
      rest = undefined;
      throw error;
    });
  return rest;
}

async function compile(): Promise<WebAssembly.Module> {
  const response = await fetch(REST);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}: ${REST}`);
  // A host that does not know the type serves the same bytes.
  const known = response.headers.get('Content-Type')?.startsWith('application/wasm');
  return known ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}

/** Whether all of the engines is there. What is not wanted at once had better wait for that. */
export function isWhole(): boolean {
  return (exports?.restIsHere as WebAssembly.Global | undefined)?.value === 1;
}

function join(module: WebAssembly.Module): void {
  if (!exports || isWhole()) return;
  new WebAssembly.Instance(module, { first: exports as WebAssembly.ModuleImports });
  (exports.restIsHere as WebAssembly.Global).value = 1;
}

/** Something of the rest was called before it came: the call cannot wait, so that the page has to. */
function fetchNow(): void {
  const request = new XMLHttpRequest();
  request.open('GET', REST, false);
  request.overrideMimeType('text/plain; charset=x-user-defined');
  request.send();
  // That charset keeps each byte in the low half of a character.
  join(new WebAssembly.Module(Uint8Array.from(request.responseText, (character) => character.charCodeAt(0) & 0xff)));
}

/** Opens a document's text. Throws with a sentence for each thing that is wrong with it. */
export function openDocument(text: string): Run {
  // The generated declarations know `any` only; what crosses is typed by what Rust generated into gen/.
  return new Lab(text) as unknown as Run;
}

/** Carries out an order at the playhead. Throws with a sentence if it is refused. */
export function give(run: Run, orders: Order[]): void {
  run.order(JSON.stringify(orders));
}

/** Reads a link's fragment. Throws with a sentence if it is damaged. */
export function openLink(fragment: string): Opened {
  return readLink(fragment) as Opened;
}

/** The document of a real broker's transcript, or undefined if the text is none. */
export function openTranscript(text: string): string | undefined {
  return readTranscript(text);
}

/** What is wrong with a document's text, a line for each place; empty if nothing is. */
export function checkDocument(text: string): string {
  return checkText(text);
}
