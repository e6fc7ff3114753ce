// The wall between Rust and the page, held on the real package.
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initSync, Lab, readLink } from '../../src/engine/pkg/brokerlab.js';
import type { Opened } from '../../src/gen/Opened';
import type { Picture } from '../../src/gen/Picture';
import type { ProgressOut } from '../../src/gen/ProgressOut';
import type { Report } from '../../src/gen/Report';

const root = resolve(import.meta.dirname, '../../..');
const golden = JSON.parse(readFileSync(`${root}/scenarios/digests.json`, 'utf8')) as Record<string, string>;
const text = (name: string) => readFileSync(`${root}/scenarios/${name}.json`, 'utf8');
const WHOLE = 0xffffffff;

beforeAll(() => {
  initSync({ module: readFileSync(`${root}/www/src/engine/pkg/brokerlab_bg.wasm`) });
});

describe('the wall', () => {
  it.each(Object.keys(golden))('plays %s to the digest that it has natively', (name) => {
    const lab = new Lab(text(name));
    expect((lab.advance(lab.end, WHOLE) as ProgressOut).arrived).toBe(true);
    expect(lab.digest()).toBe(golden[name]);
    lab.free();
  });

  it('knows every scenario of the gallery', () => {
    const names = readdirSync(`${root}/scenarios`).filter((file) => file.endsWith('.json') && file !== 'digests.json');
    expect(Object.keys(golden).sort()).toEqual(names.map((file) => file.replace('.json', '')).sort());
  });

  it('comes to one digest in slices, by single steps, and after a seek there and back', () => {
    const whole = new Lab(text('one-node-lost'));
    whole.advance(9e9, WHOLE);
    const lab = new Lab(text('one-node-lost'));
    for (let n = 0; n < 500; n++) lab.step();
    while (lab.at < 9e9) lab.advance(Math.min(9e9, lab.at + 37e6), 300);
    expect(lab.digest()).toBe(whole.digest());
    lab.seek(20e9, WHOLE);
    lab.seek(3e9, WHOLE);
    lab.seek(9e9, WHOLE);
    expect(lab.digest()).toBe(whole.digest());
  });

  it('brings a run back from its link, with its orders and its digest', () => {
    const lab = new Lab(text('one-node-lost'));
    lab.advance(3e9, WHOLE);
    lab.order(JSON.stringify([{ order: 'kill', node: 'rabbit-2' }]));
    while (!lab.lookAhead(100_000));
    const opened = readLink(`#${lab.link()}`) as Opened;
    const again = new Lab(opened.document);
    again.advance(again.end, WHOLE);
    expect(again.digest()).toBe(opened.digest);
    expect(opened.digest).toBe(lab.endDigest());
  });

  it('says what is wrong with a document, a link and an order, and stays usable', () => {
    expect(() => new Lab('{"brokerlab": 1, "lenght": "4s"}')).toThrow(
      /`lenght` is not known here.*did you mean `length`/,
    );
    expect(() => readLink('#1.AAAA')).toThrow(/damaged/);
    const lab = new Lab(text('one-node-lost'));
    expect(() => lab.order('[{"order": "kill", "node": "broker-11"}]')).toThrow(/did you mean `broker-1`/);
    expect(() => lab.order('[{"order": "explode"}]')).toThrow();
    lab.advance(1e9, WHOLE);
    expect(lab.at).toBe(1e9);
  });

  it('hands over pictures and reports in the shapes that were generated', () => {
    const lab = new Lab(text('one-node-lost'));
    expect(lab.picture(0)).toBeNull();
    expect(lab.layout(0, 700, 460) && lab.layout(1, 700, 460)).toBe(true);
    lab.advance(6e9, WHOLE);
    const picture = lab.picture(0) as Picture;
    expect(picture.cards.map((card) => card.name)).toContain('broker-1');
    expect(picture.cards.find((card) => card.name === 'broker-1')?.health).toBe('powered-off');
    const report = lab.report() as Report;
    expect(report.clusters.log?.produced).toBeGreaterThan(10);
    expect(report.clusters.log?.produced).toBe(report.clusters.queue?.produced);
    expect(lab.series(0).length % 5).toBe(0);
    expect(lab.figure(1440, 680, true)).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
  });

  it('survives the growth of its memory', () => {
    const labs = Array.from({ length: 12 }, () => new Lab(text('one-node-lost')));
    const before = labs[0]?.series(1);
    for (const lab of labs) lab.advance(lab.end, WHOLE);
    expect(before?.length).toBeDefined();
    expect(new Set(labs.map((lab) => lab.digest())).size).toBe(1);
  });
});
