// Finds English in what should be German: words of the engines' templates that no German text has. What the field says in
// English stays so, and is in the German texts, too.
import engines from '../src/engine-words.de.json';
import { catalogue } from '../src/words.de';

const wordsOf = (text: string) => text.toLowerCase().match(/\p{L}+/gu) ?? [];
const texts = (tree: object): string[] =>
  Object.values(tree).flatMap((value) => (typeof value === 'string' ? [value] : texts(value)));

const german = new Set(texts([catalogue.words, catalogue.deeds, Object.values(engines)]).flatMap(wordsOf));
/** English words that are German nowhere. */
export const ENGLISH: ReadonlySet<string> = new Set(
  Object.keys(engines)
    .flatMap(wordsOf)
    .filter((word) => word.length > 1 && !german.has(word)),
);

/** The texts that have an English word, each with the words. */
export function english(said: Iterable<string>): string[] {
  return [...new Set(said)].flatMap((text) => {
    // Codes, topics of the brokers' own and values of settings are names.
    const found = wordsOf(text.replace(/\w*_\w*|at-least-once/g, '')).filter((word) => ENGLISH.has(word));
    return found.length > 0 ? [`${found.join(', ')}: ${text}`] : [];
  });
}
