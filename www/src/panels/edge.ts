// The edge between the stages and the panel: dragged, or moved by keys.
import { words } from '../words';
import './edge.css';

const KEPT = 'panel-height';
const LEAST = 120;
const STEP = 32;
/** What the stages keep at least, with the bars around them, in pixels. */
const STAGES = 480;

export class BlEdge extends HTMLElement {
  private from: { y: number; height: number } | undefined;

  connectedCallback(): void {
    this.setAttribute('role', 'separator');
    this.setAttribute('aria-orientation', 'horizontal');
    this.setAttribute('aria-label', words.edge);
    this.title = words.edge;
    this.tabIndex = 0;
    let kept = 0;
    try {
      kept = Number(localStorage.getItem(KEPT));
    } catch {
      // Where nothing is kept it starts as ever.
    }
    if (kept > 0) this.set(kept);
    else this.tell(this.height);
    this.addEventListener('pointerdown', (event) => {
      this.setPointerCapture(event.pointerId);
      this.from = { y: event.clientY, height: this.height };
      event.preventDefault();
    });
    this.addEventListener('pointermove', (event) => {
      if (this.from) this.set(this.from.height + this.from.y - event.clientY);
    });
    for (const end of ['pointerup', 'pointercancel']) this.addEventListener(end, () => this.keep());
    this.addEventListener('dblclick', () => this.reset());
    this.addEventListener('keydown', (event) => this.onKey(event));
  }

  private get height(): number {
    return Math.round(this.nextElementSibling?.getBoundingClientRect().height ?? LEAST);
  }

  private onKey(event: KeyboardEvent): void {
    const by = { ArrowUp: STEP, ArrowDown: -STEP, Home: -1e4, End: 1e4 }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.set(this.height + by);
    this.keep();
  }

  private set(wanted: number): void {
    const height = Math.round(Math.max(LEAST, Math.min(wanted, Math.max(LEAST, innerHeight - STAGES))));
    document.documentElement.style.setProperty('--panel', `${height}px`);
    this.tell(height);
  }

  private tell(height: number): void {
    this.setAttribute('aria-valuemin', String(LEAST));
    this.setAttribute('aria-valuemax', String(Math.max(LEAST, innerHeight - STAGES)));
    this.setAttribute('aria-valuenow', String(height));
  }

  private keep(): void {
    this.from = undefined;
    try {
      localStorage.setItem(KEPT, String(this.height));
    } catch {
      // Then it holds for this visit.
    }
  }

  private reset(): void {
    document.documentElement.style.removeProperty('--panel');
    this.tell(this.height);
    try {
      localStorage.removeItem(KEPT);
    } catch {
      // Nothing was kept.
    }
  }
}

customElements.define('bl-edge', BlEdge);
