// The edge between the stages and the panel: dragged, or moved by keys. On a phone it is the handle of a sheet that
// comes up over the stage, and rests folded, half open or open.
import { words } from '../words';
import './edge.css';

/** How far the sheet is open; `edge.css` says how high that is. */
const RESTS = ['folded', 'half', 'open'] as const;
const isSheet = matchMedia('(max-width: 760px)');
/** So little is a tap, in pixels. */
const TAP = 6;

const KEPT = 'panel-height';
const LEAST = 120;
const STEP = 32;
/** What the stages keep at least, with the bars around them, in pixels. */
const STAGES = 480;

export class BlEdge extends HTMLElement {
  private from: { y: number; height: number } | undefined;
  private readonly resized = () => this.tell(this.height);
  /** A sheet stays above the transport, however many rows that has. */
  private readonly below = new ResizeObserver(([entry]) => {
    const height = entry?.target.getBoundingClientRect().height ?? 0;
    // In the next frame: within this one it would be observed again.
    if (isSheet.matches) requestAnimationFrame(() => this.put(height));
  });

  private put(height: number): void {
    document.documentElement.style.setProperty('--transport', `${Math.round(height)}px`);
  }

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
    if (kept > 0 && !isSheet.matches) this.set(kept);
    else this.tell(this.height);
    isSheet.addEventListener('change', this.resized);
    const transport = document.querySelector('bl-transport');
    if (transport) this.below.observe(transport);
    this.addEventListener('pointerdown', (event) => {
      this.setPointerCapture(event.pointerId);
      this.from = { y: event.clientY, height: this.height };
      event.preventDefault();
    });
    this.addEventListener('pointermove', (event) => {
      if (this.from) this.set(this.from.height + this.from.y - event.clientY);
    });
    this.addEventListener('pointerup', (event) => this.drop(event.clientY));
    this.addEventListener('pointercancel', (event) => this.drop(event.clientY));
    this.addEventListener('dblclick', () => !isSheet.matches && this.reset());
    this.addEventListener('keydown', (event) => this.onKey(event));
    this.parentElement?.addEventListener('focusin', this.focused);
  }

  /** What has the focus is in sight. */
  private readonly focused = ({ target }: FocusEvent) => {
    const hidden = isSheet.matches && this.rests === 0;
    if (hidden && target instanceof Element && !target.closest('bl-edge, .tabs')) this.rest(1);
  };

  disconnectedCallback(): void {
    isSheet.removeEventListener('change', this.resized);
    this.below.disconnect();
  }

  private get height(): number {
    const panel = isSheet.matches ? this.parentElement : this.nextElementSibling;
    return Math.round(panel?.getBoundingClientRect().height ?? LEAST);
  }

  private onKey(event: KeyboardEvent): void {
    const by = { ArrowUp: STEP, ArrowDown: -STEP, Home: -1e4, End: 1e4 }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (isSheet.matches) {
      this.rest(this.rests + Math.sign(by) * (Math.abs(by) > STEP ? 2 : 1));
      return;
    }
    this.set(this.height + by);
    this.keep();
  }

  /** Where the sheet rests. */
  private get rests(): number {
    return Math.max(0, RESTS.indexOf(document.documentElement.dataset.sheet as 'half'));
  }

  private rest(wanted: number): void {
    document.documentElement.dataset.sheet = RESTS[Math.max(0, Math.min(wanted, 2))] ?? 'folded';
    this.parentElement?.style.removeProperty('height');
    this.tell(this.height);
  }

  /** Lets go of the edge: a sheet goes on to where it was moved, a tap opens or folds it. */
  private drop(y: number): void {
    const { from } = this;
    if (!from || !isSheet.matches) {
      this.keep();
      return;
    }
    this.from = undefined;
    const moved = from.y - y;
    const part = (from.height + moved) / this.room;
    if (Math.abs(moved) <= TAP) this.rest(this.rests === 0 ? 1 : 0);
    else if (moved > 0) this.rest(part > 0.6 ? 2 : 1);
    else this.rest(part < 0.4 ? 0 : 1);
  }

  /** How high a sheet can be, in pixels. */
  private get room(): number {
    return document.querySelector('.stages')?.clientHeight ?? innerHeight;
  }

  private set(wanted: number): void {
    if (isSheet.matches) {
      this.parentElement?.style.setProperty('height', `${Math.round(Math.max(48, Math.min(wanted, this.room)))}px`);
      return;
    }
    const height = Math.round(Math.max(LEAST, Math.min(wanted, Math.max(LEAST, innerHeight - STAGES))));
    document.documentElement.style.setProperty('--panel', `${height}px`);
    this.tell(height);
  }

  private tell(height: number): void {
    if (isSheet.matches) {
      this.setAttribute('aria-valuemin', '0');
      this.setAttribute('aria-valuemax', '2');
      this.setAttribute('aria-valuenow', String(this.rests));
      return;
    }
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
