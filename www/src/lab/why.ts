// The dialog that says why: a rule's sentence, the settings that matter, where the real documentation says it.
import { html, LitElement } from 'lit';
import type { Rule } from '../panels/rules';
import { words } from '../words';

export class BlWhy extends LitElement {
  static override properties = { rule: { state: true }, link: { state: true } };
  declare rule: Rule | undefined;
  declare link: string | undefined;
  private asked = '';

  protected override createRenderRoot() {
    return this;
  }

  async ask(id: string) {
    this.asked = id;
    const { documentation, ruleOf } = await import('../panels/rules');
    this.rule = ruleOf(id);
    this.link = this.rule ? documentation(this.rule) : undefined;
    await this.updateComplete;
    const dialog = this.querySelector('dialog');
    if (dialog && !dialog.open) dialog.showModal();
  }

  override render() {
    const { rule, link } = this;
    return html`<dialog class="why" aria-label=${words.why.title}><form method="dialog"><h3>${words.why.title} <code>${this.asked}</code></h3>
      <p>${rule?.sentence ?? words.why.unknown}</p>
      ${rule && rule.defaults.length > 0 ? html`<p class="quiet">${words.why.defaults}</p><ul>${rule.defaults.map((name) => html`<li><code>${name}</code></li>`)}</ul>` : ''}
      ${rule ? html`<p class="quiet">${words.why.source}: ${rule.source}</p>` : ''}
      ${link ? html`<p><a href=${link} target="_blank" rel="noopener noreferrer">${words.why.read} ↗</a></p>` : ''}
      <button class="filled" autofocus>${words.close}</button></form></dialog>`;
  }
}

customElements.define('bl-why', BlWhy);
