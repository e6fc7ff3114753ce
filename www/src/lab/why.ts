// The dialog that says why: a rule's sentence, the settings that matter, where the real documentation says it.
import { html, LitElement } from 'lit';
import { SettingAsked } from '../panels/listening';
import type { Rule } from '../panels/rules';
import { words } from '../words';

interface Known {
  rule: Rule;
  links: { link: string; name: string }[];
  /** What makes it so, and the setting's name if a form has it. */
  settings: { written: string; setting: string | undefined }[];
}

export class BlWhy extends LitElement {
  static override properties = { known: { state: true } };
  declare known: Known | undefined;
  private asked = '';

  protected override createRenderRoot() {
    return this;
  }

  async ask(id: string) {
    this.asked = id;
    const [{ nameOf, ruleOf, settingOf }, { formSettings }] = await Promise.all([
      import('../panels/rules'),
      import('../panels/form-settings'),
    ]);
    const rule = ruleOf(id);
    const part = id.startsWith('R') ? 'queue' : 'log';
    const inForms = new Set(formSettings.filter((setting) => setting.part.startsWith(part)).map(({ name }) => name));
    this.known = rule && {
      rule,
      links: rule.links.map((link) => ({ link, name: nameOf(link) })),
      settings: rule.defaults.map((written) => {
        const setting = settingOf(written);
        return { written, setting: setting && inForms.has(setting) ? setting : undefined };
      }),
    };
    await this.updateComplete;
    const dialog = this.querySelector('dialog');
    if (dialog && !dialog.open) dialog.showModal();
  }

  private setting({ written, setting }: Known['settings'][number]) {
    if (setting === undefined) return html`<li><code>${written}</code></li>`;
    return html`<li><button class="setting" title=${words.why.change} @click=${() => this.dispatchEvent(new SettingAsked(setting, this.asked))}><code>${written}</code></button></li>`;
  }

  override render() {
    const { known } = this;
    return html`<dialog class="why" aria-label=${words.why.title}><form method="dialog"><h3>${words.why.title} <code>${this.asked}</code></h3>
      ${known ? html`<p lang="en">${known.rule.sentence}</p>` : html`<p>${words.why.unknown}</p>`}
      ${known && known.settings.length > 0 ? html`<p class="quiet">${words.why.defaults}</p><ul>${known.settings.map((setting) => this.setting(setting))}</ul>` : ''}
      ${known ? html`<p class="quiet">${words.why.source}: <span lang="en">${known.rule.source}</span></p>` : ''}
      ${known && known.links.length > 0 ? html`<p class="quiet">${words.why.read}</p><ul>${known.links.map(({ link, name }) => html`<li><a href=${link} target="_blank" rel="noopener noreferrer">${name} ↗</a></li>`)}</ul>` : ''}
      <button class="filled" autofocus>${words.close}</button></form></dialog>`;
  }
}

customElements.define('bl-why', BlWhy);
