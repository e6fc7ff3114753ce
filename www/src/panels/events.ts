// The event list: all marks of the run in words, each with its rule; a click goes there.
import { html, nothing } from 'lit';
import { timeWords } from '../transport/transport';
import { words } from '../words';
import { InspectAsked, Panel, RuleAsked } from './listening';

/** A finger leaves its last place hovered. */
const hovers = matchMedia('(hover: hover)');

export class BlEvents extends Panel {
  private shown = -1;
  private followed = -1;
  private kind = 'all';
  private text = '';

  protected override hear({ tape }: { moved: boolean; tape: boolean }) {
    if (tape || this.past() !== this.shown) this.requestUpdate();
  }

  private found() {
    const text = this.text.toLowerCase();
    const fits = (what: string) => text === '' || what.toLowerCase().includes(text);
    return (this.session?.marks ?? []).filter(
      (mark) => (this.kind === 'all' || mark.kind === this.kind) && fits(`${mark.what} ${mark.node} ${mark.rule}`),
    );
  }

  private past(): number {
    const at = this.session?.transport.at ?? 0;
    return this.found().filter((mark) => mark.at <= at).length;
  }

  /** Keeps what has just happened in sight, unless somebody reads elsewhere. */
  protected override updated() {
    super.updated();
    const reads = this.contains(document.activeElement) || (hovers.matches && this.matches(':hover'));
    if (this.followed === this.shown || reads) return;
    this.followed = this.shown;
    const now = this.querySelector('[aria-current]');
    const panel = this.closest('.panel');
    if (!now || !panel) return;
    const [line, room] = [now.getBoundingClientRect(), panel.getBoundingClientRect()];
    panel.scrollTop += line.top - room.top - room.height / 2;
  }

  override render() {
    const { session } = this;
    if (!session || session.marks.length === 0) return html`<p class="quiet">${words.noEvents}</p>`;
    const past = this.past();
    this.shown = past;
    const found = this.found();
    const from = Math.max(0, past - 60);
    const one = session.marks.every((mark) => mark.cluster === session.marks[0]?.cluster);
    return html`<div class="filter"><select aria-label=${words.kindOfNext} @change=${(event: Event) => {
      if (event.target instanceof HTMLSelectElement) this.kind = event.target.value;
      this.requestUpdate();
    }}>${Object.entries(words.kinds).map(([kind, name]) => html`<option value=${kind}>${name}</option>`)}</select>
      <input type="search" aria-label=${words.search} placeholder=${words.search} @input=${(event: Event) => {
        if (event.target instanceof HTMLInputElement) this.text = event.target.value;
        this.requestUpdate();
      }} /></div>
      ${found.length === 0 ? html`<p class="quiet">${words.noMatch}</p>` : ''}
      <ol class="events ${one ? 'one' : ''}">${found.slice(from, past + 40).map(
        (
          mark,
          place,
        ) => html`<li class="lane-${mark.cluster} ${from + place < past ? '' : 'ahead'}" aria-current=${from + place === past - 1 ? 'true' : nothing}><button
        @click=${() => {
          session.act({ do: 'seek', to: mark.at });
          this.dispatchEvent(new InspectAsked({ kind: 'event', place: session.marks.indexOf(mark) }, false));
        }}><span class="when">${timeWords(mark.at)}</span>
        <span class="what ${mark.cluster}-side ${mark.kind}">${mark.what}</span></button><button class="rule" aria-label=${`${words.whyRule} ${mark.rule}`}
        @click=${() => this.dispatchEvent(new RuleAsked(mark.rule))}>${mark.rule}</button></li>`,
      )}</ol>`;
  }
}

customElements.define('bl-events', BlEvents);
