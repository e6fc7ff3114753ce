// The life of a message: the messages that a number counts, and one's whole path with what it waited for.
import { html } from 'lit';
import { millis } from '../format';
import type { LifeOut } from '../gen/LifeOut';
import { timeWords } from '../transport/transport';
import { words } from '../words';
import { MessagePicked, type MessageRef, Panel, RuleAsked } from './listening';
import './message.css';

/** Events that a message is followed by in one go: no frame is dropped for it. */
const SLICE = 8_000;
/** Messages that a list shows at the most. */
const LISTED = 200;
const FATES = Object.keys(words.fates) as (keyof typeof words.fates)[];

export class BlMessage extends Panel {
  static override properties = {
    ...Panel.properties,
    message: { attribute: false },
    fate: { attribute: false },
    side: { attribute: false },
  };
  declare message: MessageRef | undefined;
  declare fate: string;
  declare side: 0 | 1;
  private life: LifeOut | null = null;
  private of = '';
  private refused = '';

  constructor() {
    super();
    this.fate = 'outstanding';
    this.side = 0;
  }

  protected override hear({ tape, moved }: { moved: boolean; tape: boolean }) {
    if (tape) this.of = '';
    if (tape || (moved && !this.session?.transport.playing)) this.requestUpdate();
  }

  private read() {
    const { message, session } = this;
    if (!message || !session) {
      this.life = null;
      return;
    }
    const of = [message.side, message.producer, message.sequence, session.run.known].join();
    if (of === this.of && this.life?.done !== false) return;
    this.of = of;
    this.life = session.run.life(message.side, message.producer, message.sequence, SLICE);
    if (this.life?.done === false) setTimeout(() => this.isConnected && !session.closed && this.requestUpdate());
  }

  private pick(message: MessageRef) {
    this.dispatchEvent(new MessagePicked(message));
  }

  private path(life: LifeOut, message: MessageRef) {
    const at = this.session?.transport.at ?? 0;
    return html`<div class="life" aria-busy=${!life.done}><h3>${life.name} <span class="quiet">${words.life.key} ${life.key}</span></h3>
      <p class="walk"><button ?disabled=${message.sequence === 0} @click=${() => this.pick({ ...message, sequence: message.sequence - 1 })}>‹ ${words.life.before}</button>
        <button @click=${() => this.pick({ ...message, sequence: message.sequence + 1 })}>${words.life.after} ›</button></p>
      <ol class="steps">${life.steps.map((step, place) => {
        const since = place === 0 ? undefined : step.at - (life.steps[place - 1]?.at ?? step.at);
        return html`${since === undefined ? '' : html`<li class="wait">${millis(since / 1e6)}${step.wait ? html` ${step.wait}` : ''}</li>`}
        <li class=${step.at <= at ? 'step' : 'step ahead'}><button @click=${() => this.session?.act({ do: 'seek', to: step.at })}>
          <span class="when">${timeWords(step.at)}</span> <strong>${step.what}</strong> <span class="quiet">${words.life.on} ${step.node}</span></button>
          <button class="rule" @click=${() => this.dispatchEvent(new RuleAsked(step.rule))}>${step.rule}</button></li>`;
      })}</ol>
      ${life.until < (this.session?.run.known ?? 0) ? html`<p class="quiet">${words.life.followedTo} ${timeWords(life.until)}.</p>` : ''}</div>`;
  }

  private find(text: string) {
    const found = /^\s*(.+?)\s*#\s*([\d.,]+)\s*$/.exec(text);
    const { workload } = JSON.parse(this.session?.run.document() ?? '{}') as {
      workload?: { producers?: { name: string }[] };
    };
    const names = workload?.producers?.map((producer) => producer.name) ?? [];
    const producer = names.indexOf(found?.[1] ?? '');
    const sequence = Number((found?.[2] ?? '').replaceAll(/[.,]/g, '')) - 1;
    const exists = producer >= 0 && sequence >= 0 && this.session?.run.life(this.side, producer, sequence, 1) != null;
    this.refused = exists ? '' : `${words.life.noSuch} ${names.map((name) => `${name} #1`).join(', ')}`;
    if (exists) this.pick({ side: this.side, producer, sequence });
    this.requestUpdate();
  }

  override render() {
    const { session } = this;
    if (!session) return html``;
    this.read();
    const { life, message } = this;
    const listed = session.run.messages(this.side, this.fate, LISTED);
    const sides = JSON.parse(session.run.document()) as { log?: object; queue?: object };
    return html`<div class="find">
        ${
          sides.log && sides.queue
            ? html`<select aria-label=${words.sideOf} @change=${(event: Event) => {
                if (event.target instanceof HTMLSelectElement) this.side = event.target.value === '0' ? 0 : 1;
              }}><option value="0" ?selected=${this.side === 0}>${words.log}</option><option value="1" ?selected=${this.side === 1}>${words.queue}</option></select>`
            : ''
        }
        <select aria-label=${words.life.which} @change=${(event: Event) => {
          if (event.target instanceof HTMLSelectElement) this.fate = event.target.value;
        }}>${FATES.map((fate) => html`<option value=${fate} ?selected=${this.fate === fate}>${words.fates[fate]}</option>`)}</select>
        <form @submit=${(event: SubmitEvent) => {
          event.preventDefault();
          const input = event.target instanceof HTMLFormElement ? event.target.elements.namedItem('name') : null;
          if (input instanceof HTMLInputElement) this.find(input.value);
        }}><input name="name" aria-label=${words.life.find} placeholder=${words.life.find} /><button>${words.life.go}</button></form>
        ${this.refused ? html`<p class="refused" role="alert">${this.refused}</p>` : ''}
        <p class="quiet">${listed.length === 0 ? words.life.none : listed.length === LISTED ? words.life.first : ''}</p>
        <ul class="listed">${listed.map(
          (
            one,
          ) => html`<li><button aria-pressed=${message?.producer === one.producer && message.sequence === one.sequence}
            @click=${() => this.pick({ side: this.side, producer: one.producer, sequence: one.sequence })}>${one.name} <span class="quiet">${timeWords(one.produced)}</span></button></li>`,
        )}</ul></div>
      ${life && message ? this.path(life, message) : html`<p class="quiet empty">${words.life.empty}</p>`}`;
  }
}

customElements.define('bl-message', BlMessage);
