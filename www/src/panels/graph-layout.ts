// Where the elements of a topology stand and how its ways run, from its structure alone: what it counts moves nothing.
import { Graph as Dagre, layout } from '@dagrejs/dagre';
import type { Graph } from '../gen/Graph';
import type { GraphNode } from '../gen/GraphNode';

export interface Box {
  /** Left upper corner and size, in pixels. */
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Way {
  d: string;
  /** Where its label is written, by its middle. */
  label: { x: number; y: number };
}

export interface Laid {
  width: number;
  height: number;
  /** Whether each count has a line of its own. */
  tall: boolean;
  boxes: ReadonlyMap<string, Box>;
  /** In the order of the graph's edges. */
  ways: Way[];
}

/** More of a kind than this, and each is a line instead of a card. */
export const MANY = 12;
const CARD = 56;
const LINE = 24;
/** Between two lines of counts. */
export const ROW = 16;
const GAP = 14;

/** Kinds of which there are so many that each is a line. */
export function crowded(graph: Graph): ReadonlySet<string> {
  const counts = new Map<string, number>();
  for (const { kind } of graph.nodes) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return new Set([...counts].filter(([, count]) => count > MANY).map(([kind]) => kind));
}

const WIDTHS: Record<string, number> = { exchange: 132, queue: 150, partition: 186, topic: 120, group: 130 };
/** A count has room for so many digits, so that nothing moves while it counts. */
const DIGITS = 4;
/** What stands for a name that is empty, as the default exchange's is, is about so many letters long. */
const NAMELESS = 17;

/** How an element is written: a line, a card, or in a narrow room a card with a line for each count. */
type Form = 'line' | 'card' | 'tall';

function widthOf({ kind, name, sort, figures }: GraphNode, form: Form): number {
  const named = (name.length || NAMELESS) * 7.6;
  if (form === 'line') return Math.round(Math.min(Math.max(WIDTHS[kind] ?? 130, named + 156), 280));
  const counts = figures.map(({ what }) => what.length + 1 + DIGITS);
  const tall = form === 'tall';
  const counted = tall ? Math.max(0, ...counts) : counts.reduce((sum, one) => sum + one + 3, -3);
  const sorted = tall ? sort.length || kind.length : kind.length + 3 + sort.length;
  const text = Math.max(named, sorted * 6.1, counted * 6.1) + (kind === 'exchange' ? 42 : 22);
  return Math.round(Math.min(Math.max(tall ? 90 : (WIDTHS[kind] ?? 130), text), 280));
}

function heightOf({ figures }: GraphNode, form: Form): number {
  if (form === 'line') return LINE;
  return form === 'tall' ? CARD + Math.max(0, figures.length - 1) * ROW : CARD;
}

/** What of a graph says where everything stands. */
export function structureOf(graph: Graph): string {
  return JSON.stringify([
    graph.nodes.map(({ id, sort }) => [id, sort.length > 20]),
    graph.edges.map(({ from, to, kind }) => [from, to, kind]),
  ]);
}

const rounded = (value: number) => Math.round(value * 10) / 10;

/** A way through its points: straight where it goes on, round where it turns. */
function curve(points: readonly { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  if (!first) return '';
  const at = ({ x, y }: { x: number; y: number }) => `${rounded(x)} ${rounded(y)}`;
  const steps = rest.slice(0, -1).map((point, place) => {
    const next = rest[place + 1] ?? point;
    return `Q${at(point)} ${at({ x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 })}`;
  });
  const last = rest.at(-1);
  return `M${at(first)}${steps.join('')}${last ? `L${at(last)}` : ''}`;
}

/** From left to right; or from top to bottom. */
type Direction = 'LR' | 'TB';

/** Lays a topology out from where messages come in to where they are read: to the right, or down where that is narrower. */
export function lay(graph: Graph, room: number): Laid {
  const right = along(graph, 'LR');
  if (room === 0 || right.width <= room) return right;
  const down = along(graph, 'TB');
  return down.width < right.width ? down : right;
}

function along(graph: Graph, rankdir: Direction): Laid {
  const dagre = new Dagre({ multigraph: true });
  const ranksep = rankdir === 'LR' ? 36 : 24;
  dagre.setGraph({ rankdir, nodesep: GAP, ranksep, edgesep: 10, marginx: 8, marginy: 8 });
  const many = crowded(graph);
  for (const node of graph.nodes) {
    const line = many.has(node.kind);
    const form = line ? 'line' : rankdir === 'TB' ? 'tall' : 'card';
    dagre.setNode(node.id, { width: widthOf(node, form), height: heightOf(node, form) });
  }
  for (const [place, { from, to, label, kind }] of graph.edges.entries()) {
    // What is counted has its room in any case, so that nothing moves when it begins to count.
    const counts = kind === 'read' || kind === 'deliver';
    const wide = counts ? 58 : label === '' ? 0 : Math.min(label.length * 6.4 + 8, 150);
    // Dead letters and what an exchange cannot route are not the way that things should take.
    const weight = kind === 'dead-letter' || kind === 'alternate' ? 1 : 4;
    dagre.setEdge(from, to, { width: wide, height: wide === 0 ? 0 : 14, labelpos: 'c', weight }, String(place));
  }
  layout(dagre);
  const { width = 0, height = 0 } = dagre.graph() as { width?: number; height?: number };
  const places = graph.nodes.map(({ id }) => dagre.node(id) as { x: number; y: number; width: number; height: number });
  const across = rankdir === 'LR' ? 'y' : 'x';
  const size = across === 'y' ? height : width;
  const mirror = isUpsideDown(
    graph,
    places.map((place) => place[across]),
  );
  const put = <T extends { x: number; y: number }>(at: T): T => (mirror ? { ...at, [across]: size - at[across] } : at);
  const boxes = new Map<string, Box>();
  for (const [index, { id }] of graph.nodes.entries()) {
    const { x, y, width: w, height: h } = put(places[index] ?? { x: 0, y: 0, width: 0, height: 0 });
    boxes.set(id, { x: x - w / 2, y: y - h / 2, w, h });
  }
  const ways = graph.edges.map(({ from, to }, place) => {
    const edge = dagre.edge(from, to, String(place)) as { points: { x: number; y: number }[]; x?: number; y?: number };
    const points = edge.points.map(put);
    const middle = points[Math.floor(points.length / 2)] ?? { x: 0, y: 0 };
    const { x, y } = edge;
    return { d: curve(points), label: x === undefined || y === undefined ? middle : put({ x, y }) };
  });
  return { width: Math.ceil(width), height: Math.ceil(height), tall: rankdir === 'TB', boxes, ways };
}

/** Whether most of the elements of a kind stand against the order in which the document has them. */
function isUpsideDown({ nodes }: Graph, across: number[]): boolean {
  let against = 0;
  for (const [later, node] of nodes.entries()) {
    for (let earlier = 0; earlier < later; earlier += 1) {
      if (nodes[earlier]?.kind === node.kind) against += Math.sign((across[earlier] ?? 0) - (across[later] ?? 0));
    }
  }
  return against > 0;
}

/** What hangs together with an element: all that messages come from to it, and all that they go to from it. */
export function related(graph: Graph, id: string): ReadonlySet<string> {
  const found = new Set([id]);
  const walk = (along: (edge: Graph['edges'][number]) => [string, string]) => {
    const seen = new Set([id]);
    for (const at of seen) {
      for (const edge of graph.edges) {
        const [here, there] = along(edge);
        if (here === at) seen.add(there);
      }
    }
    for (const one of seen) found.add(one);
  };
  walk(({ from, to }) => [from, to]);
  walk(({ from, to }) => [to, from]);
  return found;
}
