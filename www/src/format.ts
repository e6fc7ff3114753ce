// Numbers as the page shows them, in the way of its language.
import { words } from './words';

/** A number's text with the language's decimal point. */
export function decimal(text: string | number): string {
  return String(text).replace('.', words.language.point);
}

/** A whole number with its thousands grouped. */
export function count(value: number): string {
  return value.toLocaleString(words.language.tag);
}

/** Milliseconds with three significant figures and a unit. */
export function millis(ms: number | null): string {
  if (ms === null) return '–';
  if (ms >= 1000) return `${decimal(Number((ms / 1000).toPrecision(3)))} s`;
  return `${decimal(Number(ms.toPrecision(3)))} ms`;
}
