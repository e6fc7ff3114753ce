// All settings that a document can hold, for forms. The engines' tables are written to the file by a test of theirs.
import settings from '../gen/settings.json';

export interface Setting {
  /** The path of its map in a document: `log.producer`; that of a topic's is `log.topics[].config`. */
  part: string;
  /** The broker's name for it. */
  name: string;
  /** As one would write it; empty when unset. */
  default: string;
  /** What it does; empty where its name says it all. */
  about: string;
  /** The least and the greatest value, where it has them. */
  least: number | null;
  most: number | null;
  /** The words that it takes, if they are few; of a list, those that it is made of. */
  values: string[];
  /** Whether an order can change it while it runs. */
  live: boolean;
}

export const formSettings: readonly Setting[] = settings;

/** A part of a document. */
export type Tree = { [name: string]: unknown };

/** The map of a document that a part's settings stand in, made at need. Topics are those of the first. */
export function mapOf(document: Tree, part: string, topic: number): Tree | undefined {
  let at: Tree = document;
  for (const step of part.split('.')) {
    const list = step.endsWith('[]');
    const name = list ? step.slice(0, -2) : step;
    if (list) {
      const all = at[name];
      const one: unknown = Array.isArray(all) ? all[topic] : undefined;
      if (typeof one !== 'object' || one === null) return undefined;
      at = one as Tree;
      continue;
    }
    const next = at[name];
    if (typeof next === 'object' && next !== null) at = next as Tree;
    else {
      const made: Tree = {};
      at[name] = made;
      at = made;
    }
  }
  return at;
}

/** What a form's text stands for in a document. Kafka reads its settings as text; RabbitMQ's have types. */
export function typed(text: string, part: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  if (part !== 'queue.config' || !/^(-?\d{1,15}\.\d{1,6}|\[[\d\s,-]*\])$/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    // The engine's own check says what it expected.
    return text;
  }
}
