// Wheel, pinch, drag and keys that zoom a stage and move over it. A page scrolls as ever: it takes a held key or two fingers.
import type { Point } from './view';

export interface Zoomable extends HTMLElement {
  readonly isZoomed: boolean;
  zoomBy(factor: number, at?: Point): void;
  panBy(by: Point): void;
  fit(): void;
}

/** From so many pixels on it is a drag, not a click. */
const DRAG = 5;
const STEP = 1.5;
const PAN = 60;

const ARROWS: Record<string, Point> = {
  ArrowLeft: { x: -PAN, y: 0 },
  ArrowRight: { x: PAN, y: 0 },
  ArrowUp: { x: 0, y: -PAN },
  ArrowDown: { x: 0, y: PAN },
};

function onKey(stage: Zoomable, event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = stage.isZoomed ? ARROWS[event.key] : undefined;
  if (event.key === '+' || event.key === '=') stage.zoomBy(STEP);
  else if (event.key === '-') stage.zoomBy(1 / STEP);
  else if (event.key === '0' && stage.isZoomed) stage.fit();
  else if (arrow) stage.panBy(arrow);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function inside(stage: Zoomable, x: number, y: number): Point {
  const box = stage.getBoundingClientRect();
  return { x: x - box.x, y: y - box.y };
}

function drag(stage: Zoomable): void {
  let from: Point | undefined;
  let moved = false;
  stage.addEventListener('pointerdown', (event) => {
    if (event.pointerType !== 'mouse' || event.button !== 0 || !stage.isZoomed) return;
    from = { x: event.clientX, y: event.clientY };
    moved = false;
  });
  stage.addEventListener('pointermove', (event) => {
    if (!from) return;
    const by = { x: from.x - event.clientX, y: from.y - event.clientY };
    if (!moved && Math.hypot(by.x, by.y) < DRAG) return;
    if (!moved) {
      stage.setPointerCapture(event.pointerId);
      stage.classList.add('dragging');
    }
    moved = true;
    stage.panBy(by);
    from = { x: event.clientX, y: event.clientY };
  });
  const stop = () => {
    from = undefined;
    stage.classList.remove('dragging');
  };
  stage.addEventListener('pointerup', stop);
  stage.addEventListener('pointercancel', stop);
  stage.addEventListener(
    'click',
    (event) => {
      if (!moved) return;
      moved = false;
      event.stopPropagation();
    },
    true,
  );
}

function pinch(stage: Zoomable): void {
  let before: { apart: number; middle: Point } | undefined;
  const measure = (touches: TouchList) => {
    const [a, b] = [touches.item(0), touches.item(1)];
    if (touches.length !== 2 || !a || !b) return undefined;
    const apart = Math.max(Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), 1);
    return { apart, middle: inside(stage, (a.clientX + b.clientX) / 2, (a.clientY + b.clientY) / 2) };
  };
  stage.addEventListener('touchstart', (event) => {
    before = measure(event.touches);
  });
  stage.addEventListener(
    'touchmove',
    (event) => {
      const now = measure(event.touches);
      if (!now || !before) return;
      event.preventDefault();
      stage.panBy({ x: before.middle.x - now.middle.x, y: before.middle.y - now.middle.y });
      stage.zoomBy(now.apart / before.apart, now.middle);
      before = now;
    },
    { passive: false },
  );
  stage.addEventListener('touchend', (event) => {
    before = measure(event.touches);
  });
}

/** Lets a stage be zoomed and moved; once for each stage. */
export function gestures(stage: Zoomable): void {
  stage.addEventListener('keydown', (event) => onKey(stage, event));
  stage.addEventListener(
    'wheel',
    (event) => {
      // Trackpads pinch by a wheel with the control key.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      stage.zoomBy(
        Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 120),
        inside(stage, event.clientX, event.clientY),
      );
    },
    { passive: false },
  );
  drag(stage);
  pinch(stage);
}
