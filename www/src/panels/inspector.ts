// The inspector: what one thing is, what stands now, the settings that hold for it, what happened to it, what can be done.
import { html } from 'lit';
import type { Order, Side } from '../engine/engine';
import type { Fact } from '../gen/Fact';
import '../lab/node-menu';
import type { Change, TapeLine } from '../session';
import { timeWords } from '../transport/transport';
import { words } from '../words';
import { appliesTo, focusesOf, linkOrders } from './applies';
import { FocusAsked, InspectAsked, MessagePicked, Panel, RuleAsked, type Selection, SettingAsked } from './listening';
import './inspector.css';

/** So many of the last events are listed. */
const EVENTS = 6;
/** Events of the engines that a message is followed by in one go. */
const SLICE = 8_000;
/** Milliseconds between two readings while the run plays. */
const PACE = 250;

type Thing = Extract<Selection, { side: Side }>;

const clusterOf = (side: Side) => (side === 0 ? 'log' : 'queue');

export class BlInspector extends Panel {
  static override properties = { ...Panel.properties, of: { attribute: false } };
  declare of: Selection | undefined;
  private refused = '';
  private things: [ReadonlyMap<string, Thing['kind']>?, ReadonlyMap<string, Thing['kind']>?] = [];
  private soon: ReturnType<typeof setTimeout> | undefined;
  private about: Selection | undefined;

  /** Numbers are to be read: while it plays they change a few times a second. */
  protected override hear({ tape }: Change) {
    if (tape || !this.session?.transport.playing) this.requestUpdate();
    else
      this.soon ??= setTimeout(() => {
        this.soon = undefined;
        this.requestUpdate();
      }, PACE);
  }

  protected override updated() {
    super.updated();
    if (this.about !== this.of) this.refused = '';
    this.about = this.of;
  }

  private rule(rule: string) {
    return rule === ''
      ? ''
      : html`<button class="rule" aria-label=${`${words.whyRule} ${rule}`} @click=${() => this.dispatchEvent(new RuleAsked(rule))}>${rule}</button>`;
  }

  private inspect(of: Selection) {
    this.dispatchEvent(new InspectAsked(of, true));
  }

  private order(order: Order) {
    this.refused = this.session?.order(order) ?? '';
    this.requestUpdate();
  }

  /** What a fact is about is a thing itself, if its name is one's. */
  private named(side: Side, name: string) {
    const kind = this.thingsOf(side).get(name);
    return kind
      ? html`<button class="thing" @click=${() => this.inspect({ kind, side, name })}>${name}</button>`
      : html`${name}`;
  }

  /** All things of a cluster by their names: read once for all that is shown of it. */
  private thingsOf(side: Side): ReadonlyMap<string, Thing['kind']> {
    const known = this.things[side];
    if (known) return known;
    const found = new Map<string, Thing['kind']>();
    for (const { kind, name } of this.session?.run.graph(side)?.nodes ?? []) {
      if (kind !== 'producer' && kind !== 'consumer') found.set(name, kind as 'queue');
    }
    for (const { name } of this.session?.run.picture(side)?.cards ?? []) found.set(name, 'node');
    this.things[side] = found;
    return found;
  }

  private facts(side: Side, facts: Fact[]) {
    return html`<table class="facts"><tbody>${facts.map(
      ({ name, value, rule }) =>
        html`<tr><th scope="row">${this.named(side, name)}</th><td>${value}</td><td>${this.rule(rule)}</td></tr>`,
    )}</tbody></table>`;
  }

  private settings({ kind, side, name }: Thing) {
    const { session } = this;
    const { given, rest, own } = session ? appliesTo(session, kind, side, name) : { given: [], rest: [], own: [] };
    if (given.length + rest.length + own.length === 0) return '';
    const ask = (setting: string, part: string) => this.dispatchEvent(new SettingAsked(setting, '', part));
    return html`<h4>${words.inspector.settings}</h4>
      ${own.length > 0 ? html`<ul class="own">${own.map((text) => html`<li><code>${text}</code></li>`)}</ul>` : ''}
      ${
        given.length > 0
          ? html`<ul>${given.map(
              ({
                setting,
                value,
              }) => html`<li><button @click=${() => ask(setting.name, setting.part)}><code>${setting.name} = ${value}</code></button>
            <span class="quiet">${words.settings.byDefault} ${setting.default || words.settings.unset}</span></li>`,
            )}</ul>`
          : ''
      }
      ${
        rest.length > 0
          ? html`<details><summary>${words.inspector.defaults} (${rest.length})</summary><ul>${rest.map(
              (setting) =>
                html`<li><button @click=${() => ask(setting.name, setting.part)}><code>${setting.name} = ${setting.default || words.settings.unset}</code></button></li>`,
            )}</ul></details>`
          : ''
      }`;
  }

  /** The last that happened to it up to the playhead. */
  private events({ side, name }: Thing) {
    const { session } = this;
    const at = session?.transport.at ?? 0;
    const marks = (session?.marks ?? [])
      .map((mark, place) => ({ mark, place }))
      .filter(({ mark }) => mark.cluster === clusterOf(side) && mark.at <= at)
      .filter(({ mark }) => mark.node === name || mark.values.some((value) => value === name))
      .slice(-EVENTS)
      .reverse();
    if (marks.length === 0) return '';
    return html`<h4>${words.inspector.events}</h4><ul>${marks.map(
      ({ mark, place }) =>
        html`<li><button @click=${() => this.inspect({ kind: 'event', place })}><span class="when">${timeWords(mark.at)}</span> ${mark.what}</button> ${this.rule(mark.rule)}</li>`,
    )}</ul>`;
  }

  private actions({ kind, side, name }: Thing) {
    const { session } = this;
    if (!session) return '';
    const picture = session.run.picture(side);
    const card = kind === 'node' ? picture?.cards.find((one) => one.name === name) : undefined;
    const focuses = focusesOf(session, side, kind, name);
    const [from = '', to = ''] = name.split(' – ');
    const links = kind === 'node' ? (picture?.links ?? []).filter((one) => one.from === name || one.to === name) : [];
    return html`<h4>${words.inspector.actions}</h4>
      ${focuses.length > 0 ? html`<p class="do">${focuses.map((focus) => html`<button @click=${() => this.dispatchEvent(new FocusAsked(side, focus))}>${words.zoom.bring}: ${words.zoom.kinds[focus.kind as 'queue']} ${focus.name}</button>`)}</p>` : ''}
      ${kind === 'link' ? html`<p class="do">${linkOrders(side, from, to).map(({ name, order }) => html`<button @click=${() => this.order(order)}>${name}</button>`)}</p>` : ''}
      ${card ? html`<bl-node-menu .session=${session} .side=${side} .card=${card} within></bl-node-menu>` : ''}
      ${links.length > 0 ? html`<details><summary>${words.inspector.links} (${links.length})</summary><p class="do">${links.map((link) => html`<button @click=${() => this.inspect({ kind: 'link', side, name: `${link.from} – ${link.to}` })}>${link.from} – ${link.to}</button>`)}</p></details>` : ''}`;
  }

  private thing(of: Thing) {
    const facts = this.session?.run.inspect(of.side, of.kind, of.name);
    const kind = words.inspector.kinds[of.kind];
    return html`<h3 class="${clusterOf(of.side)}-side">${kind} ${of.name || words.topology.defaultExchange} <span class="quiet">${of.side === 0 ? words.log : words.queue}</span></h3>
      <div class="columns"><section><h4>${words.inspector.now}</h4>${facts ? this.facts(of.side, facts) : html`<p class="quiet">${words.inspector.gone}</p>`}</section>
      <section>${this.actions(of)}</section><section>${this.settings(of)}${this.events(of)}</section></div>`;
  }

  private message(of: Extract<Selection, { kind: 'message' }>['of']) {
    const { session } = this;
    const life = session?.run.life(of.side, of.producer, of.sequence, SLICE);
    if (!session || !life) return html`<p class="quiet">${words.inspector.gone}</p>`;
    const at = session.transport.at;
    const done = life.steps.filter((step) => step.at <= at);
    return html`<h3 class="${clusterOf(of.side)}-side">${words.inspector.kinds.message} ${life.name} <span class="quiet">${words.life.key} ${life.key}</span></h3>
      <table class="facts"><tbody>${done.map((step) => html`<tr><th scope="row">${timeWords(step.at)}</th><td>${step.what} ${words.life.on} ${this.named(of.side, step.node)}</td><td>${this.rule(step.rule)}</td></tr>`)}</tbody></table>
      <p class="do"><button @click=${() => this.dispatchEvent(new MessagePicked(of))}>${words.inspector.life} (${done.length}/${life.steps.length})</button></p>`;
  }

  private event(place: number) {
    const { session } = this;
    const mark = session?.marks[place];
    if (!session || !mark) return html`<p class="quiet">${words.inspector.gone}</p>`;
    const side = mark.cluster === 'log' ? 0 : 1;
    return html`<h3 class="${mark.cluster}-side">${words.inspector.kinds.event} <span class="when">${timeWords(mark.at)}</span></h3>
      <p>${mark.what} ${this.rule(mark.rule)}</p>
      <p class="do">${mark.node ? this.named(side, mark.node) : ''}
        <button @click=${() => session.act({ do: 'seek', to: mark.at })}>${words.inspector.go}</button>
        <button ?disabled=${place === 0} @click=${() => this.inspect({ kind: 'event', place: place - 1 })}>${words.previous}</button>
        <button ?disabled=${place + 1 >= session.marks.length} @click=${() => this.inspect({ kind: 'event', place: place + 1 })}>${words.next}</button></p>`;
  }

  private line(place: number) {
    const { session } = this;
    const tape = session?.tape() ?? [];
    const line = tape[place];
    if (!session || !line) return html`<p class="quiet">${words.inspector.gone}</p>`;
    const { muted, ...heard } = line;
    const write = (changed: TapeLine | undefined) => {
      this.refused = session.setTape(tape.flatMap((one, at) => (at === place ? (changed ?? []) : one))) ?? '';
      this.requestUpdate();
    };
    const fields = Object.entries(heard).filter(([name]) => name !== 'order' && name !== 'at');
    const side = line.cluster === 'queue' || String(line.node ?? '').startsWith('rabbit-') ? 1 : 0;
    return html`<h3>${words.inspector.kinds.order} ${line.order} <span class="when">${line.at}</span></h3>
      <table class="facts"><tbody>${fields.map(([name, value]) => html`<tr><th scope="row"><code>${name}</code></th><td>${typeof value === 'string' ? this.named(side, value) : JSON.stringify(value)}</td><td></td></tr>`)}</tbody></table>
      <p class="do"><button aria-pressed=${muted === true} @click=${() => write(muted ? heard : { ...line, muted: true })}>${words.tape.mute}</button>
        <button @click=${() => write(undefined)}>${words.tape.remove}</button></p>`;
  }

  private shown(of: Selection) {
    switch (of.kind) {
      case 'message':
        return this.message(of.of);
      case 'event':
        return this.event(of.place);
      case 'order':
        return this.line(of.place);
      default:
        return this.thing(of);
    }
  }

  override render() {
    if (!this.session || this.session.closed) return html``;
    this.things = [];
    return html`${this.of ? this.shown(this.of) : html`<p class="quiet">${words.inspector.empty}</p>`}
      ${this.refused ? html`<p class="refused" role="alert">${this.refused}</p>` : ''}`;
  }
}

customElements.define('bl-inspector', BlInspector);
