// What a run is about: a line of it in the bar, all of it a click away.
import { html } from 'lit';
import { other } from '../language';
import { words } from '../words';
import type { Example } from './gallery';

/** The name of a scenario of the gallery, in the language that is spoken. */
export function titleOf({ name, title }: Example): string {
  return other?.examples[name]?.[0] ?? title;
}

/** An example's texts are its own in English only. */
export function tongueOf({ name }: Example): string {
  return other?.examples[name] ? document.documentElement.lang : 'en';
}

/** The line in the bar, and what it opens; the document's own words, if it is none of the gallery. */
export function about(example: Example | undefined, text: string) {
  const all = (example && other?.examples[example.name]?.[1]) ?? text;
  if (all === '') return html`<span class="what">${words.what}</span>`;
  const tongue = example ? tongueOf(example) : '';
  return html`<button class="what" popovertarget="about" title=${words.about}><span lang=${tongue}>${all}</span></button>
    <div id="about" popover role="note" aria-label=${words.about}>${example ? html`<strong lang=${tongue}>${titleOf(example)}</strong>` : ''}<p lang=${tongue}>${all}</p></div>`;
}
