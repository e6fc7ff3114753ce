// What holds for a thing: the settings of its part of the document, what may be in focus with it, what can be done to a link.
import type { Order, Side } from '../engine/engine';
import type { Focus } from '../gen/Focus';
import type { Session } from '../session';
import { words } from '../words';
import { formSettings, mapOf, type Setting, type Tree } from './form-settings';

export interface Applies {
  /** Settings that the document gives. */
  given: { setting: Setting; value: string }[];
  /** Those at their defaults. */
  rest: Setting[];
  /** What is the thing's own beside, as `name = value`. */
  own: string[];
}

/** The part of a document whose settings a thing goes by. */
function partOf(session: Session, kind: string, side: Side, name: string): string | undefined {
  const role = session.run.picture(side)?.cards.find((card) => card.name === name)?.role;
  if (side === 1) {
    if (kind === 'queue') return 'queue.queues[].arguments';
    if (kind === 'node' && role === 'producer') return 'queue.publisher';
    return kind === 'node' && role === 'consumer' ? 'queue.consumer' : 'queue.config';
  }
  if (kind === 'topic' || kind === 'partition') return 'log.topics[].config';
  if (kind === 'group') return 'log.consumer';
  if (kind !== 'node') return undefined;
  return role === 'producer' || role === 'consumer' ? `log.${role}` : 'log.broker';
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

function lines(tree: unknown, before = ''): string[] {
  if (!isTree(tree)) return [];
  return Object.entries(tree).flatMap(([name, value]) =>
    isTree(value)
      ? lines(value, `${before}${name}.`)
      : [`${before}${name} = ${typeof value === 'string' && value !== '' ? value : JSON.stringify(value)}`],
  );
}

/** What a document says of a client, a queue or an exchange alone. */
function ownOf(document: Tree, kind: string, side: Side, name: string): string[] {
  const part = document[side === 0 ? 'log' : 'queue'];
  if (!isTree(part)) return [];
  const named = (list: unknown) =>
    Array.isArray(list) ? (list as Tree[]).find((one) => one.name === name) : undefined;
  if (kind === 'exchange') return lines(named(part.exchanges)?.arguments);
  if (kind === 'group') return lines((part.groups as Tree | undefined)?.[name]);
  if (kind !== 'node') return [];
  const workload = document.workload as { producers?: Tree[]; consumers?: Tree[] } | undefined;
  const [producer, consumer] = [named(workload?.producers), named(workload?.consumers)];
  const { name: _name, ...work } = producer ?? consumer ?? {};
  return [...lines(work), ...lines((part.clients as Tree | undefined)?.[name])];
}

export function appliesTo(session: Session, kind: string, side: Side, name: string): Applies {
  const document = JSON.parse(session.run.document()) as Tree;
  const own = ownOf(document, kind, side, name);
  const part = partOf(session, kind, side, name);
  const inDocument = document as { log?: { topics?: { name?: string }[] }; queue?: { queues?: { name?: string }[] } };
  const topics = (side === 0 ? inDocument.log?.topics : inDocument.queue?.queues) ?? [];
  const topic = kind === 'partition' ? name.replace(/-\d+$/, '') : name;
  const place = Math.max(
    0,
    topics.findIndex((one) => one.name === topic),
  );
  const map = part === undefined ? undefined : mapOf(document, part, place);
  const all = formSettings.filter((setting) => setting.part === part);
  const value = (setting: Setting) => map?.[setting.name];
  return {
    given: all
      .filter((one) => value(one) !== undefined)
      .map((setting) => ({ setting, value: String(value(setting)) || '""' })),
    rest: all.filter((one) => value(one) === undefined),
    own,
  };
}

/** What may be taken into focus on behalf of a thing: itself, or what it has, writes to or reads from. */
export function focusesOf(session: Session, side: Side, kind: string, name: string): Focus[] {
  const graph = session.run.graph(side);
  if (!graph) return [];
  const ids = new Set(
    graph.nodes
      .filter((node) => (kind === 'node' ? node.card === name : node.kind === kind && node.name === name))
      .map((node) => node.id),
  );
  const near = new Set(ids);
  // A partition’s topic, a client’s queue; by way of an exchange only the broker knows.
  for (const { from, to } of graph.edges) {
    if (kind !== 'group' && kind !== 'topic' && kind !== 'queue') {
      if (ids.has(to)) near.add(from);
      if (ids.has(from)) near.add(to);
    }
  }
  const found = graph.nodes.filter((node) => near.has(node.id)).flatMap((node) => node.focus ?? []);
  return found
    .filter((focus, place) => found.findIndex((one) => one.kind === focus.kind && one.name === focus.name) === place)
    .slice(0, 8);
}

/** Something that can be done to a link. */
export interface LinkOrder {
  name: string;
  order: Order;
  /** Whether it heals a link or cuts one; undefined if it makes sense for both. */
  heals?: boolean;
}

/** What can be done to a link. */
export function linkOrders(side: Side, one: string, other: string): LinkOrder[] {
  const ends = { cluster: side === 0 ? ('log' as const) : ('queue' as const), from: [one], to: [other] };
  const { oneWay, slow, lossy } = words.links;
  const way = (from: string, to: string): LinkOrder => ({
    name: `${oneWay}: ${from} → ${to}`,
    order: { ...ends, from: [from], to: [to], order: 'cut', one_way: true },
    heals: false,
  });
  return [
    { name: words.cutLink, order: { ...ends, order: 'cut' }, heals: false },
    { name: words.healLink, order: { ...ends, order: 'heal' }, heals: true },
    way(one, other),
    way(other, one),
    { name: slow, order: { ...ends, order: 'slow-link', delay: '100ms' } },
    { name: lossy, order: { ...ends, order: 'slow-link', loss_percent: 5 } },
  ];
}
