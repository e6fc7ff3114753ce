// Which language the page speaks: English, or a catalogue that is loaded in its place before anything is shown.
import { keep, wanted } from './tongue';
import { type DeedName, deeds, type Words, words } from './words';

/** All that another language has to give. */
export interface Catalogue {
  words: Words;
  deeds: Record<DeedName, [label: string, hint: string]>;
  /** The scenarios of the gallery, by their files' names. */
  examples: Record<string, [title: string, about: string]>;
  /** What the engines say: a template in English on a line, its translation on the next. */
  engines: string;
}

const PLAYHEAD = 'at';
const others: Record<string, () => Promise<{ catalogue: Catalogue }>> = { de: () => import('./words.de') };
/** The catalogue that is spoken; none in English. */
export let other: Catalogue | undefined;

async function speak(): Promise<void> {
  const tag = wanted();
  // Without the file the page is as good in English.
  const loaded = await others[tag]?.().catch(() => undefined);
  if (!loaded) return;
  other = loaded.catalogue;
  Object.assign(words, other.words);
  for (const deed of deeds) [deed.label, deed.hint] = other.deeds[deed.order];
  document.documentElement.lang = tag;
}

/** Settled when all words are those of the language. */
export const spoken = speak();

/** Keeps the choice, and loads the page anew with a run's link and its playhead, in nanoseconds. */
export function choose(tag: string, link: string | undefined, at: number | undefined): void {
  try {
    keep(tag);
    if (link !== undefined && at !== undefined) sessionStorage.setItem(PLAYHEAD, String(at));
  } catch {
    // Then the address alone says it.
  }
  const address = new URL(location.href);
  address.searchParams.set('lang', tag);
  if (link !== undefined) address.hash = link;
  history.replaceState(null, '', address);
  location.reload();
}

/** Where the playhead was before the language changed; asked once. */
export function playhead(): number | undefined {
  try {
    const kept = sessionStorage.getItem(PLAYHEAD);
    sessionStorage.removeItem(PLAYHEAD);
    return kept === null ? undefined : Number(kept) || 0;
  } catch {
    return undefined;
  }
}
