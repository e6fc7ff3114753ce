// The two parts that the page loads are together what the whole package is.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { initSync, Lab, onMissing } from '../../src/engine/pkg/brokerlab.js';

const root = resolve(import.meta.dirname, '../../..');
const golden = JSON.parse(readFileSync(`${root}/scenarios/digests.json`, 'utf8')) as Record<string, string>;
const part = (name: string) => readFileSync(`${root}/www/src/engine/pkg/${name}.wasm`);

it('fetches the rest once, when it is first called, and plays every scenario to its digest', () => {
  const exports = initSync({ module: part('first') }) as unknown as WebAssembly.Exports;
  let asked = 0;
  onMissing(() => {
    asked++;
    new WebAssembly.Instance(new WebAssembly.Module(part('rest')), { first: exports as WebAssembly.ModuleImports });
    (exports.restIsHere as WebAssembly.Global).value = 1;
  });
  const names = Object.keys(golden);
  for (const name of names) {
    const lab = new Lab(readFileSync(`${root}/scenarios/${name}.json`, 'utf8'));
    lab.advance(lab.end, 0xffffffff);
    expect([name, lab.digest()]).toEqual([name, golden[name]]);
    lab.free();
  }
  expect(names.length).toBeGreaterThan(10);
  expect(asked).toBe(1);
});

it('writes the first scenario of the gallery as it is written, so that a first visit need not ask', () => {
  const text = readFileSync(`${root}/scenarios/one-node-lost.json`, 'utf8');
  expect(JSON.parse(new Lab(text).document())).toEqual(JSON.parse(text));
});
