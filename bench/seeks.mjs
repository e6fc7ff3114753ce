// What the page asks of a long run once it is known: seeks, a window of the space-time diagram, a message's life.
import { long } from './scenarios.mjs';

const SEEKS = 30;
/** As the message panel follows a message. */
const SLICE = 8_000;

/** Runs in the page. */
async function measure({ text, seeks, slice }) {
  const engine = await import('/brokerlab.js');
  await engine.default();
  const lab = new engine.Lab(text);
  const timed = (call) => {
    const from = performance.now();
    const value = call();
    return [performance.now() - from, value];
  };
  const [ahead] = timed(() => {
    while (!lab.lookAhead(200_000));
  });
  // All over the run, and never to the neighbour of the last place.
  const times = Array.from(
    { length: seeks },
    (_, n) => timed(() => lab.seek((lab.end * ((n * 37) % seeks)) / seeks, 0xffffffff))[0],
  );
  const windows = [0, 1].map(
    (side) => timed(() => lab.spaceTime(side, lab.end * 0.3, lab.end * 0.3 + 250e6, 1400, 0, -1))[0],
  );
  const [message] = lab.messages(0, 'processed', 1);
  const slices = [];
  for (let done = false; !done && message; ) {
    const [time, life] = timed(() => lab.life(0, message.producer, message.sequence, slice));
    slices.push(time);
    done = life.done;
  }
  lab.seek(lab.end, 0xffffffff);
  const { events } = lab.report();
  lab.free();
  return { events, ahead, seeks: times, window: Math.max(...windows), slices };
}

/** What was measured, as rows of a table: what, and how many milliseconds. */
export async function seeks(page) {
  const run = await page.evaluate(measure, { text: JSON.stringify(long()), seeks: SEEKS, slice: SLICE });
  const sorted = (times) => times.toSorted((a, b) => a - b);
  const [middle, worst] = [(times) => sorted(times)[Math.floor(times.length / 2)], (times) => Math.max(...times)];
  const ms = (time) => time.toFixed(1);
  return [
    [`ten minutes of both clusters, ${run.events.toLocaleString('en')} events: played ahead whole`, ms(run.ahead)],
    [`… ${SEEKS} seeks, the median`, ms(middle(run.seeks))],
    ['… the worst of them (asked: under 100)', ms(worst(run.seeks))],
    ['… a window of 250 ms of the space-time diagram', ms(run.window)],
    [
      `… a message's life to the end of the run, in ${run.slices.length} slices, together`,
      ms(run.slices.reduce((a, b) => a + b, 0)),
    ],
    ['… its longest slice', ms(worst(run.slices))],
  ];
}
