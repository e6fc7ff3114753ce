// Charts over simulated time, both clusters on one axis, faults as marks, the cursor tied to the time line.
import { html } from 'lit';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { count, millis } from '../format';
import { timeWords } from '../transport/transport';
import { words } from '../words';
import './charts.css';
import { Panel } from './listening';

/** Numbers that each bucket of {@link Run.chart} has, and how long a bucket is, in seconds. */
const FIELDS = 13;
const BUCKET = 0.25;

/** While a run is still being found out the charts change at most this often, in milliseconds. */
const CALM = 300;

interface Line {
  side: 0 | 1;
  /** Which of a bucket's numbers. */
  field: number;
  name: string;
  dash?: number[];
}

interface Chart {
  title: string;
  unit: string;
  lines: Line[];
}

const both = (field: number, name: string, dash?: number[]): Line[] =>
  ([0, 1] as const).map((side) => ({
    side,
    field,
    name: `${side === 0 ? words.log : words.queue}: ${name}`,
    ...(dash ? { dash } : {}),
  }));

const charts: readonly Chart[] = [
  {
    title: words.charts.throughput,
    unit: 'msg/s',
    lines: [...both(0, words.produced, [4, 4]), ...both(2, words.processed)],
  },
  {
    title: words.charts.latency,
    unit: 'ms',
    lines: [...both(3, 'p50'), ...both(4, 'p99', [6, 3]), ...both(5, 'p99.9', [2, 3])],
  },
  {
    title: words.charts.backlog,
    unit: 'msg',
    lines: [...both(6, words.charts.onTheirWay), ...both(9, words.charts.lag, [4, 4])],
  },
  {
    title: words.charts.held,
    unit: 'msg',
    lines: [...both(7, words.charts.inHands), { side: 1, field: 8, name: words.charts.prefetch, dash: [2, 3] }],
  },
  { title: words.charts.work, unit: '%', lines: [...both(10, 'CPU'), ...both(11, words.charts.disk, [4, 4])] },
];

type Column = (number | null)[];

export class BlCharts extends Panel {
  private plots: uPlot[] = [];
  private data: Float64Array[] = [];
  private known = -1;
  private drawn = 0;
  private observer: ResizeObserver | undefined;
  private asTable = false;

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.observer?.disconnect();
    this.drop();
  }

  private drop() {
    for (const plot of this.plots) plot.destroy();
    this.plots = [];
  }

  protected override opened() {
    this.drop();
    this.known = -1;
    this.observer?.disconnect();
    this.observer = new ResizeObserver(() => {
      this.drop();
      this.draw();
    });
    this.observer.observe(this);
    this.hear({ moved: true, tape: true });
  }

  protected override hear({ tape }: { moved: boolean; tape: boolean }) {
    const { session } = this;
    if (!session) return;
    const { known, end } = session.run;
    const due = performance.now() - this.drawn > CALM || known >= end;
    if (due && (tape || known !== this.known)) {
      this.drawn = performance.now();
      this.known = known;
      this.data = [session.run.chart(0), session.run.chart(1)];
      this.draw();
      if (this.asTable) this.requestUpdate();
    }
    this.point();
  }

  /** The playhead, on every chart. */
  private point() {
    const at = (this.session?.transport.at ?? 0) / 1e9;
    for (const plot of this.plots) plot.setCursor({ left: plot.valToPos(at, 'x'), top: -10 }, false);
  }

  private lines(chart: Chart): Line[] {
    return chart.lines.filter(({ side }) => (this.data[side]?.length ?? 0) > 0);
  }

  private column(line: Line, times: number): Column {
    const data = this.data[line.side];
    const each = line.field < 3 ? 1 / BUCKET : 1;
    return Array.from({ length: times }, (_, place) => {
      const value = data?.[place * FIELDS + line.field];
      return value === undefined || Number.isNaN(value) ? null : value * each;
    });
  }

  private draw() {
    const { session } = this;
    const holders = [...this.querySelectorAll<HTMLElement>('.plot')];
    if (!session || holders.length === 0 || this.asTable) return;
    const times = Math.max(this.data[0]?.length ?? 0, this.data[1]?.length ?? 0) / FIELDS;
    const xs = Array.from({ length: times }, (_, place) => (place + 1) * BUCKET);
    charts.forEach((chart, place) => {
      const data: uPlot.AlignedData = [xs, ...this.lines(chart).map((line) => this.column(line, times))];
      const plot = this.plots[place];
      if (plot) plot.setData(data);
      else if (holders[place]) this.plots[place] = this.plot(chart, data, holders[place]);
    });
  }

  private plot(chart: Chart, data: uPlot.AlignedData, holder: HTMLElement): uPlot {
    const style = getComputedStyle(this);
    const color = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: color('--quiet'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false } };
    return new uPlot(
      {
        width: Math.max(200, holder.clientWidth),
        height: 132,
        scales: {
          x: { time: false, range: [0, (this.session?.transport.end ?? 1e9) / 1e9] },
          y: { range: { min: { pad: 0, soft: 0, mode: 1 }, max: { pad: 0.1, soft: 1, mode: 1 } } },
        },
        axes: [
          { ...axis, size: 24, values: (_, all) => all.map((value) => `${value} s`) },
          { ...axis, size: 52, values: (_, all) => all.map((value) => count(value)) },
        ],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 }, sync: { key: 'brokerlab' } },
        series: [
          {},
          ...this.lines(chart).map(({ side, name, dash }) => ({
            label: name,
            stroke: color(side === 0 ? '--log' : '--queue'),
            width: 1.5,
            ...(dash ? { dash } : {}),
            points: { show: false },
          })),
        ],
        hooks: { draw: [(plot: uPlot) => this.faults(plot, color('--danger'))] },
      },
      data,
      holder,
    );
  }

  private faults(plot: uPlot, color: string) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = color;
    ctx.setLineDash([3, 3]);
    for (const mark of this.session?.marks ?? []) {
      if (mark.kind !== 'fault') continue;
      const x = Math.round(plot.valToPos(mark.at / 1e9, 'x', true)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  private seek(event: MouseEvent, place: number) {
    const plot = this.plots[place];
    if (!plot) return;
    const x = event.clientX - plot.over.getBoundingClientRect().x;
    this.session?.act({ do: 'seek', to: plot.posToVal(x, 'x') * 1e9 });
  }

  private table() {
    const times = Math.max(this.data[0]?.length ?? 0, this.data[1]?.length ?? 0) / FIELDS;
    // A row a second: every fourth bucket.
    const rows = Array.from({ length: Math.ceil(times / 4) }, (_, place) => place * 4);
    const shown = charts.flatMap((chart) => this.lines(chart).map((line) => ({ chart, line })));
    return html`<div class="table"><table><caption>${words.charts.table}</caption><thead><tr><th scope="col">${words.charts.time}</th>
      ${shown.map(({ chart, line }) => html`<th scope="col">${line.name} (${chart.title}, ${chart.unit})</th>`)}</tr></thead>
      <tbody>${rows.map(
        (row) =>
          html`<tr><th scope="row">${timeWords((row + 1) * BUCKET * 1e9)}</th>${shown.map(({ chart, line }) => {
            const value = this.column(line, row + 1)[row];
            const text =
              value === null || value === undefined
                ? '–'
                : chart.unit === 'ms'
                  ? millis(value)
                  : count(Number(value.toPrecision(3)));
            return html`<td>${text}</td>`;
          })}</tr>`,
      )}</tbody></table></div>`;
  }

  override render() {
    return html`<div class="bar"><p class="quiet">${words.charts.hint}</p><button aria-pressed=${this.asTable} @click=${() => {
      this.asTable = !this.asTable;
      this.drop();
      this.requestUpdate();
      void this.updateComplete.then(() => this.draw());
    }}>${words.charts.asTable}</button></div>
      ${
        this.asTable
          ? this.table()
          : html`<div class="grid">${charts.map(
              (chart, place) => html`<figure class="chart"><figcaption>${chart.title}, ${chart.unit}</figcaption>
              <div class="plot" role="img" aria-label=${`${chart.title}, ${chart.unit}: ${words.charts.asTableWhy}`}
                @click=${(event: MouseEvent) => this.seek(event, place)}></div>
              <ul class="legend">${this.lines(chart).map(
                ({ side, name, dash }) =>
                  html`<li class="${side === 0 ? 'log' : 'queue'}-side ${dash === undefined ? '' : (dash[0] ?? 0) > 2 ? 'dashed' : 'dotted'}">${name}</li>`,
              )}</ul></figure>`,
            )}</div>`
      }`;
  }
}

customElements.define('bl-charts', BlCharts);
