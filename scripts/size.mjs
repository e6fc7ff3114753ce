// What the page's first load takes, compressed: dist/index.html, the scripts and styles it names and all that those
// import, and the engines. Fails if it is more than the gate; raise that only with a reason in the change that does.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { root, stop } from './tools.mjs';

// About 3 % above what it took when this was last set.
const MOST = 1_155_000;

const dist = `${root}/dist`;
if (!existsSync(`${dist}/index.html`)) stop('There is no dist/: run `npm run build` first.');
const assets = readdirSync(`${dist}/assets`);
const loaded = new Set(['index.html']);
for (const file of loaded) {
  if (file.endsWith('.wasm')) continue;
  const text = readFileSync(`${dist}/${file}`, 'utf8');
  for (const name of assets) if (text.includes(name)) loaded.add(`assets/${name}`);
}
let sum = 0;
for (const file of loaded) {
  const bytes = readFileSync(`${dist}/${file}`);
  const gzip = gzipSync(bytes, { level: 9 }).length;
  sum += gzip;
  console.log(`${file}: ${bytes.length} bytes, gzip ${gzip}, brotli ${brotliCompressSync(bytes).length}`);
}
if (![...loaded].some((file) => file.endsWith('.wasm'))) stop('No engines were found.');
console.log(`The first load takes ${sum} bytes with gzip; at most ${MOST}.`);
process.exit(sum > MOST ? 1 : 0);
