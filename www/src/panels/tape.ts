// The tape: every order is a line that can be moved in time, edited, muted, deleted; and the branches that were left.
import { html } from 'lit';
import type { Report } from '../engine/engine';
import { count, millis } from '../format';
import type { Branch, TapeLine } from '../session';
import { words } from '../words';
import { Panel } from './listening';
import './tape.css';

/** What an order says beside its time, verb, and whether it is muted. */
function rest(line: TapeLine): string {
  const { at: _at, order: _order, muted: _muted, ...fields } = line;
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
}

/** An order of the fields' text; throws where a value is no JSON and no word. */
function read(at: string, order: string, fields: string): TapeLine {
  const line: TapeLine = { at: at.trim(), order: order.trim() };
  for (const field of fields.match(/[a-z_]+=(?:\[[^\]]*\]|"[^"]*"|\S+)/g) ?? []) {
    const place = field.indexOf('=');
    const value = field.slice(place + 1);
    line[field.slice(0, place)] = /^(-?\d+|true|false|\[.*\]|".*")$/.test(value)
      ? (JSON.parse(value) as unknown)
      : value;
  }
  return line;
}

type Figure = [name: string, read: (cluster: Report['clusters'][string]) => string];
const FIGURES: Figure[] = [
  [words.acknowledged, (cluster) => count(cluster.acknowledged)],
  [words.processed, (cluster) => count(cluster.processed)],
  [words.lost, (cluster) => count(cluster.lost)],
  [words.twice, (cluster) => count(cluster.duplicated)],
  [words.reordered, (cluster) => count(cluster.reordered)],
  [words.waiting, (cluster) => count(cluster.outstanding)],
  [words.p99, (cluster) => millis(cluster.latency_ms.p99)],
];

export class BlTape extends Panel {
  private editing: number | undefined;
  private refused = '';
  private compared: { branch: Branch; here: Report; there: Report } | undefined;
  private comparing = false;

  protected override opened() {
    this.editing = undefined;
    this.compared = undefined;
    this.requestUpdate();
  }

  protected override hear({ tape }: { moved: boolean; tape: boolean }) {
    if (tape) this.requestUpdate();
  }

  private write(tape: TapeLine[]) {
    this.refused = this.session?.setTape(tape) ?? '';
    if (!this.refused) this.editing = undefined;
    this.requestUpdate();
  }

  private change(place: number, line: TapeLine | undefined) {
    const tape = [...(this.session?.tape() ?? [])];
    tape.splice(place, 1, ...(line ? [line] : []));
    this.write(tape);
  }

  private save(event: SubmitEvent, place: number, line: TapeLine) {
    event.preventDefault();
    const form = event.target instanceof HTMLFormElement ? new FormData(event.target) : new FormData();
    const text = (name: string) => String(form.get(name) ?? '');
    try {
      const changed = read(text('at'), text('order'), text('fields'));
      this.change(place, line.muted ? { ...changed, muted: true } : changed);
    } catch (error) {
      this.refused = error instanceof Error ? error.message : String(error);
      this.requestUpdate();
    }
  }

  private line(line: TapeLine, place: number) {
    if (this.editing === place) {
      return html`<li><form @submit=${(event: SubmitEvent) => this.save(event, place, line)}>
        <input name="at" aria-label=${words.tape.at} .value=${line.at} size="10" required />
        <input name="order" aria-label=${words.tape.order} .value=${line.order} size="14" required />
        <input name="fields" class="fields" aria-label=${words.tape.fields} .value=${rest(line)} />
        <button class="filled">${words.tape.save}</button><button type="button" @click=${() => {
          this.editing = undefined;
          this.requestUpdate();
        }}>${words.tape.leave}</button></form></li>`;
    }
    const { muted: _muted, ...heard } = line;
    return html`<li class=${line.muted ? 'muted' : ''}><span class="when">${line.at}</span><span class="what"><strong>${line.order}</strong> ${rest(line)}</span>
      <button @click=${() => {
        this.editing = place;
        this.requestUpdate();
      }}>${words.tape.edit}</button>
      <button aria-pressed=${line.muted === true} @click=${() => this.change(place, line.muted ? heard : { ...line, muted: true })}>${words.tape.mute}</button>
      <button @click=${() => this.change(place, undefined)}>${words.tape.remove}</button></li>`;
  }

  private async compare(branch: Branch) {
    const { session } = this;
    if (!session || this.comparing) return;
    this.comparing = true;
    this.requestUpdate();
    const here = await session.outcome(session.tape());
    const there = await session.outcome(branch.tape);
    this.compared = { branch, here, there };
    this.comparing = false;
    this.requestUpdate();
  }

  private difference() {
    if (this.comparing) return html`<p class="quiet" role="status">${words.branches.playing}</p>`;
    if (!this.compared) return '';
    const { branch, here, there } = this.compared;
    return Object.entries(here.clusters).map(([key, cluster]) => {
      const other = there.clusters[key];
      if (!other) return '';
      return html`<table class="difference ${key}-side"><caption>${key === 'log' ? words.log : words.queue}</caption>
        <thead><tr><th scope="col">${words.branches.atEnd}</th><th scope="col">${words.branches.here}</th><th scope="col">${branch.name}</th></tr></thead>
        <tbody><tr><th scope="row">${words.verdict}</th><td>${cluster.verdict}</td><td>${other.verdict}</td></tr>
        ${FIGURES.map(([name, figure]) => {
          const differs = figure(cluster) !== figure(other);
          return html`<tr class=${differs ? 'differs' : ''}><th scope="row">${name}</th><td>${figure(cluster)}</td><td>${figure(other)}${differs ? ' ≠' : ''}</td></tr>`;
        })}</tbody></table>`;
    });
  }

  private rename(branch: Branch, event: Event) {
    if (!(event.target instanceof HTMLInputElement)) return;
    branch.name = event.target.value.trim() || branch.name;
    this.session?.touched();
  }

  override render() {
    const { session } = this;
    if (!session) return html``;
    const tape = session.tape();
    return html`<div class="orders"><h3>${words.tape.title}</h3>
        <p class="do"><button @click=${() => session.undo()}>${words.undo}</button><button @click=${() => session.redo()}>${words.redo}</button></p>
        ${tape.length === 0 ? html`<p class="quiet">${words.tape.empty}</p>` : html`<ol>${tape.map((line, place) => this.line(line, place))}</ol>`}
        ${this.refused ? html`<pre class="refused" role="alert">${this.refused}</pre>` : ''}</div>
      <div class="branches"><h3>${words.branches.title}</h3>
        ${session.branches.length === 0 ? html`<p class="quiet">${words.branches.empty}</p>` : ''}
        <p><button @click=${() => session.keepBranch()}>${words.branches.keep}</button></p>
        <ul>${session.branches.map(
          (
            branch,
          ) => html`<li><input aria-label=${words.branches.name} .value=${branch.name} @change=${(event: Event) => this.rename(branch, event)} />
            <button @click=${() => session.takeBranch(branch)}>${words.branches.take}</button>
            <button @click=${() => void this.compare(branch)}>${words.branches.compare}</button>
            <button aria-label=${`${words.tape.remove}: ${branch.name}`} @click=${() => session.dropBranch(branch)}>✕</button></li>`,
        )}</ul>${this.difference()}</div>`;
  }
}

customElements.define('bl-tape', BlTape);
