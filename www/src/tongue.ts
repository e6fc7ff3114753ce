// Which language is wanted: known before any catalogue is loaded.

const KEPT = 'lang';
/** The languages that there are. */
export const TONGUES: readonly string[] = ['en', 'de'];

/** What the address asks for, else what the reader chose last, else the browser's languages. */
export function wanted(): string {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    // Where nothing is kept the browser's languages hold.
  }
  const asked = [new URLSearchParams(location.search).get('lang'), kept, ...navigator.languages];
  const tags = asked.map((tag) => (tag ?? '').slice(0, 2).toLowerCase());
  return tags.find((tag) => TONGUES.includes(tag)) ?? 'en';
}

/** Keeps the reader's choice; throws where nothing can be kept. */
export function keep(tag: string): void {
  localStorage.setItem(KEPT, tag);
}
