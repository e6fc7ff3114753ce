// A cluster's stage: nodes and links as SVG, what flies on a canvas over it. It shows; the scene decides what.
import { html, LitElement, nothing, svg, type TemplateResult } from 'lit';
import type { Side } from '../engine/engine';
import type { Card } from '../gen/Card';
import type { Focus } from '../gen/Focus';
import type { Link } from '../gen/Link';
import type { Picture } from '../gen/Picture';
import type { Shape } from '../gen/Shape';
import type { Stream } from '../gen/Stream';
import type { Tip } from '../gen/Tip';
import type { Session } from '../session';
import { words } from '../words';
import { gestures } from './gestures';
import { type Point, panned, showing, type View, whole, zoomed } from './view';
import './zoom.css';

/** How long what was lost stays, at the wall, in milliseconds. */
const WRECK = 900;

function shape(it: Shape): TemplateResult {
  switch (it.shape) {
    case 'rect':
      return svg`<rect class=${it.class} x=${it.x} y=${it.y} width=${it.w} height=${it.h} rx=${it.r}></rect>`;
    case 'text':
      return svg`<text class=${it.class} x=${it.x} y=${it.y} text-anchor=${it.anchor}>${it.text}</text>`;
    case 'path':
      return svg`<path class=${it.class} d=${it.d}></path>`;
  }
}

/** The device's pixels a CSS pixel, as far as they are painted. */
const pixels = () => Math.min(window.devicePixelRatio || 1, 3);

/** What is out of sight (on a phone, a swipe away) is kept up for readers' ears, at this pace, in milliseconds. */
const UNSEEN = 500;

/** A node was chosen: by click or by key; and the partition or queue on its face that was clicked, if it was one. */
export class NodeChosen extends CustomEvent<{ side: Side; card: Card; part: string }> {}

/** A link was chosen, at a place of the stage. */
export class LinkChosen extends CustomEvent<{ side: Side; link: Link } & Point> {}

export class BlStage extends LitElement {
  static override properties = { side: { type: Number }, session: { attribute: false }, chosen: { attribute: false } };
  declare side: Side;
  declare session: Session | undefined;
  declare chosen: string | undefined;
  private picture: Picture | null = null;
  private size = { width: 0, height: 0 };
  private observer: ResizeObserver | undefined;
  private sight: IntersectionObserver | undefined;
  private inSight = true;
  private looked = 0;
  private attached: Session | undefined;
  private stops: (() => void)[] = [];
  /** What was painted last: while nothing of it changes, nothing is painted. */
  private painted = '';

  private view: View = whole;
  private focusOn: Focus | undefined;

  constructor() {
    super();
    this.side = 0;
    gestures(this);
    // What has the focus is in sight.
    this.addEventListener('focusin', (event) => {
      const name = event.target instanceof Element ? event.target.getAttribute('data-node') : null;
      const card = this.picture?.cards.find((one) => one.name === name);
      if (card && this.isZoomed) this.see(showing(this.view, this.size, card.place));
    });
  }

  get zoom(): number {
    return this.view.zoom;
  }

  get isZoomed(): boolean {
    return this.view.zoom > 1;
  }

  /** Zooms by a factor around a point of the stage, or its middle. */
  zoomBy(factor: number, at: Point = { x: this.size.width / 2, y: this.size.height / 2 }): void {
    this.see(zoomed(this.view, this.size, factor, at));
  }

  panBy(by: Point): void {
    this.see(panned(this.view, this.size, by));
  }

  fit(): void {
    this.see(whole);
  }

  /** What is in focus. */
  get inFocus(): Focus | undefined {
    return this.focusOn;
  }

  /** What may be in focus. */
  focuses(): Focus[] {
    return this.attached?.closed === false ? this.attached.run.focuses(this.side) : [];
  }

  /** Takes a topic, queue or group into focus: what does not belong to it fades or makes room. */
  bring(focus: Focus | undefined): void {
    this.focusOn = focus;
    this.relayout();
    this.dispatchEvent(new Event('view-changed'));
  }

  private see(view: View): void {
    const before = this.view;
    if (view.zoom === before.zoom && view.x === before.x && view.y === before.y) return;
    this.view = view;
    this.classList.toggle('zoomed', this.isZoomed);
    if (view.zoom === before.zoom) {
      this.attached?.run.lookAt(this.side, view.x, view.y);
      this.painted = '';
      this.requestUpdate();
    } else this.relayout();
    this.dispatchEvent(new Event('view-changed'));
  }

  protected override createRenderRoot() {
    return this;
  }

  override connectedCallback() {
    super.connectedCallback();
    this.observer = new ResizeObserver(([entry]) => {
      if (!entry) return;
      this.size = { width: Math.round(entry.contentRect.width), height: Math.round(entry.contentRect.height) };
      this.relayout();
    });
    this.observer.observe(this);
    this.sight = new IntersectionObserver((entries) => {
      const before = this.inSight;
      this.inSight = entries.at(-1)?.isIntersecting ?? true;
      if (this.inSight && !before) this.look();
    });
    this.sight.observe(this);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.observer?.disconnect();
    this.sight?.disconnect();
    this.leave();
  }

  private leave() {
    for (const stop of this.stops) stop();
    this.stops = [];
    if (this.attached?.closed === false) this.attached.run.detach(this.side);
    this.attached = undefined;
  }

  protected override updated() {
    if (this.session === this.attached || !this.session) return;
    // A canvas keeps the kind of context it once had; a new session gets a new canvas.
    for (const stop of this.stops) stop();
    const session = this.session;
    this.attached = session;
    this.view = whole;
    this.focusOn = undefined;
    this.classList.remove('zoomed');
    const old = this.querySelector('canvas');
    const canvas = document.createElement('canvas');
    canvas.setAttribute('aria-hidden', 'true');
    // Another size later would have the canvas made twice.
    const scale = pixels();
    if (this.size.width > 0) {
      [canvas.width, canvas.height] = [this.size.width * scale, this.size.height * scale];
    }
    old?.replaceWith(canvas);
    session.run.attach(this.side, canvas);
    this.stops = [session.listen(({ moved }) => moved && this.follow()), session.onFrame(() => this.paint())];
    this.relayout();
    this.dispatchEvent(new Event('view-changed'));
  }

  private relayout() {
    if (!this.attached || this.attached.closed || this.size.width < 40 || this.size.height < 40) return;
    this.view = panned(this.view, this.size, { x: 0, y: 0 });
    const { zoom, x, y } = this.view;
    const { kind, name } = this.focusOn ?? { kind: '', name: '' };
    this.attached.run.layoutOf(this.side, this.size.width, this.size.height, zoom, kind, name);
    this.attached.run.lookAt(this.side, x, y);
    this.look();
  }

  private follow() {
    if (this.inSight || performance.now() - this.looked > UNSEEN) this.look();
  }

  private look() {
    this.looked = performance.now();
    if (this.attached?.closed !== false || this.attached.isOnTheWay) return;
    this.picture = this.attached.run.picture(this.side);
    this.painted = '';
    this.requestUpdate();
  }

  private paint() {
    if (!this.attached || this.size.width < 40 || !this.inSight) return;
    const dark = document.documentElement.classList.contains('dark');
    const wrecks = WRECK * 1e6 * Math.max(this.attached.transport.speed, 1e-4);
    const scale = pixels();
    const painted = `${this.attached.run.at} ${scale} ${dark} ${wrecks}`;
    if (painted === this.painted) return;
    if (this.attached.run.paint(this.side, scale, dark, wrecks) !== undefined) this.painted = painted;
  }

  private choose(card: Card, part: string) {
    // Where it is seen, which is not where it lies when the stage is zoomed.
    const place = { ...card.place, x: card.place.x - this.view.x, y: card.place.y - this.view.y };
    const detail = { side: this.side, card: { ...card, place }, part };
    this.dispatchEvent(new NodeChosen('node-chosen', { bubbles: true, detail }));
  }

  private onKey(event: KeyboardEvent, act: () => void) {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  private chooseLink(link: Link, event: MouseEvent | KeyboardEvent) {
    const box = this.getBoundingClientRect();
    const at = event instanceof MouseEvent ? { x: event.clientX - box.x, y: event.clientY - box.y } : { x: 0, y: 0 };
    this.dispatchEvent(new LinkChosen('link-chosen', { bubbles: true, detail: { side: this.side, link, ...at } }));
  }

  private link(link: Link) {
    const both = (stream: Stream) =>
      (stream.from === link.from && stream.to === link.to) || (stream.from === link.to && stream.to === link.from);
    const streams = this.picture?.streams.filter(both).map((stream) => stream.says) ?? [];
    const label = [`${words.link} ${link.from} – ${link.to}`, ...streams].join('. ');
    return svg`<g class="link-hit" role="button" tabindex="-1" aria-label=${label}
      @click=${(event: MouseEvent) => this.chooseLink(link, event)} @keydown=${(event: KeyboardEvent) => this.onKey(event, () => this.chooseLink(link, event))}>
      <title>${label}</title><path class="hit" d=${link.d}></path>
      <path class=${`link${link.state === 'open' ? '' : ` ${link.state}`}${link.faded ? ' faded' : ''}`} d=${link.d}></path></g>`;
  }

  /** A stream's rate by its link. */
  private rate({ label, says, x, y }: Stream) {
    return label === ''
      ? nothing
      : svg`<text class="rate" aria-label=${says} x=${x} y=${y} text-anchor="middle">${label}</text>`;
  }

  /** What is under the pointer; the narrowest part comes last. */
  private under(event: MouseEvent, card: Card): Tip[] {
    const box = this.getBoundingClientRect();
    const [x, y] = [event.clientX - box.x + this.view.x, event.clientY - box.y + this.view.y];
    return card.tips.filter(({ place: p }) => x >= p.x && x <= p.x + p.w && y >= p.y && y <= p.y + p.h);
  }

  private point(event: MouseEvent, card: Card) {
    const title = event.target instanceof Element ? event.target.querySelector('title') : null;
    if (title) title.textContent = this.under(event, card).at(-1)?.text ?? card.name;
  }

  private card(card: Card) {
    // The face is drawn; what it says is the name of the one thing over it that is focused and clicked.
    const { x, y, w, h } = card.place;
    return svg`<g class=${`node${this.chosen === card.name ? ' chosen' : ''}${card.faded ? ' faded' : ''}`}><g aria-hidden="true">${card.shapes.map(shape)}</g>
      <rect class="hit" role="button" tabindex="0" aria-label=${card.says} data-node=${card.name} x=${x} y=${y} width=${w} height=${h} rx="6"
        @click=${(event: MouseEvent) => this.choose(card, this.under(event, card).findLast((tip) => tip.of)?.of ?? '')} @pointermove=${(event: PointerEvent) => this.point(event, card)}
        @keydown=${(event: KeyboardEvent) => this.onKey(event, () => this.choose(card, ''))}><title></title></rect></g>`;
  }

  override render() {
    const { picture } = this;
    const side = this.side === 0 ? 'log' : 'queue';
    return html`<svg class="stage ${side}" width=${this.size.width} height=${this.size.height} viewBox=${`${this.view.x} ${this.view.y} ${this.size.width} ${this.size.height}`} role="group"
        aria-label=${this.side === 0 ? words.log : words.queue}>
        <defs><pattern id="hatch-queue" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <path class="hatch" d="M0 0v4"></path></pattern>
          <pattern id="hatch-quiet" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <path class="hatch quiet" d="M0 0v4"></path></pattern></defs>
        ${picture === null ? nothing : [picture.links.map((link) => this.link(link)), picture.streams.map((stream) => this.rate(stream)), picture.cards.map((card) => this.card(card))]}
      </svg><canvas aria-hidden="true"></canvas>`;
  }
}

customElements.define('bl-stage', BlStage);
