// Pictures of the gallery's first scenario, one of each cluster in both themes and each language, as the engines draw
// them: a phone shows them until it is touched (www/src/boot.ts).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './tools.mjs';

/** Width and height, in pixels, as a phone's stage has them. */
const SIZE = [390, 440];
/** What the engines' figure has over and under its stages, in pixels; the page says that itself. */
const AROUND = 64;
/** Where the picture is taken, in nanoseconds of the run: all work, and messages are on their way. */
const AT = 2.91e9;
const EVENTS = 1_000_000;

/** See poster.d.mts. */
export async function posters() {
  const folder = join(root, 'www', 'src', 'engine', 'pkg');
  const engines = await import(pathToFileURL(join(folder, 'brokerlab.js')).href);
  engines.initSync({ module: readFileSync(join(folder, 'brokerlab_bg.wasm')) });
  const pictures = {};
  const captions = {};
  for (const [tongue, catalogue] of [
    ['en', ''],
    ['de', catalogueOf('de')],
  ]) {
    engines.speak(catalogue);
    captions[tongue] = {};
    for (const side of [0, 1]) Object.assign(pictures, drawn(engines, side, tongue, captions[tongue]));
  }
  engines.speak('');
  return { pictures, captions, size: SIZE };
}

/** What the engines say in another language, as the page hands it over. */
function catalogueOf(tongue) {
  const words = JSON.parse(readFileSync(join(root, 'www', 'src', `engine-words.${tongue}.json`), 'utf8'));
  return Object.entries(words).flat().join('\n');
}

/** One cluster's pictures in the language that is spoken, by their names; what stands over them goes to `captions`. */
function drawn(engines, side, tongue, captions) {
  const [key, other] = side === 0 ? ['log', 'queue'] : ['queue', 'log'];
  const document = JSON.parse(readFileSync(join(root, 'scenarios', 'one-node-lost.json'), 'utf8'));
  const lab = new engines.Lab(JSON.stringify({ ...document, [other]: undefined, tape: [] }));
  lab.advance(AT, EVENTS);
  const [width, height] = SIZE;
  lab.layout(side, width, height);
  captions[key] = lab.picture(side).caption;
  const themes = ['light', 'dark'].map((theme) => {
    const whole = lab.figure(width, height + 2 * AROUND, theme === 'dark');
    return [`${key}-${theme}${tongue === 'en' ? '' : `.${tongue}`}.svg`, cropped(whole, width, height)];
  });
  lab.free();
  return Object.fromEntries(themes);
}

/** Of a figure the stage alone, without what a picture of an `img` cannot say: titles of its parts. */
function cropped(figure, width, height) {
  return figure
    .replace(/viewBox="[^"]*" width="[^"]*" height="[^"]*"/, `viewBox="0 ${AROUND} ${width} ${height}"`)
    .replace(/<rect class="tip"[^>]*><title>[^<]*<\/title><\/rect>\n?/g, '')
    .replace(/<title>[^<]*<\/title>\n?/g, '');
}
