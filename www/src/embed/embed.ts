// The embed: the same run with little around it, made for an iframe.
import { html, LitElement } from 'lit';
import { loadRest, type Side } from '../engine/engine';
import { opening } from '../lab/gallery';
import { spoken } from '../language';
import { applyTheme, open, otherEyes } from '../opening';
import '../panels/verdict';
import type { Session } from '../session';
import { choice, seenOf, seeSide } from '../stage/choice';
import '../stage/stage';
import '../transport/bar';
import { words } from '../words';

export class BlEmbed extends LitElement {
  static override properties = { session: { state: true }, trouble: { state: true }, seen: { state: true } };
  declare session: Session | undefined;
  declare trouble: string | undefined;
  /** In a narrow frame: which of the stages is seen. */
  declare seen: Side;
  private sides: { log: boolean; queue: boolean } = { log: false, queue: false };

  constructor() {
    super();
    this.seen = 0;
  }

  protected override createRenderRoot() {
    return this;
  }

  override connectedCallback() {
    super.connectedCallback();
    const theme = new URLSearchParams(location.search).get('theme');
    applyTheme(theme === 'dark' || theme === 'light' ? theme : null);
    void spoken.then(() => this.requestUpdate());
    void this.openAddress()
      .then(() => loadRest())
      .then(otherEyes)
      .catch(() => undefined);
    window.addEventListener('hashchange', () => void this.openAddress());
    new IntersectionObserver(([entry]) => this.session?.setVisible(entry?.isIntersecting ?? true)).observe(this);
  }

  private async openAddress() {
    this.session?.close();
    this.session = undefined;
    try {
      const session = await open(location.hash, opening);
      const { log, queue } = session.parsed();
      this.sides = { log: log !== undefined, queue: queue !== undefined };
      this.session = session;
    } catch (error) {
      this.trouble = error instanceof Error ? error.message : String(error);
    }
  }

  override render() {
    if (this.trouble !== undefined) {
      return html`<div class="center"><strong>${words.linkBroken}</strong><pre>${this.trouble}</pre></div>`;
    }
    const { session } = this;
    if (!session) return html`<p class="center quiet">${words.loading}</p>`;
    const both = this.sides.log && this.sides.queue;
    return html`<main class="stages ${both ? '' : 'one'}">
        ${both ? choice(this.seen, (side) => seeSide(this.querySelector('.sides'), side)) : ''}
        <div class="sides" @scroll=${(event: Event) => {
          this.seen = seenOf(event);
        }}>${this.sides.log ? html`<div class="side log-side"><header><h2>${words.log}</h2></header><bl-stage .side=${0} .session=${session}></bl-stage></div>` : ''}
        ${this.sides.queue ? html`<div class="side queue-side"><header><h2>${words.queue}</h2></header><bl-stage .side=${1} .session=${session}></bl-stage></div>` : ''}</div>
      </main>
      <bl-transport role="region" aria-label=${words.time} minimal .session=${session}></bl-transport>
      <footer class="foot"><bl-verdict minimal .session=${session}></bl-verdict>
        <a href=${`./index.html${location.hash}`} target="_blank" rel="noopener">${words.openInLab} ↗</a></footer>`;
  }
}

customElements.define('bl-embed', BlEmbed);
