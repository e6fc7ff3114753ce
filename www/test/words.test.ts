// Every language has every word, and a translation of every template of the engines, with the same places.
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import engines from '../src/engine-words.de.json';
import shell from '../src/shell.json';
import { words } from '../src/words';
import { catalogue } from '../src/words.de';

const crates = resolve(import.meta.dirname, '../../crates');

/** The engines' sources, without their tests and comments. */
function sources(): { file: string; text: string }[] {
  return readdirSync(crates).flatMap((crate) =>
    readdirSync(`${crates}/${crate}/src`, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.rs'))
      .map((file) => {
        const [text = ''] = readFileSync(`${crates}/${crate}/src/${file}`, 'utf8').split('#[cfg(test)]\nmod tests');
        return { file: `${crate}/${file}`, text: text.replace(/^\s*\/\/.*$|\\\n\s*/gm, '') };
      }),
  );
}

/** Templates of `say!` and `objection!`, of the tables of marks' sentences, and values of those that are words. */
function templates(): Set<string> {
  const found = sources().flatMap(({ file, text }) => {
    const said = [...text.matchAll(/\b(?:say|objection)!\(\s*"([^"]*)"/g)].map(([, template]) => template);
    // Every use of the macro was understood.
    expect([file, said.length]).toEqual([file, text.match(/\b(?:say|objection)!\(/g)?.length ?? 0]);
    if (!file.endsWith('/words.rs')) return said;
    const rows = [...text.matchAll(/\(\s*"[a-z-]+",\s*"([^"]*)",?\s*\)/g)].map(([, template]) => template);
    const values = /const VALUES[^=]*= &\[([^\]]*)\]/.exec(text)?.[1]?.match(/[^",]+(?=")/g) ?? [];
    return [...said, ...rows, ...values.filter((value) => value.trim() !== '')];
  });
  return new Set(found.filter((template) => template !== undefined));
}

/** Which values are put where: by their numbers, in order where there are none. */
const places = (template: string) =>
  [...template.matchAll(/\{(\d?)\}/g)].map(([, number], place) => Number(number || place)).sort();

/** Each text with its path. */
function leaves(tree: object, path = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string' ? [[`${path}${key}`, value] as [string, string]] : leaves(value, `${path}${key}/`),
  );
}

describe('the German catalogue', () => {
  it('has every word, and none is empty', () => {
    expect(leaves(catalogue.words).map(([path]) => path)).toEqual(leaves(words).map(([path]) => path));
    expect(leaves(catalogue.words).filter(([, text]) => text.trim() === '')).toEqual([]);
  });

  it('has the title of every scenario of the gallery, and what it is about', () => {
    const names = readdirSync(`${crates}/../scenarios`).filter((name) => name !== 'digests.json');
    const first = JSON.parse(readFileSync(`${crates}/../scenarios/one-node-lost.json`, 'utf8')) as { title: string };
    expect(shell.en.title).toBe(first.title);
    expect(Object.keys(catalogue.examples).map((name) => `${name}.json`)).toEqual(names.sort());
    expect(
      Object.values(catalogue.examples)
        .flat()
        .filter((text) => text.trim() === ''),
    ).toEqual([]);
  });

  it('has every template of the engines and no other, and each puts the same values in its places', () => {
    const wanted = templates();
    expect(wanted.size).toBeGreaterThan(400);
    expect(Object.keys(engines).sort()).toEqual([...wanted].sort());
    for (const [template, translation] of Object.entries(engines)) {
      expect(translation).not.toMatch(/^\s*$|\n/);
      const all = places(template.split('|').at(-1) ?? '');
      const [one = '', ...many] = translation.split('|');
      expect([template, many.map(places)]).toEqual([template, many.map(() => all)]);
      // Of one thing its number may be left out, as it is the first value.
      const left = many.length > 0 && places(one).length < all.length ? all.filter((place) => place > 0) : all;
      expect([template, places(one)]).toEqual([template, left]);
    }
  });
});
