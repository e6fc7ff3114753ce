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
  boxes: ReadonlyMap<string, Box>;
  /** In the order of the graph's edges. */
  ways: Way[];
}

/** More of a kind than this, and each is a line instead of a card. */
export const MANY = 12;
const CARD = 56;
const LINE = 24;
const GAP = 14;

/** Kinds of which there are so many that each is a line. */
export function crowded(graph: Graph): ReadonlySet<string> {
  const counts = new Map<string, number>();
  for (const { kind } of graph.nodes) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return new Set([...counts].filter(([, count]) => count > MANY).map(([kind]) => kind));
}

const WIDTHS: Record<string, number> = { exchange: 164, queue: 160, partition: 186, topic: 144, group: 150 };

function widthOf({ kind, name, sort }: GraphNode, line: boolean): number {
  const text =
    Math.max(name.length * 7.6, line ? 0 : (kind.length + 3 + sort.length) * 6.1) +
    (line ? 156 : kind === 'exchange' ? 48 : 28);
  return Math.round(Math.min(Math.max(WIDTHS[kind] ?? 150, text), 280));
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

/** Lays a topology out, from where messages come in on the left to where they are read on the right. */
export function lay(graph: Graph): Laid {
  const dagre = new Dagre({ multigraph: true });
  dagre.setGraph({ rankdir: 'LR', nodesep: GAP, ranksep: 40, edgesep: 10, marginx: 8, marginy: 8 });
  const many = crowded(graph);
  for (const node of graph.nodes) {
    const line = many.has(node.kind);
    dagre.setNode(node.id, { width: widthOf(node, line), height: line ? LINE : CARD });
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
  const boxes = new Map<string, Box>();
  for (const { id } of graph.nodes) {
    const { x, y, width, height } = dagre.node(id) as { x: number; y: number; width: number; height: number };
    boxes.set(id, { x: x - width / 2, y: y - height / 2, w: width, h: height });
  }
  const ways = graph.edges.map(({ from, to }, place) => {
    const edge = dagre.edge(from, to, String(place)) as { points: { x: number; y: number }[]; x?: number; y?: number };
    const middle = edge.points[Math.floor(edge.points.length / 2)] ?? { x: 0, y: 0 };
    return { d: curve(edge.points), label: { x: edge.x ?? middle.x, y: edge.y ?? middle.y } };
  });
  const { width = 0, height = 0 } = dagre.graph() as { width?: number; height?: number };
  return { width: Math.ceil(width), height: Math.ceil(height), boxes, ways };
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
