// The tape: every order is a line that can be moved in time, edited, muted, deleted; and the branches that were left.
import { html } from 'lit';
import type { Branch, TapeLine } from '../session';
import { words } from '../words';
import { difference, type Outcome } from './difference';
import { BesideAsked, InspectAsked, Panel } from './listening';
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

interface Compared {
  name: string;
  tape: TapeLine[];
}

export class BlTape extends Panel {
  private editing: number | undefined;
  private refused = '';
  private compared: { here: Outcome; there: Outcome } | undefined;
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
    return html`<li class=${line.muted ? 'muted' : ''}><span class="when" title=${line.at}>${line.at.replace(/(\.\d{3})\d+s$/, '$1s')}</span><span class="what"><button class="inspect" title=${words.inspector.open} @click=${() => this.dispatchEvent(new InspectAsked({ kind: 'order', place }, true))}><strong>${line.order}</strong></button> ${rest(line)}</span>
      <button @click=${() => {
        this.editing = place;
        this.requestUpdate();
      }}>${words.tape.edit}</button>
      <button aria-pressed=${line.muted === true} @click=${() => this.change(place, line.muted ? heard : { ...line, muted: true })}>${words.tape.mute}</button>
      <button @click=${() => this.change(place, undefined)}>${words.tape.remove}</button></li>`;
  }

  /** Plays two tapes to their ends, and shows both outcomes. */
  private async compare(one: Compared, two: Compared) {
    const { session } = this;
    if (!session || this.comparing) return;
    this.comparing = true;
    this.requestUpdate();
    try {
      const here = { name: one.name, report: await session.outcome(one.tape) };
      const there = { name: two.name, report: await session.outcome(two.tape) };
      this.compared = { here, there };
    } catch (error) {
      this.refused = error instanceof Error ? error.message : String(error);
    }
    this.comparing = false;
    this.requestUpdate();
  }

  /** This run, and all that it can be compared with. */
  private tapes(): Compared[] {
    const { session } = this;
    return session ? [{ name: words.branches.here, tape: session.tape() }, ...session.branches] : [];
  }

  /** Any two of them, chosen. */
  private chooser() {
    const tapes = this.tapes();
    if (tapes.length < 3) return '';
    const choice = (name: string, chosen: number) =>
      html`<select name=${name} aria-label=${words.branches.compare}>${tapes.map((tape, place) => html`<option value=${place} ?selected=${place === chosen}>${tape.name}</option>`)}</select>`;
    return html`<form class="two" @submit=${(event: SubmitEvent) => {
      event.preventDefault();
      const form = event.target instanceof HTMLFormElement ? new FormData(event.target) : new FormData();
      const [one, two] = ['one', 'two'].map((name) => tapes[Number(form.get(name))]);
      if (one && two) void this.compare(one, two);
    }}>${choice('one', tapes.length - 2)} ${choice('two', tapes.length - 1)}<button>${words.branches.compare}</button></form>`;
  }

  private difference() {
    if (this.comparing) return html`<p class="quiet" role="status">${words.branches.playing}</p>`;
    return this.compared ? difference(this.compared.here, this.compared.there) : '';
  }

  private rename(branch: Branch, event: Event) {
    if (event.target instanceof HTMLInputElement) this.session?.renameBranch(branch, event.target.value);
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
          ) => html`<li><input maxlength="60" aria-label=${words.branches.name} .value=${branch.name} @change=${(event: Event) => this.rename(branch, event)} />
            <button @click=${() => session.takeBranch(branch)}>${words.branches.take}</button>
            <button @click=${() => void this.compare({ name: words.branches.here, tape: session.tape() }, branch)}>${words.branches.compare}</button>
            <button @click=${() => this.dispatchEvent(new BesideAsked(branch.name, session.documentWith(branch.tape)))}>${words.beside.watch}</button>
            <button aria-label=${`${words.tape.remove}: ${branch.name}`} @click=${() => session.dropBranch(branch)}>✕</button></li>`,
        )}</ul>${this.chooser()}${this.difference()}</div>`;
  }
}

customElements.define('bl-tape', BlTape);
