// The space-time diagram of a window of the run: nodes as lanes, messages as arrows. Tied to the playhead both ways.
import { html, svg } from 'lit';
import type { Shape } from '../gen/Shape';
import type { SpaceTime } from '../gen/SpaceTime';
import type { Spot } from '../gen/Spot';
import { timeWords } from '../transport/transport';
import { words } from '../words';
import { MessagePicked, type MessageRef, Panel } from './listening';
import './space-time.css';

/** Events that a message is followed by for its window: what comes later is far off. */
const FOLLOWED = 60_000;
/** Windows that can be chosen, in nanoseconds. */
const SPANS = [2e6, 5e6, 10e6, 20e6, 50e6, 100e6, 250e6, 1e9, 5e9, 20e9];

export class BlSpaceTime extends Panel {
  static override properties = { ...Panel.properties, message: { attribute: false }, side: { state: true } };
  declare message: MessageRef | undefined;
  declare side: 0 | 1;
  private span = 250e6;
  private from = 0;
  private diagram: SpaceTime | null = null;
  private pointed: Spot | undefined;
  private width = 0;
  private drawn = '';
  private observer: ResizeObserver | undefined;

  constructor() {
    super();
    this.side = 0;
  }

  override connectedCallback() {
    super.connectedCallback();
    this.observer = new ResizeObserver(([entry]) => {
      this.width = Math.round(entry?.contentRect.width ?? 0);
      this.requestUpdate();
    });
    this.observer.observe(this);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.observer?.disconnect();
  }

  protected override opened() {
    const { session } = this;
    if (!session) return;
    const { log } = JSON.parse(session.run.document()) as { log?: object };
    this.side = log ? 0 : 1;
    this.drawn = '';
    this.center(session.transport.at);
  }

  protected override willUpdate(changed: Map<string, unknown>) {
    if (changed.has('message') && this.message) {
      this.side = this.message.side;
      const { side, producer, sequence } = this.message;
      const life = this.session?.run.life(side, producer, sequence, FOLLOWED);
      const first = life?.steps[0]?.at;
      const last = life?.steps.at(-1)?.at;
      if (first === undefined || last === undefined) return;
      this.span = SPANS.find((span) => span * 0.8 >= last - first) ?? 20e9;
      this.from = Math.max(0, first - this.span * 0.06);
    }
  }

  protected override hear({ tape, moved }: { moved: boolean; tape: boolean }) {
    if (tape) this.drawn = '';
    const at = this.session?.transport.at ?? 0;
    // The window follows the playhead when it leaves it.
    if (
      moved &&
      (at < this.from || at > this.from + this.span) &&
      !(this.message && !this.session?.transport.playing)
    ) {
      this.center(at);
    }
    this.requestUpdate();
  }

  private center(at: number) {
    this.from = Math.max(0, at - this.span * 0.3);
    this.requestUpdate();
  }

  private zoom(by: number) {
    const at = Math.min(Math.max(this.session?.transport.at ?? 0, this.from), this.from + this.span);
    const part = (at - this.from) / this.span;
    const place = SPANS.findIndex((span) => span >= this.span) + by;
    this.span = SPANS[Math.min(Math.max(place, 0), SPANS.length - 1)] ?? this.span;
    this.from = Math.max(0, at - part * this.span);
    this.requestUpdate();
  }

  private pan(part: number) {
    this.from = Math.max(0, this.from + part * this.span);
    this.requestUpdate();
  }

  private redraw() {
    const { session } = this;
    if (!session || this.width < 60) return;
    const { message } = this;
    const mine = message?.side === this.side ? message : undefined;
    const key = [
      this.side,
      this.from,
      this.span,
      this.width,
      mine?.producer,
      mine?.sequence,
      session.run.known >= this.from + this.span,
    ].join();
    if (key === this.drawn) return;
    this.drawn = key;
    this.diagram = session.run.spaceTime(
      this.side,
      this.from,
      this.from + this.span,
      this.width,
      mine?.producer ?? 0,
      mine?.sequence ?? -1,
    );
  }

  private pick(spot: Spot) {
    this.pointed = spot;
    const [producer, sequence] = spot.message;
    if (producer !== undefined && sequence !== undefined) {
      this.dispatchEvent(new MessagePicked({ side: this.side, producer, sequence }));
    }
    this.requestUpdate();
  }

  private spot(spot: Spot) {
    return svg`<g class="spot" @click=${() => this.pick(spot)} @pointerenter=${() => {
      this.pointed = spot;
      this.requestUpdate();
    }}><title>${timeWords(spot.at)}: ${spot.says}</title><path class="hit" d=${spot.d}></path><path class=${spot.class} d=${spot.d}></path></g>`;
  }

  private picture(diagram: SpaceTime) {
    const at = this.session?.transport.at ?? 0;
    const part = (at - diagram.from) / Math.max(1, diagram.to - diagram.from);
    const x = diagram.left + part * (diagram.width - diagram.left - 16);
    const inside = part >= 0 && part <= 1;
    return html`<svg class="space-time ${this.side === 0 ? 'log' : 'queue'}" width=${diagram.width} height=${diagram.height} role="group" aria-label=${words.spaceTime.title}
      @dblclick=${(event: MouseEvent) => {
        const place = event.clientX - (event.currentTarget as Element).getBoundingClientRect().x - diagram.left;
        const to = diagram.from + (place / (diagram.width - diagram.left - 16)) * (diagram.to - diagram.from);
        this.session?.act({ do: 'seek', to });
      }}>
      ${diagram.shapes.map((shape: Shape) => {
        if (shape.shape === 'text')
          return svg`<text class=${shape.class} x=${shape.x} y=${shape.y} text-anchor=${shape.anchor}>${shape.text}</text>`;
        return shape.shape === 'path' ? svg`<path class=${shape.class} d=${shape.d}></path>` : '';
      })}
      <svg class="inside" x=${diagram.left} y="0" width=${Math.max(1, diagram.width - diagram.left - 14)} height=${diagram.height}
        viewBox=${`${diagram.left} 0 ${Math.max(1, diagram.width - diagram.left - 14)} ${diagram.height}`}>${diagram.spots.map((spot) => this.spot(spot))}</svg>
      ${inside ? svg`<line class="playhead" x1=${x} x2=${x} y1="20" y2=${diagram.height - 6}></line>` : ''}
    </svg>`;
  }

  /** What the pointed at spot is; the list of the window for those who cannot see it. */
  private told(diagram: SpaceTime) {
    const most = 200;
    return html`<p class="told" aria-live="off">${this.pointed ? `${timeWords(this.pointed.at)}: ${this.pointed.says}` : words.spaceTime.hint}
      ${diagram.left_out ? html`<span class="quiet">${words.spaceTime.leftOut} ${diagram.left_out}.</span>` : ''}</p>
      <details><summary>${words.spaceTime.asList} (${diagram.spots.length})</summary><ol class="list">${[
        ...diagram.spots,
      ]
        .sort((a, b) => a.at - b.at)
        .slice(0, most)
        .map(
          (spot) => html`<li><button @click=${() => this.pick(spot)}>${timeWords(spot.at)}: ${spot.says}</button></li>`,
        )}</ol></details>`;
  }

  override render() {
    const { session } = this;
    if (!session) return html``;
    this.redraw();
    const { diagram } = this;
    const sides = JSON.parse(session.run.document()) as { log?: object; queue?: object };
    return html`<div class="bar">
        ${
          sides.log && sides.queue
            ? html`<label>${words.sideOf} <select @change=${(event: Event) => {
                if (event.target instanceof HTMLSelectElement) this.side = event.target.value === '0' ? 0 : 1;
              }}><option value="0" ?selected=${this.side === 0}>${words.log}</option><option value="1" ?selected=${this.side === 1}>${words.queue}</option></select></label>`
            : ''
        }
        <button aria-label=${words.spaceTime.earlier} title=${words.spaceTime.earlier} @click=${() => this.pan(-0.5)}>‹</button>
        <span class="window">${timeWords(this.from)} – ${timeWords(this.from + this.span)}</span>
        <button aria-label=${words.spaceTime.later} title=${words.spaceTime.later} @click=${() => this.pan(0.5)}>›</button>
        <button aria-label=${words.spaceTime.closer} title=${words.spaceTime.closer} @click=${() => this.zoom(-1)}>+</button>
        <button aria-label=${words.spaceTime.wider} title=${words.spaceTime.wider} @click=${() => this.zoom(1)}>−</button>
        <button @click=${() => this.center(session.transport.at)}>${words.spaceTime.toPlayhead}</button>
      </div>
      ${diagram ? [this.picture(diagram), this.told(diagram)] : html`<p class="quiet">${words.spaceTime.nothing}</p>`}`;
  }
}

customElements.define('bl-space-time', BlSpaceTime);
