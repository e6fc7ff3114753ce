// Which of two stages a small screen shows: one is seen at a time, the other is a swipe or a tap away.
import { html } from 'lit';
import type { Side } from '../engine/engine';
import { calm } from '../opening';
import { words } from '../words';

/** The tabs over the stages; `see` scrolls to one. */
export function choice(seen: Side, see: (side: Side) => void) {
  const one = (side: Side, name: string) =>
    html`<button class="${name}-side" aria-pressed=${seen === side} @click=${() => see(side)}>${side === 0 ? words.log : words.queue}</button>`;
  return html`<div class="choice" role="group" aria-label=${words.stage}>${one(0, 'log')}${one(1, 'queue')}</div>`;
}

/** Scrolls to a stage. */
export function seeSide(sides: Element | null, side: Side): void {
  sides?.scrollTo({ left: side * sides.clientWidth, behavior: calm() ? 'auto' : 'smooth' });
}

/** Which stage is seen after a swipe. */
export function seenOf({ target }: Event): Side {
  return target instanceof HTMLElement && target.scrollLeft * 2 > target.clientWidth ? 1 : 0;
}
