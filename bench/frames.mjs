// What the page does for one frame while many messages fly: the faces, the rows of what flies, the painting.
import { crowd as document } from './scenarios.mjs';

const COUNTS = [1_000, 10_000, 100_000];
const STAGE = [700, 460];

/** Runs in the page. */
async function measure({ text, stage, at, frames, crowd }) {
  const engine = await import('/brokerlab.js');
  await engine.default();
  const lab = new engine.Lab(text);
  const canvas = document.createElement('canvas');
  document.body.append(canvas);
  const way = lab.attach(1, canvas);
  lab.layout(1, ...stage);
  lab.advance(at, 0xffffffff);
  const times = { picture: [], fly: [], paint: [] };
  const timed = (what, call) => {
    const from = performance.now();
    const value = call();
    times[what].push(performance.now() - from);
    return value;
  };
  let rows = [];
  for (let frame = 0; frame < frames; frame += 1) {
    lab.advance(at + (frame + 1) * 16_666_667, 0xffffffff);
    rows = timed('fly', () => lab.fly(1, 900e6, crowd));
    timed('picture', () => lab.faces(1));
    timed('paint', () => lab.paintAlone(1, 1, true));
    await new Promise((next) => requestAnimationFrame(next));
  }
  lab.free();
  const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
  return {
    way,
    rows: rows[0],
    streams: rows[1],
    ...Object.fromEntries(Object.entries(times).map(([what, list]) => [what, median(list)])),
  };
}

/** For each crowd, drawn with streams and without: the milliseconds of the parts, and a row of a table. */
export async function frames(page) {
  const rows = [];
  for (const count of COUNTS) {
    const text = JSON.stringify(document(count));
    for (const streams of [true, false]) {
      const asked = {
        text,
        stage: STAGE,
        at: 8e9, // A processor that plays the graphics card takes long for so many; what is measured is the page's own thread.
        frames: streams ? 20 : 5,
        crowd: streams ? 200 : 0xffffffff,
      };
      const told = await page.evaluate(measure, asked);
      const name = `${count.toLocaleString('en')} in the air, ${streams ? `${told.streams} streams` : 'each by itself'}`;
      const parts = [told.picture, told.fly, told.paint];
      const whole = parts.reduce((a, b) => a + b, 0);
      rows.push([`${name}, ${told.way}`, ...[...parts, whole].map((time) => time.toFixed(2))]);
    }
  }
  return rows;
}
