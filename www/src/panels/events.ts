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
  /** A sheet that opens has its height only later. */
  private readonly sized = new ResizeObserver(() => this.follow());

  override connectedCallback() {
    super.connectedCallback();
    const panel = this.closest('.panel');
    if (panel) this.sized.observe(panel);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.sized.disconnect();
  }

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

  protected override updated() {
    super.updated();
    if (this.followed !== this.shown) this.follow();
  }

  /** Keeps what has just happened in sight, unless somebody reads elsewhere. */
  private follow() {
    const reads = this.contains(document.activeElement) || (hovers.matches && this.matches(':hover'));
    const [now, panel] = [this.querySelector('[aria-current]'), this.closest('.panel')];
    if (reads || !now || !panel) return;
    this.followed = this.shown;
    const [line, room] = [now.getBoundingClientRect(), panel.getBoundingClientRect()];
    // The tabs and the filter stay where they are, over the list.
    const top = this.querySelector('.filter')?.getBoundingClientRect().bottom ?? room.top;
    panel.scrollTop += line.top - (top + room.bottom) / 2;
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
