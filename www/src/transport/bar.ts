// The transport: play, step, speed, and the time line with its marks.
import { html, LitElement, svg } from 'lit';
import type { MarkOut } from '../engine/engine';
import { calm, SPEED } from '../opening';
import type { Session } from '../session';
import { words } from '../words';
import type { Preview } from './preview';
import { type Action, placeOf, speedAt, speedWords, start, timeWords } from './transport';

const ICONS = {
  play: 'M5 3.5v11l9-5.5z',
  pause: 'M4.5 3.5h3v11h-3zM10.5 3.5h3v11h-3z',
  step: 'M4 3.5v11l7-5.5zM12 3.5h2.4v11H12z',
  back: 'M14 3.5v11L7 9zM3.6 3.5H6v11H3.6z',
};

function icon(name: keyof typeof ICONS) {
  return html`<svg class="icon" viewBox="0 0 18 18" width="18" height="18" aria-hidden="true"><path d=${ICONS[name]}></path></svg>`;
}

/** So many letters of a mark are written on the line. */
const LABEL = 36;

const brief = (text: string) => (text.length > LABEL ? `${text.slice(0, LABEL - 1)}…` : text);

/** Something is to be done with the run, which may still be loading. */
export class SessionWanted extends CustomEvent<(session: Session) => void> {
  constructor(act: (session: Session) => void) {
    super('session-wanted', { bubbles: true, detail: act });
  }
}

let preview: Promise<Preview> | undefined;

export class BlTransport extends LitElement {
  static override properties = { session: { attribute: false }, minimal: { type: Boolean } };
  declare session: Session | undefined;
  declare minimal: boolean;
  private kind = 'all';
  private heard: Session | undefined;
  private stop: (() => void) | undefined;
  private width = 600;
  private observer: ResizeObserver | undefined;

  constructor() {
    super();
    this.minimal = false;
  }

  protected override createRenderRoot() {
    return this;
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.stop?.();
    this.observer?.disconnect();
  }

  protected override updated() {
    const line = this.querySelector('.line');
    if (line && !this.observer) {
      this.observer = new ResizeObserver(([entry]) => {
        if (!entry) return;
        this.width = entry.contentRect.width;
        this.requestUpdate();
      });
      this.observer.observe(line);
    }
    if (this.session === this.heard) return;
    this.stop?.();
    this.heard = this.session;
    this.stop = this.session?.listen(() => this.requestUpdate());
  }

  private act(act: (session: Session) => void) {
    if (this.session) act(this.session);
    else this.dispatchEvent(new SessionWanted(act));
  }

  private readonly seek = (event: Event) => {
    if (event.target instanceof HTMLInputElement)
      this.session?.act({ do: 'seek', to: Number(event.target.value) * 1e6 });
  };

  /** What is at the time under the pointer; a finger sees the stages themselves. */
  private readonly hover = (event: PointerEvent) => {
    const { session } = this;
    const line = event.currentTarget;
    if (!session || this.minimal || event.pointerType !== 'mouse' || !(line instanceof HTMLElement)) return;
    const box = line.getBoundingClientRect();
    const at = Math.min(1, Math.max(0, (event.clientX - box.x) / box.width)) * session.transport.end;
    const isOver = event.type === 'pointermove' && event.buttons === 0;
    preview ??= import('./preview').then(({ Preview }) => new Preview());
    void preview.then((shown) => (isOver ? shown.show(session, at, event.clientX, box.y) : shown.hide()));
  };

  private readonly setSpeed = (event: Event) => {
    if (event.target instanceof HTMLInputElement) {
      const speed = speedAt(Number(event.target.value) / 1000);
      this.act((run) => run.act({ do: 'speed', speed }));
    }
  };

  /** Marks that are shown: faults and elections. Of labels that would touch, a fault's stays, then the earlier one. */
  private marks(session: Session): { x: number; mark: MarkOut; label: boolean }[] {
    const shown = session.marks.filter((mark) => mark.kind === 'fault' || mark.kind === 'election');
    const places = shown.map((mark) => ({ x: (mark.at / session.transport.end) * this.width, mark, label: false }));
    const taken: { cluster: string; from: number; to: number }[] = [];
    for (const kind of ['fault', 'election']) {
      for (const place of places.filter(({ mark }) => mark.kind === kind)) {
        const half = Math.min(place.mark.what.length, LABEL) * 3.1;
        const [from, to] = [place.x - half, place.x + half];
        const touches = taken.some(
          (other) => other.cluster === place.mark.cluster && from < other.to && other.from < to,
        );
        if (touches || from < 0 || to > this.width) continue;
        taken.push({ cluster: place.mark.cluster, from: from - 10, to: to + 10 });
        place.label = true;
      }
    }
    return places;
  }

  private line(session: Session) {
    const { at, end } = session.transport;
    const known = (session.run.known / end) * this.width;
    const played = (at / end) * this.width;
    const middle = this.minimal ? 12 : 26;
    return html`<svg class="time" width=${this.width} height=${middle * 2} aria-hidden="true">
        <line class="track" x1="0" x2=${this.width} y1=${middle} y2=${middle}></line>
        <line class="track known" x1="0" x2=${known} y1=${middle} y2=${middle}></line>
        <line class="track played" x1="0" x2=${played} y1=${middle} y2=${middle}></line>
        ${this.marks(session).map(({ x, mark, label }) => {
          const log = mark.cluster === 'log';
          const y = log ? middle - 10 : middle + 2;
          return svg`<g class="mark ${mark.kind} ${mark.cluster}"><title>${timeWords(mark.at)}: ${mark.what} (${mark.rule})</title>
            <line x1=${x} x2=${x} y1=${y} y2=${y + 8}></line>
            ${label && !this.minimal ? svg`<text x=${x} y=${log ? 11 : middle * 2 - 3} text-anchor="middle">${brief(mark.what)}</text>` : ''}</g>`;
        })}
        ${session.loop ? svg`<rect class="loop" x=${(session.loop.from / end) * this.width} width=${((session.loop.to - session.loop.from) / end) * this.width} y=${middle - 5} height="10"></rect>` : ''}
        ${session.branches.map((branch, place) => {
          const x = (branch.at / end) * this.width;
          const y = middle + 8 + Math.min(place, 3) * 4;
          return svg`<path class="branch" d=${`M${x} ${middle}q4 0 8 ${y - middle}H${this.width}`}><title>${branch.name}: ${timeWords(branch.at)}</title></path>`;
        })}
        <circle class="head" cx=${played} cy=${middle} r="7"></circle>
      </svg>
      <input class="scrub" type="range" min="0" max=${Math.round(end / 1e6)} step="1" .value=${String(Math.round(at / 1e6))}
        aria-label=${words.time} aria-valuetext=${timeWords(at)} @input=${this.seek} />`;
  }

  override render() {
    const { session } = this;
    const { playing, at, speed, follow } = session?.transport ?? start(1, SPEED, !calm());
    const act = (what: Action) => this.act((run) => run.act(what));
    return html`<div class="controls">
        <button class="round" title=${playing ? words.pause : words.play} aria-label=${playing ? words.pause : words.play}
          @click=${() => act({ do: 'toggle' })}>${icon(playing ? 'pause' : 'play')}</button>
        ${
          this.minimal
            ? ''
            : html`<button title=${words.stepBack} aria-label=${words.stepBack}
                @click=${() => this.act((run) => run.act({ do: 'seek', to: run.transport.at - 0.25e9 }))}>${icon('back')}</button>
              <button title=${words.step} aria-label=${words.step} @click=${() => this.act((run) => run.step())}>${icon('step')}</button>
              <span class="jump"><button title=${`${words.previous} (P)`} aria-label=${words.previous} @click=${() => this.act((run) => run.jump(-1, this.kind))}>⇤</button>
              <select aria-label=${words.kindOfNext} title=${words.kindOfNext} @change=${(event: Event) => {
                if (event.target instanceof HTMLSelectElement) this.kind = event.target.value;
              }}>${Object.entries(words.kinds).map(([kind, name]) => html`<option value=${kind}>${name}</option>`)}</select>
              <button title=${`${words.next} (N)`} aria-label=${words.next} @click=${() => this.act((run) => run.jump(1, this.kind))}>⇥</button>
              <button title=${`${words.loopWhy} (L)`} aria-pressed=${session?.loop !== undefined} @click=${() => this.act((run) => run.toggleLoop())}>${words.loop}</button></span>`
        }
        <output class="clock">${timeWords(at)}</output>
        ${
          this.minimal
            ? ''
            : html`<label class="speed"><span class="shown">${speedWords(speed)}</span>
                <input type="range" min="0" max="1000" .value=${String(Math.round(placeOf(speed) * 1000))}
                  aria-label=${words.speed} aria-valuetext=${speedWords(speed)} @input=${this.setSpeed} /></label>
              <label class="follow" title=${words.followWhy}><input type="checkbox" .checked=${follow}
                @change=${() => act({ do: 'follow', follow: !follow })} />${words.follow}</label>`
        }
      </div><div class="line" @pointermove=${this.hover} @pointerleave=${this.hover}>${session ? this.line(session) : ''}</div>`;
  }
}

customElements.define('bl-transport', BlTransport);
