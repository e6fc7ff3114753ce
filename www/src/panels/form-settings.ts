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
  /** Whether an order can change it while it runs. */
  live: boolean;
}

export const formSettings: readonly Setting[] = settings;
