// The verdict: for each cluster a sentence, its figures, and the time to process over the run.
import { html, LitElement, svg } from 'lit';
import { isWhole, type Report, type Side } from '../engine/engine';
import { count, millis } from '../format';
import type { Session } from '../session';
import { words } from '../words';
import { FateAsked } from './listening';

const SIDES = [
  { side: 0, key: 'log', promise: 'acknowledged' },
  { side: 1, key: 'queue', promise: 'confirmed' },
] as const;

/** The figures change at most this often, in milliseconds: they are read, not watched. */
const CALM = 120;

export class BlVerdict extends LitElement {
  static override properties = { session: { attribute: false }, minimal: { type: Boolean } };
  declare session: Session | undefined;
  declare minimal: boolean;
  private heard: Session | undefined;
  private stop: (() => void) | undefined;
  private report: Report | undefined;
  private due = 0;

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
  }

  protected override updated() {
    if (this.session === this.heard) return;
    this.stop?.();
    this.heard = this.session;
    this.stop = this.session?.listen(() => this.look());
    this.look();
  }

  private look() {
    const now = performance.now();
    if (now < this.due && this.session?.transport.playing) return;
    this.due = now + CALM;
    // The first second of a first visit can do without: what judges comes with the rest of the engines.
    this.report = isWhole() ? this.session?.report() : undefined;
    this.requestUpdate();
  }

  private spark(side: Side) {
    const session = this.session;
    if (!session) return html``;
    const series = session.run.series(side);
    const buckets = series.length / 5;
    const all = Math.max(1, session.transport.end / 0.25e9);
    const means = Array.from({ length: buckets }, (_, place) =>
      (series[place * 5 + 2] ?? 0) > 0 ? (series[place * 5 + 3] ?? 0) : null,
    );
    if (means.every((mean) => mean === null)) return '';
    const top = Math.max(1, ...means.map((mean) => mean ?? 0));
    let path = '';
    let pen = 'M';
    means.forEach((mean, place) => {
      if (mean === null) {
        pen = 'M';
        return;
      }
      path += `${pen}${((place / all) * 600).toFixed(1)} ${(42 - (mean / top) * 38).toFixed(1)}`;
      pen = 'L';
    });
    const faults = session.marks.filter(
      (mark) => mark.kind === 'fault' && mark.cluster === (side === 0 ? 'log' : 'queue'),
    );
    return html`<figure class="spark"><figcaption>${words.perProcess}, ${millis(top)} ${words.atTop}</figcaption>
      <svg viewBox="0 0 600 44" preserveAspectRatio="none" aria-hidden="true">
        ${faults.map((mark) => {
          const x = (mark.at / session.transport.end) * 600;
          return svg`<line class="fault" x1=${x} x2=${x} y1="0" y2="44"></line>`;
        })}
        <line class="floor" x1="0" x2="600" y1="43" y2="43"></line><path d=${path}></path></svg></figure>`;
  }

  override render() {
    const { report } = this;
    if (!report) return this.minimal ? html`` : html`<p class="quiet">${words.loading}</p>`;
    return SIDES.map(({ side, key, promise }) => {
      const cluster = report.clusters[key];
      if (!cluster) return html``;
      const figures: [number, string, string, string?][] = [
        [cluster.acknowledged, words[promise], ''],
        [cluster.processed, words.processed, '', 'processed'],
        [cluster.duplicated, words.twice, 'warn', 'duplicated'],
        [cluster.reordered, words.reordered, 'warn', 'reordered'],
        [cluster.lost, words.lost, 'bad', 'lost'],
        [cluster.outstanding, words.waiting, '', 'outstanding'],
      ];
      return html`<section class="verdict ${key}-side" aria-label=${key === 'log' ? words.log : words.queue}>
        <h2 class=${cluster.lost > 0 ? 'bad' : ''}>${cluster.verdict}</h2>
        ${
          this.minimal
            ? ''
            : html`<p class="more">${cluster.notes.slice(0, 3).join('. ')}${cluster.notes.length > 0 ? '.' : ''}</p>
              <dl>${figures.map(
                ([value, name, class_, fate]) =>
                  html`<div><dd class=${value > 0 ? class_ : ''}>${
                    fate && value > 0
                      ? html`<button class="opens" title=${words.life.which} aria-label=${`${count(value)} ${name}`}
                        @click=${() => this.dispatchEvent(new FateAsked({ side, fate, name }))}>${count(value)}</button>`
                      : count(value)
                  }</dd><dt>${name}</dt></div>`,
              )}<div><dd>${millis(cluster.latency_ms.p99)}</dd><dt>${words.p99}</dt></div></dl>
              ${this.spark(side)}`
        }
      </section>`;
    });
  }
}

customElements.define('bl-verdict', BlVerdict);
