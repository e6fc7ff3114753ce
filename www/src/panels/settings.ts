// Settings as forms with their real names, defaults and bounds; and the whole document as text, on demand.
import { html, nothing } from 'lit';
import { checkDocument } from '../engine/engine';
import { words } from '../words';
import { difference, type Outcome } from './difference';
import { formSettings, mapOf, type Setting, type Tree, typed } from './form-settings';
import { BesideAsked, Panel, type SettingAsked } from './listening';
import './settings.css';

/** Play this document instead, from the same place. */
export class DocumentChanged extends CustomEvent<string> {
  constructor(text: string) {
    super('document-changed', { bubbles: true, detail: text });
  }
}

/** The names of what a part's list holds: its topics or queues. */
function namesOf(document: Tree, part: string): string[] {
  const [side = '', list = ''] = part.split(/\[\]|\./);
  const all = (document[side] as Tree | undefined)?.[list];
  return part.includes('[]') && Array.isArray(all) ? all.map((one: { name?: string }) => one.name ?? '') : [];
}

/** Where a setting is looked for first, by what its rule is about. */
function partsOf(rule: string): string[] {
  if (rule.startsWith('R')) return ['queue.queues[].arguments', 'queue.consumer', 'queue.publisher', 'queue.config'];
  const topic = 'log.topics[].config';
  if (/^K-[PIT]/.test(rule)) return ['log.producer', topic, 'log.broker'];
  if (/^K-[CGOHS]/.test(rule)) return ['log.consumer', 'log.broker', topic];
  return [topic, 'log.broker', 'log.producer', 'log.consumer'];
}

const idOf = (name: string) => `setting-${name.replaceAll('.', '-')}`;

export class BlSettings extends Panel {
  static override properties = { ...Panel.properties, asked: { attribute: false } };
  /** The setting to be shown, for whoever has asked why. */
  declare asked: SettingAsked['detail'] | undefined;
  private shown: SettingAsked['detail'] | undefined;
  private chosen = '';
  private text = '';
  private onlyChanged = false;
  private topic = 0;
  /** What was typed and not played yet, by part, topic or queue, and name; an empty text takes the default. */
  private drafts = new Map<string, string>();
  private refused = '';
  private asText = false;
  private comparing = false;
  private compared: { here: Outcome; there: Outcome } | undefined;

  protected override opened() {
    this.drafts.clear();
    this.refused = '';
    this.compared = undefined;
    const { log, queue } = this.session?.parsed() ?? {};
    const there = this.chosen.startsWith('log') ? log : this.chosen.startsWith('queue') && queue;
    if (!there) this.chosen = log ? 'log.producer' : 'queue.config';
    this.requestUpdate();
  }

  protected override hear() {}

  protected override updated() {
    super.updated();
    const { asked } = this;
    if (!asked || asked === this.shown) return;
    this.shown = asked;
    const has = (part: string) =>
      formSettings.some((setting) => setting.part === part && setting.name === asked.setting);
    this.chosen =
      asked.part ??
      partsOf(asked.rule).find(has) ??
      formSettings.find(({ name }) => name === asked.setting)?.part ??
      this.chosen;
    [this.text, this.onlyChanged, this.asText] = ['', false, false];
    this.requestUpdate();
    void this.updateComplete.then(() => {
      const input = this.querySelector<HTMLInputElement>(`#${CSS.escape(idOf(asked.setting))}`);
      input?.scrollIntoView({ block: 'center' });
      input?.focus();
    });
  }

  private key(setting: Setting): string {
    return `${setting.part}|${setting.part.includes('[]') ? this.topic : 0}|${setting.name}`;
  }

  private document(): Tree {
    return JSON.parse(this.session?.run.document() ?? '{}') as Tree;
  }

  /** The document with all drafts in it. */
  private drafted(): string {
    const document = this.document();
    for (const [key, value] of this.drafts) {
      const [part = '', topic = '0', name = ''] = key.split('|');
      const map = mapOf(document, part, Number(topic));
      if (!map) continue;
      if (value === '') delete map[name];
      else map[name] = typed(value, part);
    }
    return JSON.stringify(document, null, 2);
  }

  private play() {
    const text = this.drafted();
    this.refused = checkDocument(text);
    if (!this.refused) this.dispatchEvent(new DocumentChanged(text));
    this.requestUpdate();
  }

  /** Plays the run with and without what was typed to their ends, and shows both outcomes. */
  private async compare() {
    const { session } = this;
    const text = this.drafted();
    this.refused = checkDocument(text);
    if (!session || this.refused || this.comparing) return this.requestUpdate();
    this.comparing = true;
    this.requestUpdate();
    const here = { name: words.settings.asIs, report: await session.outcomeOf(session.run.document()) };
    const there = { name: words.settings.withThese, report: await session.outcomeOf(text) };
    this.compared = { here, there };
    this.comparing = false;
    this.requestUpdate();
  }

  /** Shows the run with what was typed beside the run without it. */
  private watch() {
    const text = this.drafted();
    this.refused = checkDocument(text);
    if (!this.refused) this.dispatchEvent(new BesideAsked(words.settings.withThese, text));
    this.requestUpdate();
  }

  /** What the document has for a setting, as a form shows it. */
  private given(setting: Setting, document: Tree): string {
    const written = mapOf(document, setting.part, this.topic)?.[setting.name];
    return written === undefined ? '' : typeof written === 'string' ? written : JSON.stringify(written);
  }

  /** While it is typed it is not held against anybody; what the document has already is no change. */
  private draft(setting: Setting, value: string) {
    if (value.trim() === this.given(setting, this.document())) this.drafts.delete(this.key(setting));
    else this.drafts.set(this.key(setting), value.trim());
    this.requestUpdate();
  }

  private type(setting: Setting, value: string) {
    this.draft(setting, value);
    this.refused = checkDocument(this.drafted());
  }

  /** Changes a topic's setting, or that of all brokers, from the playhead on: by way of any broker at work. */
  private order(setting: Setting, value: string, topic: string | undefined) {
    const session = this.session;
    const broker = session?.run
      .picture(0)
      ?.cards.find(({ name, health }) => name.startsWith('broker-') && health === 'running')?.name;
    const whose = topic === undefined ? { order: 'set-broker-config' } : { order: 'set-topic-config', topic };
    this.refused = broker
      ? (session?.order({ ...whose, node: broker, setting: setting.name, value }) ?? '')
      : words.settings.nobody;
    if (!this.refused) this.drafts.delete(this.key(setting));
    this.requestUpdate();
  }

  private now(setting: Setting, value: string, document: Tree) {
    const topic = namesOf(document, setting.part)[this.topic];
    const brokers = setting.part === 'log.broker';
    if (!setting.live || (topic === undefined && !brokers)) return '';
    return html`<button title=${words.settings.nowWhy} aria-label=${`${words.settings.now}: ${setting.name}`} ?disabled=${value === ''} @click=${() => this.order(setting, value, topic)}>${words.settings.now}</button>`;
  }

  private row(setting: Setting, document: Tree) {
    const value = this.drafts.get(this.key(setting)) ?? this.given(setting, document);
    const bounds =
      setting.most !== null
        ? `${setting.least} ${words.settings.to} ${setting.most}.`
        : setting.least !== null
          ? `${words.settings.atLeast} ${setting.least}.`
          : setting.values.every((one) => one === 'true' || one === 'false' || setting.about.includes(one))
            ? ''
            : `${setting.values.join(', ')}.`;
    const differs = value !== '' && value !== setting.default;
    const id = idOf(setting.name);
    return html`<li class=${differs ? 'differs' : ''}><label for=${id}><code>${setting.name}</code>${differs ? html` <span class="mark">${words.settings.changed}</span>` : ''}</label>
      <input id=${id} .value=${value} placeholder=${setting.default || words.settings.unset} aria-describedby=${`${id}-about`}
        list=${setting.values.length > 0 ? `${id}-values` : nothing}
        @input=${(event: Event) => {
          if (event.target instanceof HTMLInputElement) this.draft(setting, event.target.value);
        }}
        @change=${(event: Event) => {
          if (event.target instanceof HTMLInputElement) this.type(setting, event.target.value);
        }}
        @keydown=${(event: KeyboardEvent) => {
          if (event.key === 'Enter' && this.drafts.size > 0) this.play();
        }} />${setting.values.length > 0 ? html`<datalist id=${`${id}-values`}>${setting.values.map((one) => html`<option value=${one}></option>`)}</datalist>` : ''}${this.now(setting, value, document)}
      <span class="quiet" id=${`${id}-about`}><span lang="en">${setting.about}</span> ${bounds} ${differs ? `${words.settings.byDefault} ${setting.default || words.settings.unset}.` : ''}</span></li>`;
  }

  private forms() {
    const document = this.document();
    const parts = [...new Set(formSettings.map((setting) => setting.part))].filter(
      (part) => document[part.split('.')[0] ?? ''] !== undefined,
    );
    const names = namesOf(document, this.chosen);
    if (this.topic >= names.length) this.topic = 0;
    const text = this.text.toLowerCase();
    const shown = formSettings.filter((setting) => {
      if (setting.part !== this.chosen) return false;
      if (text && !`${setting.name} ${setting.about}`.toLowerCase().includes(text)) return false;
      return (
        !this.onlyChanged ||
        this.drafts.has(this.key(setting)) ||
        mapOf(document, setting.part, this.topic)?.[setting.name] !== undefined
      );
    });
    return html`<div class="bar"><select aria-label=${words.settings.part} @change=${(event: Event) => {
      if (event.target instanceof HTMLSelectElement) this.chosen = event.target.value;
      this.topic = 0;
      this.requestUpdate();
    }}>${parts.map((part) => html`<option value=${part} ?selected=${part === this.chosen}>${words.settings.parts[part as keyof typeof words.settings.parts] ?? part}</option>`)}</select>
      ${
        names.length > 1
          ? html`<select aria-label=${this.chosen.startsWith('log') ? words.settings.topic : words.settings.queue} @change=${(
              event: Event,
            ) => {
              if (event.target instanceof HTMLSelectElement) this.topic = Number(event.target.value);
              this.requestUpdate();
            }}>${names.map((name, place) => html`<option value=${place} ?selected=${place === this.topic}>${name}</option>`)}</select>`
          : ''
      }
      <input type="search" aria-label=${words.settings.search} placeholder=${words.settings.search} .value=${this.text} @input=${(
        event: Event,
      ) => {
        if (event.target instanceof HTMLInputElement) this.text = event.target.value;
        this.requestUpdate();
      }} />
      <label><input type="checkbox" .checked=${this.onlyChanged} @change=${() => {
        this.onlyChanged = !this.onlyChanged;
        this.requestUpdate();
      }} /> ${words.settings.onlyChanged}</label></div>
      <ul class="settings">${shown.map((setting) => this.row(setting, document))}</ul>
      ${shown.length === 0 ? html`<p class="quiet">${words.settings.none}</p>` : ''}`;
  }

  private switch() {
    this.asText = !this.asText;
    if (this.asText) void import('./editor').then(() => this.requestUpdate());
    this.requestUpdate();
  }

  override render() {
    if (!this.session) return html``;
    return html`<div class="bar"><button aria-pressed=${this.asText} @click=${() => this.switch()}>${words.settings.asText}</button>
        ${
          this.asText
            ? ''
            : html`<button class="filled" ?disabled=${this.drafts.size === 0} @click=${() => this.play()}>${words.settings.play}</button>
          <button title=${words.settings.compareWhy} ?disabled=${this.drafts.size === 0 || this.comparing} @click=${() => void this.compare()}>${words.branches.compare}</button>
          <button ?disabled=${this.drafts.size === 0} @click=${() => this.watch()}>${words.beside.watch}</button>
          <button ?disabled=${this.drafts.size === 0} @click=${() => {
            this.drafts.clear();
            this.refused = '';
            this.compared = undefined;
            this.requestUpdate();
          }}>${words.settings.drop}</button>`
        }<span class="quiet">${words.settings.replay}</span></div>
      ${this.refused ? html`<pre class="refused" role="alert">${this.refused}</pre>` : ''}
      ${this.comparing ? html`<p class="quiet" role="status">${words.branches.playing}</p>` : ''}
      ${this.compared ? html`<div class="compared">${difference(this.compared.here, this.compared.there)}</div>` : ''}
      ${this.asText ? html`<bl-editor .text=${this.session.run.document()} .settings=${formSettings}></bl-editor>` : this.forms()}`;
  }
}

customElements.define('bl-settings', BlSettings);
