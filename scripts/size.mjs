// What the page's first load takes, compressed: dist/index.html, the scripts and styles it names and all that those
// import at once, and the first part of the engines; not the rest of them, which is fetched when the page can be used,
// nor what a panel loads when it is first wanted. A phone has two pictures before that (some 2.5 KB each in poster/), and
// the engines only after them.
// Fails if that is more than the gates; raise one only with a reason in the change that does.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { root, stop } from './tools.mjs';

/** The first load with brotli, as most hosts send it. */
const FIRST = 400_000;
/** All of the engines with gzip: words that can be said in other languages, racks of consumers, ids of members, settings
 * of one broker, and assignors that go through Kafka's hash sets took the last 47 KB of it; a little is room. */
const ENGINES = 1_194_000;

const dist = `${root}/dist`;
if (!existsSync(`${dist}/index.html`)) stop('There is no dist/: run `npm run build` first.');
const assets = readdirSync(`${dist}/assets`);
const loaded = new Set(['index.html']);
for (const file of loaded) {
  if (file.endsWith('.wasm')) continue;
  const text = readFileSync(`${dist}/${file}`, 'utf8');
  const script = file.endsWith('.js');
  const atOnce = (name) => text.includes(`from"./${name}"`) || text.includes(`import"./${name}"`);
  for (const name of assets) {
    if (script && !name.endsWith('.wasm') ? atOnce(name) : text.includes(name)) loaded.add(`assets/${name}`);
  }
}
const sums = { gzip: 0, brotli: 0, engines: 0 };
for (const file of loaded) {
  const bytes = readFileSync(`${dist}/${file}`);
  const [gzip, brotli] = [gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes).length];
  if (file.endsWith('.wasm')) sums.engines += gzip;
  if (!/rest-[^/]*\.wasm$/.test(file)) {
    sums.gzip += gzip;
    sums.brotli += brotli;
  }
  console.log(`${file}: ${bytes.length} bytes, gzip ${gzip}, brotli ${brotli}`);
}
if (sums.engines === 0) stop('No engines were found.');
console.log(`The first load takes ${sums.brotli} bytes with brotli (at most ${FIRST}), ${sums.gzip} with gzip.`);
console.log(`The engines take ${sums.engines} bytes with gzip (at most ${ENGINES}).`);
process.exit(sums.brotli > FIRST || sums.engines > ENGINES ? 1 : 0);
