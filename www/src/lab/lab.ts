// The lab: both clusters side by side, the transport, the verdict.
import { html, LitElement } from 'lit';
import { openTranscript, type Side } from '../engine/engine';
import { decimal } from '../format';
import type { Card } from '../gen/Card';
import type { Link } from '../gen/Link';
import { choose, spoken } from '../language';
import { applyTheme, begin, open, settle } from '../opening';
import type {
  BesideAsked,
  FateAsked,
  FocusAsked,
  InspectAsked,
  MessagePicked,
  MessageRef,
  RuleAsked,
  Selection,
  SettingAsked,
} from '../panels/listening';
import { choice, seenOf, seeSide } from '../stage/choice';
import '../panels/verdict';
import type { DocumentChanged } from '../panels/settings';
import type { Parsed, Session } from '../session';
import { BlStage, type LinkChosen, type NodeChosen } from '../stage/stage';
import '../stage/tools';
import type { SessionWanted } from '../transport/bar';
import '../transport/bar';
import { words } from '../words';
import { about, titleOf, tongueOf } from './about';
import type { Beside } from './beside';
import { gallery, opening } from './gallery';
import { uncover } from './shell';
import { dialogs, later, type Tab, tabs } from './tabs';
import './first-minutes';

interface Captions {
  title: string;
  about: string;
  log: boolean;
  queue: boolean;
}

/** On a phone the panel is a sheet over the stage: it makes room for what is looked at there. */
function foldSheet(): void {
  document.documentElement.dataset.sheet = 'folded';
}

export class BlLab extends LitElement {
  static override properties = {
    session: { state: true },
    trouble: { state: true },
    menu: { state: true },
    tab: { state: true },
    notice: { state: true },
    message: { state: true },
    fate: { state: true },
    asked: { state: true },
    seen: { state: true },
    selected: { state: true },
    beside: { state: true },
  };
  declare session: Session | undefined;
  declare trouble: { title: string; what: string } | undefined;
  declare menu: { side: Side; card?: Card; part?: string; link?: Link; x: number; y: number } | undefined;
  declare tab: Tab;
  declare notice: string | undefined;
  declare message: MessageRef | undefined;
  declare fate: { side: Side; fate: string };
  declare asked: SettingAsked['detail'] | undefined;
  declare seen: Side;
  private captions: Captions = { title: '', about: '', log: true, queue: true };
  /** What was asked for while the engines were still loading, in its order. */
  private early: ((session: Session) => unknown)[] = [];
  /** What was typed while the palette was still loading. */
  private typed: string | undefined;
  private isSpoken = false;
  /** What the inspector shows. */
  declare selected: Selection | undefined;
  /** The run that is watched beside this one. */
  declare beside: Beside | undefined;
  private own = '';
  private spoken = '';

  constructor() {
    super();
    this.tab = 'verdict';
    this.seen = 0;
    this.fate = { side: 0, fate: 'outstanding' };
  }

  protected override createRenderRoot() {
    return this;
  }

  override connectedCallback() {
    super.connectedCallback();
    applyTheme();
    if (location.hash.length <= 1) this.caption(JSON.parse(opening));
    void spoken.then(() => {
      this.isSpoken = true;
      this.requestUpdate();
    });
    this.addEventListener('session-wanted', (event) => this.with((event as SessionWanted).detail));
    // Two frames on, the stages have been painted.
    void this.openAddress().then(() => requestAnimationFrame(() => requestAnimationFrame(() => settle(dialogs))));
    window.addEventListener('hashchange', () => location.hash !== this.own && void this.openAddress());
    window.addEventListener('keydown', (event) => this.onKey(event));
    this.addEventListener('message-picked', (event) => {
      this.message = (event as MessagePicked).detail;
      this.selected = { kind: 'message', of: this.message };
      this.fate = { ...this.fate, side: this.message.side };
      if (this.tab !== 'space-time') this.show('message');
    });
    this.addEventListener('fate-asked', (event) => {
      const { side, fate } = (event as FateAsked).detail;
      this.fate = { side, fate };
      // The first of them at once: a number is clicked to see what became of one.
      const [first] = this.session?.run.messages(side, fate, 1) ?? [];
      if (first) this.message = { side, producer: first.producer, sequence: first.sequence };
      this.show('message');
    });
    this.addEventListener('document-changed', (event) => this.openText((event as DocumentChanged).detail, true));
    this.addEventListener('setting-asked', (event) => {
      this.asked = (event as SettingAsked).detail;
      this.show('settings');
    });
    this.addEventListener('inspect-asked', (event) => {
      const { of, show } = (event as InspectAsked).detail;
      this.selected = of;
      if (show) this.show('inspector');
    });
    this.addEventListener('focus-asked', (event) => {
      const { side, focus } = (event as FocusAsked).detail;
      foldSheet();
      for (const stage of this.querySelectorAll('bl-stage'))
        if (stage instanceof BlStage && stage.side === side) stage.bring(focus);
    });
    this.addEventListener('beside-asked', (event) => this.watchBeside((event as BesideAsked).detail));
    this.addEventListener('beside-closed', () => this.watchBeside(undefined));
    this.addEventListener('rule-asked', (event) => void this.askWhy((event as RuleAsked).detail));
    this.addEventListener('dragover', (event) => event.preventDefault());
    this.addEventListener('drop', (event) => {
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      this.with(() => this.openFile(file));
    });
  }

  private async openAddress() {
    try {
      this.watch(await open(location.hash, opening));
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      this.session?.close();
      this.session = undefined;
      this.trouble = { title: location.hash.length > 1 ? words.linkBroken : words.scenarioRefused, what };
    }
  }

  /** Opens a document's text, from the gallery or a file; or one that was changed, where the old one stands. */
  private openText(text: string, again = false) {
    try {
      const before = again ? this.session : undefined;
      const session = begin(text, undefined);
      if (before) session.act({ do: 'seek', to: before.transport.at });
      this.watch(session);
      this.own = '';
      history.replaceState(null, '', location.pathname + location.search);
    } catch (error) {
      this.trouble = { title: words.scenarioRefused, what: error instanceof Error ? error.message : String(error) };
    }
  }

  private async openFile(file: File | undefined) {
    if (!file) return;
    const text = file.size > 4 << 20 ? 'x'.repeat((1 << 20) + 1) : await file.text();
    try {
      this.openText(openTranscript(text) ?? text);
    } catch (error) {
      this.trouble = { title: words.scenarioRefused, what: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Does something with the run: at once, or when the engines have loaded. */
  private with(act: (session: Session) => unknown) {
    if (this.session) act(this.session);
    else if (this.trouble === undefined) {
      this.early.push(act);
      this.say(words.loadingThen);
    }
  }

  /** Does what was asked for early. Some of it may open another run, which the next ones then mean. */
  private catchUp() {
    for (let act = this.early.shift(); act !== undefined; act = this.early.shift()) this.with(act);
  }

  private caption({ title = '', about = '', log, queue }: Parsed) {
    this.captions = { title, about, log: log !== undefined, queue: queue !== undefined };
  }

  private watch(session: Session) {
    this.session?.close();
    this.session = session;
    this.trouble = undefined;
    this.menu = undefined;
    this.message = undefined;
    this.selected = undefined;
    this.beside = undefined;
    this.caption(session.parsed());
    const known = this.known();
    const title = known ? titleOf(known) : this.captions.title;
    if (title) window.document.title = `${title} · Brokerlab`;
    let captioned = false;
    session.listen(({ tape, moved }) => {
      if (tape || !captioned) this.requestUpdate();
      captioned ||= session.run.picture(0) !== null || session.run.picture(1) !== null;
      if (moved) this.speak();
    });
    // Once the stages are laid out, which say who leads.
    if (this.early.length > 0) void this.updateComplete.then(() => requestAnimationFrame(() => this.catchUp()));
  }

  private watchBeside(beside: Beside | undefined) {
    this.menu = undefined;
    this.beside = beside;
    foldSheet();
    if (beside) void import('./beside').then(() => this.querySelector('.stages')?.scrollIntoView({ block: 'nearest' }));
  }

  protected override updated() {
    uncover(this.session, this.isSpoken, this.trouble !== undefined);
  }

  /** An account in words for a screen reader, at a reading pace: the last mark that the playhead passed. */
  private speak() {
    const { session } = this;
    if (!session) return;
    const last = session.marks.findLast((mark) => mark.at <= session.transport.at && mark.kind !== 'change');
    const said = last ? `${decimal((last.at / 1e9).toFixed(1))} s: ${last.what}` : '';
    if (said === this.spoken) return;
    this.spoken = said;
    const live = this.querySelector('.live');
    if (live) live.textContent = said;
  }

  /** Opens a panel, and loads it first if it has not been wanted yet. */
  private show(tab: Tab) {
    void later[tab]?.().then(() => this.requestUpdate());
    this.tab = tab;
    // On a phone the panel is a sheet.
    const { dataset } = document.documentElement;
    if (dataset.sheet !== 'open') dataset.sheet = 'half';
  }

  /** The tab that is shown folds the sheet. */
  private choose(tab: Tab) {
    const { dataset } = document.documentElement;
    if (tab === this.tab && /half|open/.test(dataset.sheet ?? '')) dataset.sheet = 'folded';
    else this.show(tab);
  }

  // Dialogs load when they are first wanted; their elements stand in the page from the start.
  private readonly commands = () => this.with((session) => this.openPalette(session));

  private async openPalette(session: Session) {
    this.typed ??= '';
    const [{ BlPalette }, { commandsOf }] = await Promise.all([import('./palette'), import('./commands')]);
    const palette = this.querySelector('bl-palette');
    if (!(palette instanceof BlPalette)) return;
    palette.open(
      commandsOf(session, {
        open: (text) => this.openText(text),
        tab: (tab) => this.show(tab),
        share: () => void this.share(session),
        theme: () => this.switchTheme(),
        language: () => this.switchLanguage(),
        shortcuts: () => void this.shortcuts(),
        breakIt: () => this.breakIt(),
        waits: () => void this.askWaits(),
        figure: () => void this.saveFigure(session),
        say: (text) => this.say(text),
      }),
      this.typed,
    );
    this.typed = undefined;
  }

  private async askWaits() {
    const { BlWaits } = await import('./waits');
    const waits = this.querySelector('bl-waits');
    if (this.session && waits instanceof BlWaits) await waits.ask(this.session);
  }

  private async askWhy(rule: string) {
    const { BlWhy } = await import('./why');
    const why = this.querySelector('bl-why');
    if (why instanceof BlWhy) await why.ask(rule);
  }

  private async shortcuts() {
    const { BlShortcuts } = await import('./shortcuts');
    const list = this.querySelector('bl-shortcuts');
    if (list instanceof BlShortcuts) await list.open(tabs().map(([, name]) => name));
  }

  /** Keys of one letter. True if there is such a key. */
  private onLetter(key: string): boolean {
    const tab = tabs()[Number(key) - 1];
    if (key === 'b') this.breakIt();
    else if (key === 'z') this.with((session) => session.undo());
    else if (key === 'y') this.with((session) => session.redo());
    else if (key === 'n') this.with((session) => session.jump(1, 'all'));
    else if (key === 'p') this.with((session) => session.jump(-1, 'all'));
    else if (key === 'w') this.with(() => this.askWaits());
    else if (key === 'l') this.with((session) => session.toggleLoop());
    else if (key === '?') void this.shortcuts();
    else if (key === '/' || key === 'k') this.commands();
    else if (tab) this.show(tab[0]);
    else return this.onHandKey(key);
    return true;
  }

  private onHandKey(key: string): boolean {
    if (!/^[maxgc]$/.test(key)) return false;
    this.with(async (session) => {
      const { handKey } = await import('./by-hand');
      handKey(session, key, this.menu, (text) => this.say(text));
    });
    return true;
  }

  private onKey(event: KeyboardEvent) {
    // Within the editor's own tree `event.target` is but the editor.
    const target = event.composedPath()[0];
    const typing =
      (target instanceof HTMLInputElement && target.type !== 'range' && target.type !== 'checkbox') ||
      target instanceof HTMLSelectElement ||
      target instanceof HTMLTextAreaElement ||
      (target instanceof HTMLElement && target.isContentEditable);
    if (event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.commands();
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.typed !== undefined && (event.key.length === 1 || event.key === 'Enter')) {
      event.preventDefault();
      this.typed += event.key === 'Enter' ? '\n' : event.key;
      return;
    }
    if (this.querySelector('dialog[open]')) return;
    if (event.key === 'Escape') this.menu = undefined;
    else if (event.key === ' ') {
      if (target instanceof HTMLButtonElement) return;
      event.preventDefault();
      this.with((run) => run.act({ do: 'toggle' }));
    } else if (target instanceof HTMLInputElement) return;
    else if (event.key === 'ArrowRight') this.with((run) => run.step());
    else if (event.key === 'ArrowLeft') this.with((run) => run.act({ do: 'seek', to: run.transport.at - 0.25e9 }));
    else if (this.onLetter(event.key)) event.preventDefault();
  }

  /** The obvious way to break it: the machine that leads in each cluster loses power. */
  private readonly breakIt = () =>
    this.with((session) => {
      const orders = ([0, 1] as const).flatMap((side) => {
        const node = session.leader(side);
        return node ? [{ order: 'power-off', node, cluster: side === 0 ? ('log' as const) : ('queue' as const) }] : [];
      });
      if (orders.length > 0) session.order(...orders);
      session.act({ do: 'play' });
    });

  private async share(session: Session) {
    this.own = session.link();
    history.replaceState(null, '', this.own);
    try {
      await navigator.clipboard.writeText(location.href);
      this.say(words.copied);
    } catch {
      this.say(words.copyFailed);
    }
  }

  private say(notice: string) {
    this.notice = notice;
    setTimeout(() => {
      this.notice = undefined;
    }, 4000);
  }

  private async saveFigure(session: Session) {
    (await import('./figure')).save(session);
  }

  private switchTheme() {
    const theme = document.documentElement.classList.contains('dark') ? 'light' : 'dark';
    localStorage.setItem('theme', theme);
    applyTheme(theme);
    this.session?.act({ do: 'reached', at: this.session.transport.at });
  }

  /** The page is loaded anew in the other language, with this run. */
  private switchLanguage() {
    const session = this.session?.failure === undefined ? this.session : undefined;
    choose(words.language.other, session?.link(), session?.transport.at);
  }

  private readonly onChosen = (event: Event) => {
    const { side, card, part } = (event as NodeChosen).detail;
    this.selected = { kind: 'node', side, name: card.name };
    const { x, y, w } = card.place;
    this.openMenu(event, { side, card, part, x, y }, w + 8);
  };

  private readonly onLink = (event: Event) => {
    const { side, link, x, y } = (event as LinkChosen).detail;
    this.selected = { kind: 'link', side, name: `${link.from} – ${link.to}` };
    this.openMenu(event, { side, link, x, y }, 12);
  };

  /** Opens a menu to the right of a place of a stage, or to its left where there is no room. */
  private openMenu({ target }: Event, menu: NonNullable<BlLab['menu']>, beside: number) {
    if (target instanceof BlStage && target.session !== this.session) {
      this.say(words.beside.readOnly);
      return;
    }
    const stage = target instanceof Element ? target.getBoundingClientRect() : new DOMRect();
    const stages = this.querySelector('.stages')?.getBoundingClientRect() ?? new DOMRect();
    const width = 300;
    const left = stage.x - stages.x + menu.x;
    const x = left + beside + width < stages.width ? left + beside : Math.max(4, left - width);
    this.menu = { ...menu, x, y: stage.y - stages.y + menu.y };
    foldSheet();
    void this.placeMenu();
  }

  /** Puts the menu as high as the card, within the stages and in sight, once it is known how tall it is. */
  private readonly placeMenu = async () => {
    await Promise.all([import('./node-menu'), import('./link-menu'), this.updateComplete]);
    const menu = this.querySelector<LitElement>('.menu');
    await menu?.updateComplete;
    if (!menu || !this.menu) return;
    const room = (menu.parentElement?.clientHeight ?? 0) - menu.offsetHeight - 4;
    menu.style.left = `${this.menu.x}px`;
    menu.style.top = `${Math.max(4, Math.min(this.menu.y, room))}px`;
    menu.scrollIntoView({ block: 'nearest' });
  };

  private menuOf(session: Session) {
    const { side, card, part, link } = this.menu ?? {};
    if (link)
      return html`<bl-link-menu class="menu" role="dialog" aria-label=${`${words.link} ${link.from} – ${link.to}`} .session=${session} .side=${side} .link=${link}></bl-link-menu>`;
    if (!card) return '';
    return html`<bl-node-menu class="menu" role="dialog" aria-label=${card.name} .session=${session} .side=${side} .card=${card} .face=${part}></bl-node-menu>`;
  }

  /** Which scenario of the gallery it is, if it is one. */
  private known() {
    return gallery.find((example) => example.title === this.captions.title);
  }

  private top() {
    const known = this.known();
    return html`<header class="top">
      <h1 title=${words.what}>${words.name}</h1>
      <select aria-label=${words.scenario} @change=${(event: Event) => {
        const chosen = gallery.find(
          (example) => event.target instanceof HTMLSelectElement && example.name === event.target.value,
        );
        if (chosen) void chosen.text().then((text) => this.with(() => this.openText(text)));
      }}>${known ? '' : html`<option selected>${this.captions.title || words.untitled}</option>`}
        ${gallery.map((example) => html`<option lang=${tongueOf(example)} value=${example.name} ?selected=${example === known}>${titleOf(example)}</option>`)}</select>
      ${about(known, this.captions.about)}
      <div class="actions">
        <button class="break" title=${`${words.breakItWhy} (B)`} @click=${() => this.breakIt()}>⚡ ${words.breakIt}</button>
        <button class="optional" title="Z" @click=${() => this.with((session) => session.undo())}>${words.undo}</button>
        <button class="optional" title=${`${words.waits.title} (W)`} aria-label=${words.waits.title} @click=${() => this.with(() => this.askWaits())}>?</button>
        <button class="commands" title=${`${words.commands} (Ctrl K)`} aria-label=${words.commands} @click=${() => this.commands()}></button>
        <button class="optional figure" @click=${() => this.with((session) => this.saveFigure(session))}>${words.figure}</button>
        <label class="optional button"><input class="sr" type="file" accept=".json,.jsonl" @change=${(event: Event) => {
          const file = event.target instanceof HTMLInputElement ? event.target.files?.[0] : undefined;
          this.with(() => this.openFile(file));
        }} /><span>${words.open}</span></label>
        <button class="language" lang=${words.language.other} aria-label=${`${words.language.other}: ${words.language.otherName}`} title=${words.language.otherName} @click=${() => this.switchLanguage()}>${words.language.other}</button>
        <button aria-label=${words.theme} title=${words.theme} @click=${() => this.switchTheme()}>◐</button>
        <button class="filled" @click=${() => this.with((session) => this.share(session))}>${words.share}</button>
      </div>
    </header>`;
  }

  private side(side: Side) {
    const { session } = this;
    const caption = session?.isOnTheWay === false ? session.run.picture(side)?.caption : words.loading;
    return html`<div class="side ${side === 0 ? 'log' : 'queue'}-side"><header><h2>${side === 0 ? words.log : words.queue}</h2><p>${caption}</p>${session ? this.remarks(side, session) : ''}<bl-stage-tools></bl-stage-tools></header>
      <bl-stage .side=${side} .session=${session} .chosen=${this.menu?.side === side ? this.menu.card?.name : undefined}></bl-stage></div>`;
  }

  private readonly onSwipe = (event: Event) => {
    this.seen = seenOf(event);
  };

  private remarks(side: Side, session: Session) {
    const part = side === 0 ? 'log.' : 'queue.';
    const remarks = session.run.remarks().filter((remark) => remark.startsWith(part));
    if (remarks.length === 0) return '';
    return html`<details class="remarks"><summary>${remarks.length} ${words.remarks}</summary>
      <ul lang="en">${remarks.map((remark) => html`<li>${remark}</li>`)}</ul></details>`;
  }

  private banner(session: Session) {
    if (session.failure !== undefined)
      return html`<p class="banner bad" role="alert">${words.gone} ${session.failure}</p>`;
    const agrees = session.agrees();
    if (agrees === false) return html`<p class="banner bad" role="alert">${words.rulesChanged}</p>`;
    return '';
  }

  private panel() {
    return html`<section aria-label=${words.verdict}><bl-edge></bl-edge><div class="panel"><div class="tabs" role="tablist">${tabs().map(
      ([tab, name]) =>
        html`<button role="tab" aria-selected=${this.tab === tab} @click=${() => this.choose(tab)}>${name}</button>`,
    )}</div>
      ${this.session ? this.panelOf(this.session) : ''}
    </div></section>`;
  }

  private panelOf(session: Session) {
    switch (this.tab) {
      case 'verdict':
        return html`<bl-verdict .session=${session}></bl-verdict>`;
      case 'charts':
        return html`<bl-charts .session=${session}></bl-charts>`;
      case 'space-time':
        return html`<bl-space-time .session=${session} .message=${this.message}></bl-space-time>`;
      case 'message':
        return html`<bl-message .session=${session} .message=${this.message} .fate=${this.fate.fate} .side=${this.fate.side}></bl-message>`;
      case 'events':
        return html`<bl-events .session=${session}></bl-events>`;
      case 'tape':
        return html`<bl-tape .session=${session}></bl-tape>`;
      case 'settings':
        return html`<bl-settings .session=${session} .asked=${this.asked}></bl-settings>`;
      case 'topology':
        return html`<bl-topology .session=${session}></bl-topology>`;
      case 'inspector':
        return html`<bl-inspector .session=${session} .of=${this.selected}></bl-inspector>`;
    }
  }

  /** The dialogs: what is waited for, why, commands, keys. */
  private dialogs() {
    return html`<bl-waits></bl-waits><bl-why></bl-why><bl-palette></bl-palette><bl-shortcuts></bl-shortcuts>`;
  }

  override render() {
    if (this.trouble) {
      return html`<main class="center"><h1>${this.trouble.title}</h1><pre>${this.trouble.what}</pre><p>${words.linkBrokenWhat}</p>
        <button class="filled" @click=${() => this.openText(opening)}>${words.example}</button></main>`;
    }
    const { session } = this;
    if (!this.isSpoken) return '';
    const both = this.captions.log && this.captions.queue;
    return html`${this.top()}
      <main class="stages ${both ? '' : 'one'}" @node-chosen=${this.onChosen} @link-chosen=${this.onLink} @menu-grown=${this.placeMenu} @menu-closed=${() => {
        this.menu = undefined;
      }}>
        ${
          this.beside && session
            ? html`<bl-beside .session=${session} .beside=${this.beside}></bl-beside>`
            : html`${both ? choice(this.seen, (side) => seeSide(this.querySelector('.sides'), side)) : ''}
              <div class="sides" @scroll=${this.onSwipe}>${this.captions.log ? this.side(0) : ''}${this.captions.queue ? this.side(1) : ''}</div>`
        }
        ${this.notice === undefined ? '' : html`<p class="notice" role="status">${this.notice}</p>`}
        ${session ? this.menuOf(session) : ''}
        ${session ? this.banner(session) : ''}<bl-first-minutes .session=${session}></bl-first-minutes>
      </main>
      <bl-transport role="region" aria-label=${words.time} .session=${session} title=${words.keyboard}></bl-transport>
      ${this.panel()}
      ${this.dialogs()}
      <div class="sr live" aria-live="polite"></div>`;
  }
}

customElements.define('bl-lab', BlLab);
