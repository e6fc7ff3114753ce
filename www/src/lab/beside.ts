// Two runs of one cluster side by side: this one, and another one that keeps up with it and is only watched.
import { html } from 'lit';
import { keyed } from 'lit/directives/keyed.js';
import type { Side } from '../engine/engine';
import { type Cluster, figures } from '../panels/difference';
import { Panel } from '../panels/listening';
import { Session } from '../session';
import '../stage/stage';
import '../stage/tools';
import { words } from '../words';
import './beside.css';

/** Another run, by its name and its document. */
export interface Beside {
  name: string;
  text: string;
}

const keyOf = (side: Side) => (side === 0 ? 'log' : 'queue');

export class BlBeside extends Panel {
  static override properties = { ...Panel.properties, beside: { attribute: false }, side: { state: true } };
  declare beside: Beside | undefined;
  declare side: Side;
  private other: Session | undefined;
  private shown: Beside | undefined;

  constructor() {
    super();
    this.side = 0;
  }

  protected override willUpdate() {
    const { session, beside } = this;
    if (!session || !beside || beside === this.shown) return;
    this.other?.close();
    this.shown = beside;
    this.other = new Session(beside.text, { speed: session.transport.speed, playing: false });
    this.other.keepUpWith(session);
    // While this run stands, the other one still comes to where it is.
    this.other.listen(() => this.requestUpdate());
    if (session.parsed().log === undefined) this.side = 1;
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.other?.close();
    this.other = undefined;
    this.shown = undefined;
  }

  /** What came of a run up to the playhead; what differs from the other run is marked. */
  private figures(mine: Cluster | undefined, others: Cluster | undefined) {
    if (!mine) return '';
    return html`<dl class="figures">${figures().map(([name, figure]) => {
      const differs = others !== undefined && figure(mine) !== figure(others);
      return html`<div class=${differs ? 'differs' : ''}><dt>${name}</dt><dd>${figure(mine)}${differs ? html`<span class="sr"> ≠</span>` : ''}</dd></div>`;
    })}</dl>`;
  }

  private column(name: string, session: Session, mine: Cluster | undefined, others: Cluster | undefined) {
    // A stage stays with its side.
    return keyed(
      this.side,
      html`<div class="side ${keyOf(this.side)}-side"><header><h2>${name}</h2>${this.figures(mine, others)}</header>
      <bl-stage .side=${this.side} .session=${session}></bl-stage></div>`,
    );
  }

  override render() {
    const { session, other, beside, side } = this;
    if (!session || session.closed || !other || !beside) return html``;
    const [here, there] = [session, other].map((run) => run.report().clusters[keyOf(side)]);
    const choice = ([0, 1] as const).filter((one) => session.parsed()[keyOf(one)] !== undefined);
    return html`<div class="bar" role="group" aria-label=${words.beside.title}><strong>${words.beside.title}</strong>
        ${choice.length < 2 ? '' : choice.map((one) => html`<button class="${keyOf(one)}-side" aria-pressed=${one === side} @click=${() => (this.side = one)}>${one === 0 ? words.log : words.queue}</button>`)}
        <button class="close" @click=${() => this.dispatchEvent(new CustomEvent('beside-closed', { bubbles: true }))}>✕ ${words.beside.close}</button></div>
      <div class="sides">${this.column(words.branches.here, session, here, there)}${this.column(beside.name, other, there, here)}</div>`;
  }
}

customElements.define('bl-beside', BlBeside);
