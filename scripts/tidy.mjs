// The house rules that no compiler holds: arrows between crates, sizes, rules cited and tested, what must not be in
// the repository. Prints every breach; fails if there is one.
import { existsSync, readFileSync } from 'node:fs';
import { ask, root } from './tools.mjs';

const breaches = [];
const breach = (text) => breaches.push(text);
const read = (file) => readFileSync(`${root}/${file}`, 'utf8');
const tracked = ask('git', ['ls-files', '-co', '--exclude-standard'])
  .split('\n')
  .filter((file) => file && existsSync(`${root}/${file}`));
const source = tracked.filter(
  (file) => /^(crates|www|scripts|bench)\/.*\.(rs|ts|mjs)$/.test(file) && !file.includes('/gen/'),
);

// What each crate may use of ours: the arrows never turn.
const MAY_USE = {
  sim: [],
  consensus: ['sim'],
  'log-cluster': ['sim', 'consensus'],
  'queue-cluster': ['sim', 'consensus'],
  conform: ['sim', 'log-cluster', 'queue-cluster'],
  scenario: ['sim', 'log-cluster', 'queue-cluster'],
  referee: ['sim', 'log-cluster', 'queue-cluster'],
  player: ['sim', 'scenario', 'referee', 'log-cluster', 'queue-cluster'],
  scene: ['sim', 'player', 'scenario', 'referee', 'log-cluster', 'queue-cluster'],
  wasm: ['sim', 'scenario', 'player', 'scene', 'conform', 'bench'],
  cli: ['sim', 'scenario', 'player', 'scene', 'conform'],
  bench: ['sim', 'scenario', 'player', 'scene', 'log-cluster', 'queue-cluster'],
};
for (const file of tracked.filter((name) => /^crates\/[^/]+\/Cargo.toml$/.test(name))) {
  const crate = file.split('/')[1];
  const may = MAY_USE[crate];
  if (!may) breach(`${file}: the crate has no place in the house plan (scripts/tidy.mjs)`);
  const section = /\n\[dependencies\]\n([\s\S]*?)(?=\n\[|$)/.exec(`\n${read(file)}`)?.[1] ?? '';
  for (const [, name] of section.matchAll(/^([a-z-]+)\b/gm)) {
    if (MAY_USE[name] && !may?.includes(name)) breach(`${file}: ${crate} must not use ${name}`);
  }
}

// Sizes.
for (const file of source) {
  const lines = read(file).split('\n').length;
  if (lines > 601) breach(`${file}: ${lines} lines; at most 600`);
}

// The engine's package has one importer.
for (const file of source.filter((name) => name.startsWith('www/src') && name !== 'www/src/engine/engine.ts')) {
  if (/from '.*engine\/pkg|from '\.\/pkg/.test(read(file)))
    breach(`${file}: only www/src/engine/engine.ts imports the package`);
}

// Rules: every id cited in a crate is in the catalogue, and has a test of its own.
const RULE = /\b([KR]-[A-Z]+\d+|X-\d+)\b/g;
const rust = source.filter((file) => file.endsWith('.rs'));
const tests = rust.flatMap((file) =>
  [...read(file).matchAll(/#\[test\]\s*(?:#\[[^\]]*\]\s*)*fn ([a-z0-9_]+)/g)].map((match) => match[1]),
);
const catalogue = new Map();
for (const file of tracked.filter((name) => /^rules\/.*\.toml$/.test(name))) {
  for (const [, id] of read(file).matchAll(/^id = "([^"]+)"/gm)) {
    if (catalogue.has(id)) breach(`${file}: ${id} is there twice`);
    catalogue.set(id, file);
  }
}
const cited = new Map();
for (const file of rust.filter((name) => /^crates\/(sim|consensus|log-cluster|queue-cluster|player)\/src/.test(name))) {
  for (const [, id] of read(file).matchAll(RULE)) if (!cited.has(id)) cited.set(id, file);
}
for (const [id, file] of cited) {
  if (!catalogue.has(id)) breach(`${file}: cites ${id}, which is in no catalogue of rules/`);
  const prefix = `${id.toLowerCase().replace('-', '_')}_`;
  if (!tests.some((name) => name.startsWith(prefix)))
    breach(`${file}: cites ${id}, which has no test of its own (fn ${prefix}…)`);
}
const named = rust.map(read).join('\n');
for (const id of catalogue.keys()) if (!named.includes(id)) breach(`${catalogue.get(id)}: ${id} is cited nowhere`);

// What must not be in the repository.
const OPEN =
  /todo!\(|unimplemented!\(|\bTODO\b|\bFIXME\b|#\[ignore|\b(it|test|describe)\.(skip|only|todo)\(|expect\(true\)|assert!\(true\)/;
for (const file of source.filter((name) => name !== 'scripts/tidy.mjs')) {
  for (const [index, line] of read(file).split('\n').entries()) {
    if (OPEN.test(line)) breach(`${file}:${index + 1}: left open: ${line.trim()}`);
  }
}
const lock = tracked.includes('package-lock.json') ? read('package-lock.json') : '';
if (lock.includes('"resolved"')) breach('package-lock.json: names a registry; strip its "resolved" lines');

for (const text of breaches) console.error(text);
console.log(`tidy: ${source.length} files, ${cited.size} rules cited, ${breaches.length} breaches`);
process.exit(breaches.length > 0 ? 1 : 0);
