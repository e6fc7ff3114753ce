// Nothing is moving: why? What is waited for at the playhead, until when, and by which rule.
import { html, LitElement } from 'lit';
import type { Wait } from '../gen/Wait';
import { RuleAsked } from '../panels/listening';
import type { Session } from '../session';
import { timeWords } from '../transport/transport';
import { words } from '../words';

export class BlWaits extends LitElement {
  static override properties = { waits: { state: true }, at: { state: true } };
  declare waits: readonly Wait[];
  declare at: number;
  private session: Session | undefined;

  constructor() {
    super();
    this.waits = [];
    this.at = 0;
  }

  protected override createRenderRoot() {
    return this;
  }

  async ask(session: Session) {
    this.session = session;
    session.act({ do: 'pause' });
    this.at = session.transport.at;
    this.waits = session.run.waits();
    await this.updateComplete;
    const dialog = this.querySelector('dialog');
    if (dialog && !dialog.open) dialog.showModal();
  }

  private go(to: number) {
    this.querySelector('dialog')?.close();
    this.session?.act({ do: 'seek', to });
  }

  private of(cluster: 'log' | 'queue') {
    const waits = this.waits.filter((wait) => wait.cluster === cluster);
    if (waits.length === 0) return '';
    return html`<h4 class="${cluster}-side">${cluster === 'log' ? words.log : words.queue}</h4><ul>${waits.map(
      (wait) =>
        html`<li>${wait.says}${
          wait.until === null
            ? ''
            : html`, <button type="button" class="until" @click=${() => this.go(wait.until ?? 0)}>${words.waits.until} ${timeWords(wait.until)}</button>`
        } <button type="button" class="rule" aria-label=${`${words.whyRule} ${wait.rule}`} @click=${() => this.dispatchEvent(new RuleAsked(wait.rule))}>${wait.rule}</button></li>`,
    )}</ul>`;
  }

  override render() {
    return html`<dialog class="waits" aria-label=${words.waits.title}><form method="dialog"><h3>${words.waits.title}</h3>
      <p class="quiet">${words.waits.at} ${timeWords(this.at)}.</p>
      ${this.waits.length === 0 ? html`<p>${words.waits.nothing}</p>` : [this.of('log'), this.of('queue')]}
      <button class="filled" autofocus>${words.close}</button></form></dialog>`;
  }
}

customElements.define('bl-waits', BlWaits);
