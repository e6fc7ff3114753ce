// Which language the page speaks: English, or a catalogue that is loaded in its place before anything is shown.
import type { MarkOut } from './gen/MarkOut';
import type { Report } from './gen/Report';
import { keep, wanted } from './tongue';
import { type DeedName, deeds, type Words, words } from './words';

type Outcome = Report['clusters'][string];

/** All that another language has to give; what the engines say comes as codes and numbers. */
export interface Catalogue {
  words: Words;
  deeds: Record<DeedName, [label: string, hint: string]>;
  /** A mark's sentence. */
  mark(mark: MarkOut): string;
  /** The verdict's sentence, and what is to be added. */
  verdict(side: string, outcome: Outcome): { verdict: string; notes: string[] };
}

const PLAYHEAD = 'at';
const others: Record<string, () => Promise<{ catalogue: Catalogue }>> = { de: () => import('./words.de') };
let other: Catalogue | undefined;

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

export function told(marks: MarkOut[]): MarkOut[] {
  const { mark: say } = other ?? {};
  return say ? marks.map((mark) => ({ ...mark, what: say(mark) })) : marks;
}

export function judged(report: Report): Report {
  for (const [side, outcome] of Object.entries(report.clusters)) Object.assign(outcome, other?.verdict(side, outcome));
  return report;
}
