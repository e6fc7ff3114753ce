// The topology of both clusters as graphs: exchanges, bindings and queues; topics, partitions and groups. Live.
import { html, svg } from 'lit';
import type { Side } from '../engine/engine';
import { count } from '../format';
import type { Graph } from '../gen/Graph';
import type { GraphEdge } from '../gen/GraphEdge';
import type { GraphNode } from '../gen/GraphNode';
import { words } from '../words';
import { type Box, crowded, type Laid, lay, ROW, related, structureOf } from './graph-layout';
import './inspector';
import { FocusAsked, InspectAsked, Panel, type Selection } from './listening';
import './topology.css';

const SIDES: readonly Side[] = [0, 1];
const STEP = 1.25;
/** Smaller than this nothing can be read. */
const LEAST = 0.62;
/** A graph that would have to be drawn smaller than this may take another direction. */
const LEAST_READ = 0.9;
const MOST = 3;

/** Graphs are laid out for rooms of so many widths, in pixels: not anew with each pixel that a window is drawn. */
const ROOMS = 80;

interface Drawn {
  structure: string;
  laid: Laid;
  many: ReadonlySet<string>;
}

const figures = ({ figures }: GraphNode) => figures.map(({ what, value }) => `${what} ${count(value)}`).join(' · ');

/** A text that fits into so many pixels, at the width that letters have on the whole. */
function fitted(text: string, width: number, letter = 6.6): string {
  const most = Math.floor(width / letter);
  return text.length <= most ? text : `${text.slice(0, Math.max(most - 1, 1))}…`;
}

export class BlTopology extends Panel {
  static override properties = { ...Panel.properties, chosen: { state: true }, zooms: { state: true } };
  /** What was chosen last, of which cluster. */
  declare chosen: { side: Side; id: string } | undefined;
  /** How many times each is drawn; undefined fits it to its room. */
  declare zooms: [number | undefined, number | undefined];
  /** What the inspector beside shows. */
  private of: Selection | undefined;
  private drawn: [Drawn?, Drawn?] = [];
  private rooms: [number, number] = [0, 0];
  private observer: ResizeObserver | undefined;

  constructor() {
    super();
    this.zooms = [undefined, undefined];
  }

  protected override opened() {
    this.chosen = undefined;
    this.of = undefined;
    this.zooms = [undefined, undefined];
    this.requestUpdate();
  }

  protected override hear() {
    this.requestUpdate();
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.observer?.disconnect();
    this.observer = undefined;
  }

  protected override updated() {
    super.updated();
    const frames = this.querySelectorAll<HTMLElement>('.frame');
    if (this.observer || frames.length === 0) return;
    this.observer = new ResizeObserver((entries) => {
      for (const { target, contentRect } of entries) {
        this.rooms[target.classList.contains('of-log') ? 0 : 1] = Math.floor(contentRect.width);
      }
      this.requestUpdate();
    });
    for (const frame of frames) this.observer.observe(frame);
  }

  private layOut(side: Side, graph: Graph): Drawn {
    const room = Math.floor(this.rooms[side] / ROOMS) * ROOMS;
    const structure = `${room} ${structureOf(graph)}`;
    const before = this.drawn[side];
    if (before?.structure === structure) return before;
    const drawn = { structure, laid: lay(graph, room / LEAST_READ), many: crowded(graph) };
    this.drawn[side] = drawn;
    return drawn;
  }

  private zoomOf(side: Side, laid: Laid): number {
    const fits = this.rooms[side] > 0 ? this.rooms[side] / Math.max(laid.width, 1) : 1;
    return this.zooms[side] ?? Math.min(1, Math.max(LEAST, fits));
  }

  private zoomBy(side: Side, factor: number | undefined) {
    const laid = this.drawn[side]?.laid;
    if (!laid) return;
    const zooms: typeof this.zooms = [...this.zooms];
    zooms[side] = factor && Math.min(Math.max(this.zoomOf(side, laid) * factor, 0.25), MOST);
    this.zooms = zooms;
  }

  private choose(side: Side, { id, focus, kind, name }: GraphNode) {
    const again = this.chosen?.side === side && this.chosen.id === id;
    this.chosen = again ? undefined : { side, id };
    const client = kind === 'producer' || kind === 'consumer';
    if (again || focus) this.dispatchEvent(new FocusAsked(side, again ? undefined : (focus ?? undefined)));
    this.of = again ? undefined : { kind: client ? 'node' : (kind as 'queue'), side, name };
    if (this.of) this.dispatchEvent(new InspectAsked(this.of, false));
  }

  private onKey(event: KeyboardEvent, act: () => void) {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  private nameOf({ kind, name }: GraphNode): string {
    return name || (kind === 'exchange' ? words.topology.defaultExchange : words.topology.kinds[kind as 'queue']);
  }

  private says(node: GraphNode, graph: Graph): string {
    const kind = words.topology.kinds[node.kind as 'queue'];
    const ways = graph.edges.filter((edge) => edge.from === node.id).map((edge) => this.wayWords(edge, graph));
    const at = node.at === '' ? '' : `${words.topology.at} ${node.at}`;
    const up = node.up ? '' : words.topology.down;
    return [`${kind} ${this.nameOf(node)}`, node.sort, at, figures(node), up, ...ways].filter(Boolean).join(', ');
  }

  private wayWords({ kind, to, label }: GraphEdge, graph: Graph): string {
    const target = graph.nodes.find((node) => node.id === to);
    const name = target ? this.nameOf(target) : to;
    return `${words.topology.ways[kind as 'bind']} ${name}${label ? ` (${label})` : ''}`;
  }

  private node(
    side: Side,
    node: GraphNode,
    graph: Graph,
    { laid, many }: Drawn,
    near: ReadonlySet<string> | undefined,
  ) {
    const box = laid.boxes.get(node.id);
    if (!box) return '';
    const { x, y, w, h } = box;
    const isChosen = this.chosen?.side === side && this.chosen.id === node.id;
    const classes = ['element', node.kind, ...(node.up ? [] : ['down']), ...(isChosen ? ['chosen'] : [])];
    if (near && !near.has(node.id)) classes.push('far');
    const act = () => this.choose(side, node);
    const name = this.nameOf(node);
    const counted = figures(node);
    const round = node.kind === 'exchange' ? h / 2 : node.kind === 'group' ? 14 : 5;
    const text = many.has(node.kind)
      ? svg`<text class="name" x=${x + 8} y=${y + 16}>${fitted(name, w - 148, 7.4)}</text>
          <text class="number" text-anchor="end" x=${x + w - 8} y=${y + 16}>${fitted(counted, 134, 6)}</text>`
      : this.cardText(node, box, laid.tall);
    // What is drawn is for the eye; what it says is the name of the one thing over it that is focused and clicked.
    const says = this.says(node, graph);
    return svg`<g class=${classes.join(' ')}><g aria-hidden="true"><rect x=${x} y=${y} width=${w} height=${h} rx=${round}></rect>
      ${node.kind === 'queue' || node.kind === 'partition' ? svg`<path class="bar" d=${`M${x + 3} ${y + 5}V${y + h - 5}`}></path>` : ''}${text}</g>
      <rect class="hit" role="button" tabindex="0" aria-pressed=${isChosen} aria-label=${says} data-element=${node.id} x=${x} y=${y} width=${w} height=${h} rx=${round}
        @click=${act} @keydown=${(event: KeyboardEvent) => this.onKey(event, act)}><title>${says}</title></rect></g>`;
  }

  private cardText(node: GraphNode, { x, y, w }: Box, tall: boolean) {
    const left = x + (node.kind === 'exchange' ? 20 : 10);
    const room = w - (node.kind === 'exchange' ? 30 : 14);
    const kind = words.topology.kinds[node.kind as 'queue'];
    const sort = tall ? node.sort || kind : [kind, node.sort].filter(Boolean).join(' · ');
    const counts = tall ? node.figures.map(({ what, value }) => `${what} ${count(value)}`) : [figures(node)];
    const below = counts.some(Boolean) ? counts : [node.at];
    return svg`<text class="sort" x=${left} y=${y + 15}>${fitted(sort, room, 5.7)}</text>
      <text class="name" x=${left} y=${y + 31}>${fitted(this.nameOf(node), room, 7.4)}</text>
      ${below.map((line, at) => svg`<text class="number" x=${left} y=${y + 47 + at * ROW}>${fitted(line, room, 5.9)}</text>`)}`;
  }

  private edge(edge: GraphEdge, place: number, { laid }: Drawn, near: ReadonlySet<string> | undefined) {
    const way = laid.ways[place];
    if (!way) return '';
    const far = near !== undefined && !(near.has(edge.from) && near.has(edge.to));
    const kind = `way ${edge.kind}${edge.up ? '' : ' down'}${far ? ' far' : ''}`;
    return svg`<g class=${kind}><path d=${way.d} marker-end=${`url(#arrow-${edge.kind === 'dead-letter' ? 'dead' : 'end'})`}></path>${
      edge.label === ''
        ? ''
        : svg`<text text-anchor="middle" x=${way.label.x} y=${way.label.y + 4}>${fitted(edge.label, 150, 6.2)}</text>`
    }</g>`;
  }

  private list(side: Side, graph: Graph) {
    return html`<details class="as-list"><summary>${words.topology.asList}</summary><table>
      <thead><tr>${words.topology.columns.split('|').map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
      <tbody>${graph.nodes.map((node) => {
        const ways = graph.edges.filter((edge) => edge.from === node.id);
        return html`<tr><th scope="row"><button @click=${() => this.choose(side, node)}>${words.topology.kinds[node.kind as 'queue']} ${this.nameOf(node)}</button></th>
          <td>${node.sort}</td><td>${node.at}${node.up ? '' : ` ${words.topology.down}`}</td><td>${figures(node)}</td>
          <td>${ways.map((edge) => this.wayWords(edge, graph)).join('; ')}</td></tr>`;
      })}</tbody></table></details>`;
  }

  private side(side: Side) {
    const graph = this.session?.run.graph(side);
    if (!graph) return '';
    const name = side === 0 ? words.log : words.queue;
    const drawn = this.layOut(side, graph);
    const zoom = this.zoomOf(side, drawn.laid);
    const { width, height } = drawn.laid;
    const near = this.chosen?.side === side ? related(graph, this.chosen.id) : undefined;
    const lines = graph.edges.map((edge, place) => this.edge(edge, place, drawn, near));
    return html`<section class="${side === 0 ? 'log' : 'queue'}-side" aria-label=${`${words.panels.topology}: ${name}`}>
      <p class="bar"><strong>${name}</strong><span class="tools"><button aria-label=${words.zoom.out} title=${words.zoom.out} @click=${() => this.zoomBy(side, 1 / STEP)}>−</button>
        <button @click=${() => this.zoomBy(side, undefined)}>${words.zoom.fit}</button>
        <button aria-label=${words.zoom.in} title=${words.zoom.in} @click=${() => this.zoomBy(side, STEP)}>+</button></span></p>
      <div class="frame ${side === 0 ? 'of-log' : 'of-queue'}" tabindex="0" role="group" aria-label=${name}>
        <svg width=${Math.round(width * zoom)} height=${Math.round(height * zoom)} viewBox=${`0 0 ${width} ${height}`}>
          <defs>${['end', 'dead'].map((which) => svg`<marker id=${`arrow-${which}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class=${which} d="M0 0L8 4L0 8z"></path></marker>`)}</defs>
          ${lines}${graph.nodes.map((node) => this.node(side, node, graph, drawn, near))}</svg></div>
      ${this.list(side, graph)}</section>`;
  }

  override render() {
    if (!this.session || this.session.closed) return html``;
    const beside = this.of
      ? html`<bl-inspector .session=${this.session} .of=${this.of} @inspect-asked=${(event: InspectAsked) => {
          // What is asked for here is shown here.
          event.stopPropagation();
          this.of = event.detail.of;
          this.requestUpdate();
        }}></bl-inspector>`
      : '';
    return html`${SIDES.map((side) => this.side(side))}${beside}`;
  }
}

customElements.define('bl-topology', BlTopology);
