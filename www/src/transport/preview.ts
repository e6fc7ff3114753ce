// What the stages look like at the time under the pointer, before one goes there: of a second run, so that the first goes on.
import { openDocument, type ProgressOut, type Run } from '../engine/engine';
import type { Session } from '../session';
import { timeWords } from './transport';
import './preview.css';

/** The picture's size in its own pixels; it is shown smaller. */
const SIZE = { width: 1200, height: 560 };
/** How long the pointer has to rest, in milliseconds. */
const REST = 90;
/** Events of a slice: the frames between go on. */
const SLICE = 8_000;

const pause = (time: number) => new Promise((go) => setTimeout(go, time));

export class Preview {
  private box = document.createElement('div');
  private image = document.createElement('img');
  private words = document.createElement('p');
  private ghost: Run | undefined;
  private of = '';
  private asked = 0;
  private address = '';

  constructor() {
    this.box.className = 'preview';
    this.box.hidden = true;
    // The time line's own value says the same to those who do not see it.
    this.box.setAttribute('aria-hidden', 'true');
    this.image.alt = '';
    this.box.append(this.image, this.words);
    document.body.append(this.box);
  }

  /** Shows the run at a time, in nanoseconds, over a place of the window. */
  async show(session: Session, at: number, x: number, top: number): Promise<void> {
    this.asked += 1;
    const mine = this.asked;
    const near = session.marks.findLast((mark) => mark.at <= at && mark.kind !== 'change');
    this.words.textContent = near ? `${timeWords(at)} · ${timeWords(near.at)}: ${near.what}` : timeWords(at);
    this.box.hidden = false;
    const half = this.box.offsetWidth / 2;
    this.box.style.left = `${Math.max(8 + half, Math.min(x, innerWidth - half - 8))}px`;
    this.box.style.bottom = `${innerHeight - top + 8}px`;
    await pause(REST);
    if (mine !== this.asked || session.closed || session.failure !== undefined) return;
    await this.draw(session, at, () => mine === this.asked && !session.closed);
  }

  hide(): void {
    this.asked += 1;
    this.box.hidden = true;
  }

  private async draw(session: Session, at: number, wanted: () => boolean): Promise<void> {
    const text = session.run.document();
    if (this.ghost === undefined || text !== this.of) {
      this.ghost?.free();
      this.ghost = openDocument(text);
      this.of = text;
    }
    const { ghost } = this;
    let progress: ProgressOut = ghost.seek(at, SLICE);
    while (!progress.arrived) {
      await pause(0);
      if (!wanted() || ghost !== this.ghost) return;
      progress = ghost.advance(at, SLICE);
    }
    if (!wanted()) return;
    const dark = document.documentElement.classList.contains('dark');
    const figure = ghost.figure(SIZE.width, SIZE.height, dark);
    URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(new Blob([figure], { type: 'image/svg+xml' }));
    this.image.src = this.address;
  }
}
