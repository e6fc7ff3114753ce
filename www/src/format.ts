// Numbers as the page shows them.

/** A whole number with its thousands grouped. */
export function count(value: number): string {
  return value.toLocaleString('en');
}

/** Milliseconds with three significant figures and a unit. */
export function millis(ms: number | null): string {
  if (ms === null) return '–';
  if (ms >= 1000) return `${Number((ms / 1000).toPrecision(3))} s`;
  return `${Number(ms.toPrecision(3))} ms`;
}
