// npm test: the same set-up as npm start, then every check. `npm test -- page tidy` runs the named ones only.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBrowsers, mayBeMissing, runOnScreen, sayMissing } from './browsers.mjs';
import { buildPage, buildWasm, ensureChromium, ensureTools, env, fingerprint, root, run } from './tools.mjs';

ensureTools();
const steps = {
  format: () => run('cargo', ['fmt', '--all', '--check']),
  clippy: () => run('cargo', ['clippy', '--workspace', '--all-targets', '--quiet', '--', '-D', 'warnings']),
  rust: () => {
    const types = fingerprint(['www/src/gen']);
    if (!run('cargo', ['test', '--workspace', '--quiet'])) return false;
    const fresh = fingerprint(['www/src/gen']) === types;
    if (!fresh) console.error('www/src/gen was out of date: the tests have written it anew, commit it.');
    return fresh;
  },
  tidy: () => run('node', ['scripts/tidy.mjs']),
  wasm: async () => {
    await buildWasm();
    return run('vitest', ['run', '--config', 'www/wasm.vitest.config.ts']);
  },
  lint: () => run('biome', ['ci', '--error-on-warnings']),
  types: () => run('tsc', ['--noEmit']),
  unit: () => run('vitest', ['run']),
  page: async () => {
    env.CHROMIUM = ensureChromium();
    await buildWasm();
    buildPage();
    return run('vitest', ['run', '--config', 'www/e2e/vitest.config.ts']);
  },
  browsers: async () => {
    const found = ensureBrowsers();
    env.CHROMIUM = ensureChromium();
    await buildWasm();
    buildPage();
    const passed = runOnScreen(found, 'vitest', ['run', '--config', 'www/e2e/browsers.vitest.config.ts']);
    sayMissing(found);
    return passed && (mayBeMissing() || Object.keys(found).length === 3);
  },
  size: async () => {
    await buildWasm();
    buildPage();
    return run('node', ['scripts/size.mjs']);
  },
};
env.TOLD = join(root, 'target/told.txt');
rmSync(env.TOLD, { force: true });
const wanted = process.argv.slice(2);
const results = [];
for (const [name, step] of Object.entries(steps)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n== ${name}`);
  const from = Date.now();
  results.push({ name, passed: await step(), seconds: Math.round((Date.now() - from) / 1000) });
}
console.log('');
// What failed in a browser once more, as the log of many minutes is mostly read from its end.
if (existsSync(env.TOLD)) console.log(readFileSync(env.TOLD, 'utf8'));
for (const { name, passed, seconds } of results) console.log(`${passed ? 'passed' : 'FAILED'}  ${name} (${seconds} s)`);
const failed = results.filter((result) => !result.passed).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 || results.length === 0 ? 1 : 0);
