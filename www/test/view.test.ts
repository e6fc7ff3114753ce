import { describe, expect, it } from 'vitest';
import { panned, showing, whole, zoomed } from '../src/stage/view';

const size = { width: 700, height: 460 };

describe('what is seen of a stage', () => {
  it('keeps what is under the pointer there', () => {
    const view = zoomed(whole, size, 2, { x: 350, y: 100 });
    expect(view).toEqual({ zoom: 2, x: 350, y: 100 });
    expect(zoomed(view, size, 2, { x: 0, y: 0 })).toEqual({ zoom: 4, x: 700, y: 200 });
  });

  it('never leaves the stage, and comes back to the whole of it', () => {
    const view = zoomed(whole, size, 100, { x: 700, y: 460 });
    expect(view).toEqual({ zoom: 8, x: 4900, y: 3220 });
    expect(panned(view, size, { x: 500, y: 500 })).toEqual(view);
    expect(zoomed(view, size, 0.126, { x: 0, y: 0 })).toEqual(whole);
    expect(panned(whole, size, { x: 50, y: -50 })).toEqual(whole);
  });

  it('moves as little as needed to show a place', () => {
    const view = { zoom: 4, x: 700, y: 460 };
    const seen = { x: 800, y: 500, w: 200, h: 100 };
    expect(showing(view, size, seen)).toEqual(view);
    expect(showing(view, size, { ...seen, x: 1500 })).toEqual({ ...view, x: 1500 + 200 + 12 - 700 });
    expect(showing(view, size, { ...seen, y: 100 })).toEqual({ ...view, y: 88 });
  });
});
