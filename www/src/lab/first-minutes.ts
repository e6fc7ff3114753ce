// The first minutes: three steps on the stage, each done by doing it. Once done or closed they do not come back.
import { html } from 'lit';
import { Panel } from '../panels/listening';
import type { Change } from '../session';
import { words } from '../words';
import './first-minutes.css';

const KEPT = 'first-minutes';
type Step = 'watch' | 'break' | 'rewind';
const STEPS: readonly Step[] = ['watch', 'break', 'rewind'];

/** Whether the steps were done or closed before; where nothing can be kept, they are not shown. */
function done(): boolean {
  try {
    return localStorage.getItem(KEPT) !== null;
  } catch {
    return true;
  }
}

export class BlFirstMinutes extends Panel {
  private step: Step | undefined = done() ? undefined : 'watch';
  private begun = 0;
  private orders = 0;
  private furthest = 0;

  protected override opened() {
    const { session } = this;
    if (!session || this.step === undefined) return;
    this.begun = session.transport.at;
    this.furthest = this.begun;
    this.orders = session.tape().length;
  }

  protected override hear({ tape }: Change) {
    const { session } = this;
    if (!session || this.step === undefined) return;
    const { at } = session.transport;
    // Who breaks it at once has seen enough.
    if (this.step !== 'rewind' && tape && session.tape().length !== this.orders) this.go('rewind');
    else if (this.step === 'watch' && at > this.begun + 0.8e9) this.go('break');
    else if (this.step === 'rewind' && at < this.furthest - 0.2e9) this.close();
    this.furthest = Math.max(this.furthest, at);
  }

  private go(step: Step) {
    this.step = step;
    if (step === 'rewind') this.furthest = this.session?.transport.at ?? 0;
    this.requestUpdate();
  }

  private close() {
    this.step = undefined;
    localStorage.setItem(KEPT, 'done');
    this.requestUpdate();
  }

  override render() {
    const { step } = this;
    const touch = matchMedia('(hover: none)').matches;
    if (step === undefined) return html``;
    return html`<aside class="first" aria-label=${words.first.title}><ol>${STEPS.map(
      (
        one,
        place,
      ) => html`<li class=${one === step ? 'now' : ''} aria-current=${one === step ? 'step' : 'false'}><strong>${place + 1} ${words.first[one].name}</strong>
        ${one === step ? html`<span>${words.first[one][touch ? 'touch' : 'what']}</span>` : ''}</li>`,
    )}</ol><button aria-label=${words.first.close} @click=${() => this.close()}>✕</button></aside>`;
  }
}

customElements.define('bl-first-minutes', BlFirstMinutes);
