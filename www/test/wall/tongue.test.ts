// The engines in German, held on the real package: nothing that they say of any run is left in English, and what they play
// is what it was.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initSync, Lab, speak } from '../../src/engine/pkg/brokerlab.js';
import type { Fact } from '../../src/gen/Fact';
import type { Graph } from '../../src/gen/Graph';
import type { LifeOut } from '../../src/gen/LifeOut';
import type { MarkOut } from '../../src/gen/MarkOut';
import type { MessageOut } from '../../src/gen/MessageOut';
import type { Picture } from '../../src/gen/Picture';
import type { Report } from '../../src/gen/Report';
import type { SpaceTime } from '../../src/gen/SpaceTime';
import type { Wait } from '../../src/gen/Wait';
import { catalogue } from '../../src/words.de';
import { ENGLISH, english } from '../english';

const root = resolve(import.meta.dirname, '../../..');
const golden = JSON.parse(readFileSync(`${root}/scenarios/digests.json`, 'utf8')) as Record<string, string>;
const text = (name: string) => readFileSync(`${root}/scenarios/${name}.json`, 'utf8');
const WHOLE = 0xffffffff;
const GERMAN = catalogue.engines;
const SIDES = [0, 1];

beforeAll(() => {
  initSync({ module: readFileSync(`${root}/www/src/engine/pkg/brokerlab_bg.wasm`) });
});
afterAll(() => speak(''));

const drawn = ({ shapes }: { shapes: Picture['cards'][number]['shapes'] }) =>
  shapes.flatMap((shape) => (shape.shape === 'text' ? [shape.text] : []));

/** What a picture shows and tells. */
function pictured(lab: Lab, side: number): string[] {
  const picture = lab.picture(side) as Picture | null;
  if (!picture) return [];
  const cards = picture.cards.flatMap((card) => [
    ...card.says.split(', '),
    ...card.tips.map((tip) => tip.text),
    ...drawn(card),
  ]);
  return [picture.caption, ...cards, ...picture.streams.flatMap(({ says, label }) => [says, label])];
}

/** The topology, and what stands of each of its things and of the links. */
function known(lab: Lab, side: number): string[] {
  const graph = lab.graph(side) as Graph | null;
  if (!graph) return [];
  const picture = lab.picture(side) as Picture;
  const things = graph.nodes
    .filter(({ kind }) => kind !== 'producer' && kind !== 'consumer')
    .map(({ kind, name }) => [kind, name]);
  const nodes = picture.cards.map(({ name }) => ['node', name]);
  const links = picture.links.map(({ from, to }) => ['link', `${from} – ${to}`]);
  const facts = [...things, ...nodes, ...links].flatMap(
    ([kind = '', name = '']) => (lab.inspect(side, kind, name) as Fact[] | null) ?? [],
  );
  return [
    ...graph.nodes.flatMap(({ sort, figures }) => [sort, ...figures.map(({ what }) => what)]),
    ...graph.edges.map(({ label }) => label),
    ...facts.flatMap(({ name, value }) => [name, value]),
  ];
}

/** The lives of a few messages, and the space-time diagram around the playhead. */
function traced(lab: Lab, side: number): string[] {
  const said: string[] = [];
  for (const fate of ['processed', 'outstanding', 'lost', 'duplicated', 'dropped', 'refused']) {
    for (const { producer, sequence } of lab.messages(side, fate, 2) as MessageOut[]) {
      const life = lab.life(side, producer, sequence, 20_000) as LifeOut | null;
      said.push(...(life?.steps.flatMap(({ what, wait }) => [what, wait]) ?? []));
    }
  }
  const diagram = lab.spaceTime(side, Math.max(0, lab.at - 5e7), lab.at + 5e7, 800, 0, -1) as SpaceTime | null;
  if (diagram) said.push(diagram.left_out, ...diagram.spots.map(({ says }) => says), ...drawn(diagram));
  return said;
}

function all(lab: Lab): string[] {
  const report = lab.report() as Report;
  return [
    ...SIDES.flatMap((side) => [...pictured(lab, side), ...known(lab, side), ...traced(lab, side)]),
    ...(lab.waits() as Wait[]).map(({ says }) => says),
    ...(lab.marks() as MarkOut[]).map(({ what }) => what),
    ...Object.values(report.clusters).flatMap(({ verdict, notes }) => [verdict, ...notes]),
  ];
}

describe('the engines in German', () => {
  it('know which words are English', () => {
    for (const word of ['the', 'waits', 'held', 'idle', 'unconfirmed', 'killed', 'message'])
      expect([word, ENGLISH.has(word)]).toEqual([word, true]);
    for (const word of ['leader', 'offset', 'in', 'prefetch', 'commit', 'replicas', 'epoche'])
      expect([word, ENGLISH.has(word)]).toEqual([word, false]);
  });

  it.each(Object.keys(golden))('say nothing of %s in English, and play it as ever', (name) => {
    speak(GERMAN);
    const lab = new Lab(text(name));
    const said: string[] = [];
    // By turns as wide as a desk's stage and as narrow as a phone's, where parts are folded.
    for (let n = 1; n <= 4; n += 1) {
      for (const side of SIDES) lab.layout(side, n % 2 ? 700 : 390, 450);
      lab.advance((lab.end / 4) * n - 1e6, WHOLE);
      said.push(...all(lab));
    }
    expect(said.length).toBeGreaterThan(200);
    // A document's own names are its own.
    const names = new Set(
      text(name)
        .toLowerCase()
        .match(/[\p{L}\d-]+/gu),
    );
    expect(
      english(said).filter(
        (line) =>
          !line
            .split(': ')[0]
            ?.split(', ')
            .every((word) => names.has(word)),
      ),
    ).toEqual([]);
    lab.advance(lab.end, WHOLE);
    expect(lab.digest()).toBe(golden[name]);
    lab.free();
  });

  it('speak English again, word for word, when the catalogue is taken back', () => {
    const lab = new Lab(text('one-node-lost'));
    for (const side of SIDES) lab.layout(side, 700, 460);
    lab.advance(6e9, WHOLE);
    speak('');
    const before = all(lab);
    speak(GERMAN);
    const german = all(lab);
    expect(german.filter((line) => line === 'broker-1' || before.includes(line)).length).toBeLessThan(
      before.length / 2,
    );
    expect(german).toContain('broker-1 verliert den Strom');
    const { verdict } = (lab.report() as Report).clusters.log ?? { verdict: '' };
    expect(verdict).toMatch(/^(Alle \d+|\d+ von \d+) bestätigten Nachrichten sind (sicher|verloren)\.$/);
    speak('');
    expect(all(lab)).toEqual(before);
  });
});
