// What the page asks of the engines on a first visit, asked without a browser: the gallery's first scenario is opened,
// looked at and played for a moment. Canvases are stand-ins that take every call.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { root } from './tools.mjs';

/** Something that takes any call and any property, and passes for an instance of `kind`. */
function standIn(kind) {
  const known = new kind();
  return new Proxy(known, {
    get: (target, name) => {
      target[name] ??= (first) => {
        if (name === 'getContext') return standIn(first === '2d' ? CanvasRenderingContext2D : WebGL2RenderingContext);
        if (name === 'getExtension') return null;
        return String(name).endsWith('Parameter') ? true : {};
      };
      return target[name];
    },
    set: (target, name, value) => {
      target[name] = value;
      return true;
    },
  });
}

function pretendBrowser() {
  globalThis.CanvasRenderingContext2D = class {};
  globalThis.WebGL2RenderingContext = class {};
  globalThis.HTMLCanvasElement = class {
    width = 0;
    height = 0;
  };
  globalThis.Window = class {
    document = { createElement: () => standIn(HTMLCanvasElement) };
  };
  globalThis.window = new Window();
  globalThis.self = globalThis.window;
}

const SIDES = [0, 1];
/** Events of a call, as in the page. */
const CHUNK = 500;
/** Where the page begins, and for how long it plays in each of two sizes while the rest is on its way, in nanoseconds of
 * the run: together 11 s on the reader's clock, as the page plays a fifth as fast, and shorter than a group takes to meet. */
const FROM = 2.2e9;
const FOR = 1.1e9;
const FRAME = 3e6;

/** What the page reads of every run. */
function readAll(lab) {
  return [lab.at, lab.end, lab.known, lab.remarks(), lab.endDigest()];
}

/** Plays on in slices. */
function go(lab, to) {
  while (!lab.advance(to, CHUNK).arrived);
}

/** Goes through the visit with these bytes of the engines; answers their exports. */
export async function firstVisit(folder, bytes) {
  pretendBrowser();
  const engines = await import(pathToFileURL(`${folder}/brokerlab.js`).href);
  const exports = engines.initSync({ module: bytes });
  engines.onMissing(() => {});
  engines.fetchRest();
  // In another language, too: places in order and by their numbers, one of two forms, and its own decimal mark.
  engines.speak('1,000.5\n1.000,5\nleads {}\nführt {0}\n{} in flight\n{} unterwegs|{} unterwegs');
  const lab = new engines.Lab(readFileSync(`${root}/scenarios/one-node-lost.json`, 'utf8'));
  const look = () => {
    for (const side of SIDES) {
      lab.picture(side);
      lab.paint(side, 2, true, 2e8);
    }
  };
  readAll(lab);
  for (const side of SIDES) lab.attach(side, standIn(HTMLCanvasElement));
  // Wide, and as narrow as a phone, where parts are folded.
  for (const [width, height] of [
    [358, 372],
    [700, 460],
  ]) {
    for (const side of SIDES) {
      lab.layoutOf(side, width, height, 1, '', '');
      lab.lookAt(side, 0, 0);
      lab.focuses(side);
    }
    look();
    go(lab, Math.max(FROM, lab.at));
    look();
    for (let at = lab.at, until = at + FOR; at < until; at += FRAME) {
      go(lab, at);
      look();
    }
  }
  lab.step();
  look();
  for (const side of SIDES) lab.detach(side);
  lab.free();
  return exports;
}
