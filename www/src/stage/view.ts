// What is seen of a stage: how many times it is zoomed, and where its left upper corner is. Pure.

export interface View {
  zoom: number;
  /** In pixels of the zoomed stage. */
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

export const whole: View = { zoom: 1, x: 0, y: 0 };

/** A stage is zoomed so many times at the most. */
const MOST = 8;

function within({ zoom, x, y }: View, { width, height }: Size): View {
  const clamp = (value: number, most: number) => Math.round(Math.min(Math.max(value, 0), most));
  return { zoom, x: clamp(x, width * (zoom - 1)), y: clamp(y, height * (zoom - 1)) };
}

/** Zoomed by a factor; what is at a point of the stage stays there. */
export function zoomed(view: View, size: Size, factor: number, at: Point): View {
  const wanted = Math.min(Math.max(view.zoom * factor, 1), MOST);
  // What is all but whole is whole: there is a way back without a button.
  const zoom = wanted < 1.02 ? 1 : wanted;
  const ratio = zoom / view.zoom;
  return within({ zoom, x: (view.x + at.x) * ratio - at.x, y: (view.y + at.y) * ratio - at.y }, size);
}

/** Moved over the stage. */
export function panned(view: View, size: Size, { x, y }: Point): View {
  return within({ ...view, x: view.x + x, y: view.y + y }, size);
}

/** Moved as little as needed to see a place. */
export function showing(view: View, size: Size, place: { x: number; y: number; w: number; h: number }): View {
  const MARGIN = 12;
  const along = (from: number, start: number, length: number, room: number) => {
    if (start - MARGIN < from || length + 2 * MARGIN > room) return start - MARGIN;
    return Math.max(from, start + length + MARGIN - room);
  };
  return within(
    { ...view, x: along(view.x, place.x, place.w, size.width), y: along(view.y, place.y, place.h, size.height) },
    size,
  );
}
