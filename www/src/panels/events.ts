// The event list: all marks of the run in words, each with its rule; a click goes there.
import { html, LitElement } from 'lit';
import type { Session } from '../session';
import { timeWords } from '../transport/transport';
import { words } from '../words';

export class BlEvents extends LitElement {
  static override properties = { session: { attribute: false } };
  declare session: Session | undefined;
  private heard: Session | undefined;
  private stop: (() => void) | undefined;
  private shown = -1;

  protected override createRenderRoot() {
    return this;
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.stop?.();
  }

  protected override updated() {
    if (this.session === this.heard) return;
    this.stop?.();
    this.heard = this.session;
    this.stop = this.session?.listen(({ tape }) => {
      const past = this.past();
      if (tape || past !== this.shown) this.requestUpdate();
    });
  }

  private past(): number {
    const at = this.session?.transport.at ?? 0;
    return this.session?.marks.filter((mark) => mark.at <= at).length ?? 0;
  }

  override render() {
    const { session } = this;
    if (!session || session.marks.length === 0) return html`<p class="quiet">${words.noEvents}</p>`;
    const past = this.past();
    this.shown = past;
    const from = Math.max(0, past - 60);
    return html`<ol class="events">${session.marks.slice(from, past + 40).map(
      (mark, place) => html`<li class=${from + place < past ? '' : 'ahead'}><button
        @click=${() => session.act({ do: 'seek', to: mark.at })}><span class="when">${timeWords(mark.at)}</span>
        <span class="what ${mark.cluster}-side ${mark.kind}">${mark.what}</span><span class="rule">${mark.rule}</span></button></li>`,
    )}</ol>`;
  }
}

customElements.define('bl-events', BlEvents);
