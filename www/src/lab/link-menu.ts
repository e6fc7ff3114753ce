// What can be done to a link, as a menu at the place where it was clicked.
import { html, LitElement } from 'lit';
import type { Side } from '../engine/engine';
import type { Link } from '../gen/Link';
import { type LinkOrder, linkOrders } from '../panels/applies';
import { InspectAsked } from '../panels/listening';
import type { Session } from '../session';
import { words } from '../words';
import './node-menu.css';

export class BlLinkMenu extends LitElement {
  static override properties = {
    session: { attribute: false },
    side: { type: Number },
    link: { attribute: false },
    refused: { state: true },
  };
  declare session: Session | undefined;
  declare side: Side;
  declare link: Link | undefined;
  declare refused: string | undefined;
  private focused: Link | undefined;

  protected override createRenderRoot() {
    return this;
  }

  /** Whoever clicked a link most often wants the first of the list: Enter does it. */
  protected override updated() {
    if (this.focused === this.link) return;
    this.focused = this.link;
    this.refused = undefined;
    this.querySelector<HTMLElement>('li button')?.focus({ preventScroll: true });
  }

  private readonly leave = () => this.dispatchEvent(new CustomEvent('menu-closed', { bubbles: true }));

  private give({ order }: LinkOrder) {
    this.refused = this.session?.order(order);
    if (this.refused === undefined) this.leave();
  }

  private inspect({ from, to }: Link) {
    this.dispatchEvent(new InspectAsked({ kind: 'link', side: this.side, name: `${from} – ${to}` }, true));
    this.leave();
  }

  override render() {
    const { link } = this;
    if (!link) return html``;
    const { from, to, state } = link;
    const streams = (this.session?.run.picture(this.side)?.streams ?? []).filter(
      (one) => (one.from === from && one.to === to) || (one.from === to && one.to === from),
    );
    const fitting = linkOrders(this.side, from, to).filter(
      ({ heals }) => heals === undefined || state !== (heals ? 'open' : 'cut'),
    );
    return html`<h3>${from} – ${to}<button aria-label=${words.close} @click=${this.leave}>✕</button></h3>
      <p tabindex="0">${[words.links.states[state as 'open'], ...streams.map(({ says }) => says)].join(' · ')}</p>
      <ul class="single">${fitting.map((one) => html`<li><button @click=${() => this.give(one)}>${one.name}</button></li>`)}</ul>
      <p class="more"><button @click=${() => this.inspect(link)}>${words.inspector.open}</button></p>
      ${this.refused === undefined ? '' : html`<p class="refused" role="alert">${this.refused}</p>`}`;
  }
}

customElements.define('bl-link-menu', BlLinkMenu);
