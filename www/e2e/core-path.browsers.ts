// The core path — open, break, rewind, share — in the browsers that are not Chromium, and to the same digests.
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Foreign, firefox, type Tab, until, webkit } from './foreign';
import { type House, open } from './house';

const root = resolve(import.meta.dirname, '../..');
const golden = JSON.parse(readFileSync(`${root}/scenarios/digests.json`, 'utf8')) as Record<string, string>;
const { FIREFOX, WEBKIT_DRIVER, WEBKIT_BROWSER } = process.env;

const browsers: { name: string; launch: (() => Promise<Foreign>) | undefined }[] = [
  { name: 'Firefox', launch: FIREFOX ? () => firefox(FIREFOX) : undefined },
  {
    name: 'WebKit',
    launch: WEBKIT_DRIVER && WEBKIT_BROWSER ? () => webkit(WEBKIT_DRIVER, WEBKIT_BROWSER) : undefined,
  },
];

const NODE = '[data-node="rabbit-2"]';
const isThere = (selector: string) => document.querySelector(selector) !== null;
const isKilled = (selector: string, wanted: boolean) =>
  document.querySelector(selector)?.getAttribute('aria-label')?.includes('killed') === wanted;
const clock = () => Number.parseFloat(document.querySelector('.clock')?.textContent ?? 'NaN');
const digestOf = (link: string) => link.split('.')[2];

async function scrub(tab: Tab, seconds: number): Promise<void> {
  await tab.run((wanted) => {
    const input = document.querySelector('.scrub');
    if (!(input instanceof HTMLInputElement)) return;
    input.value = String(wanted * 1000);
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }, seconds);
  await until(
    tab,
    (wanted) => Math.abs(Number.parseFloat(document.querySelector('.clock')?.textContent ?? '') - wanted) < 0.01,
    seconds,
  );
}

async function share(tab: Tab): Promise<string> {
  await tab.run(() => history.replaceState(null, '', location.pathname));
  await tab.click("//button[normalize-space()='Share']");
  await until(tab, () => location.hash.startsWith('#1.'));
  return tab.run(() => location.hash);
}

/** What is on each stage's canvas: whether anything, and whether within the stage. */
function painted(): { kind: string; drawn: boolean; fits: boolean }[] {
  return [...document.querySelectorAll('bl-stage')].map((stage) => {
    const canvas = stage.querySelector('canvas') ?? document.createElement('canvas');
    const [outer, inner] = [stage.getBoundingClientRect(), canvas.getBoundingClientRect()];
    const copy = document.createElement('canvas');
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const context = copy.getContext('2d');
    context?.drawImage(canvas, 0, 0);
    const pixels = context?.getImageData(0, 0, Math.max(copy.width, 1), Math.max(copy.height, 1)).data ?? [];
    const off = Math.max(
      Math.abs(outer.x - inner.x),
      Math.abs(outer.y - inner.y),
      Math.abs(outer.width - inner.width),
      Math.abs(outer.height - inner.height),
    );
    return {
      // A canvas that has a context of the other kind answers null.
      kind: canvas.getContext('webgl2') ? 'webgl2' : '2d',
      drawn: pixels.some((value) => value !== 0),
      fits: off < 1 && Math.abs(canvas.width - outer.width * devicePixelRatio) < 2,
    };
  });
}

let house: House;
beforeAll(async () => {
  house = await open();
});
afterAll(() => house?.close());

/** For looking at: SHOTS names the folder. */
async function look(tab: Tab, name: string): Promise<void> {
  if (process.env.SHOTS) writeFileSync(`${process.env.SHOTS}/${name}.png`, await tab.screenshot());
}

describe.each(browsers)('$name', ({ name, launch }) => {
  let browser: Foreign | undefined;
  let [version, from] = ['', 0];
  beforeAll(() => {
    from = Date.now();
  });
  // A browser for each attempt: what ended one is not in the way of the next.
  const opened = async () => {
    if (!launch) throw new Error(`${name} is not installed.`);
    browser = await launch();
    version = browser.version;
    return browser;
  };
  afterEach(async () => {
    await browser?.close();
    browser = undefined;
  });
  afterAll(() => {
    const seconds = Math.round((Date.now() - from) / 1000);
    console.log(launch ? `${version}: ${seconds} s` : `${name}: NOT RUN, as it is not installed`);
  });

  it.skipIf(!launch)('opens already playing, and comes to the digest that the run has natively', async () => {
    const tab = await (await opened()).tab();
    await tab.goto(house.address);
    await until(tab, isThere, '[data-node="broker-1"]');
    await until(tab, isThere, NODE);
    const before = await tab.run(clock);
    await until(tab, (then) => Number.parseFloat(document.querySelector('.clock')?.textContent ?? '') > then, before);
    // The verdict comes with the rest of the engines.
    await until(tab, () => document.querySelector('.verdict.log-side dl') !== null);
    expect(await tab.run(() => document.querySelector('.verdict.log-side h2')?.textContent)).toMatch(
      /acknowledged|produced/,
    );
    expect(await tab.run(painted)).toEqual([
      expect.objectContaining({ kind: 'webgl2', fits: true }),
      expect.objectContaining({ kind: 'webgl2', fits: true }),
    ]);
    expect(digestOf(await share(tab))).toBe(golden['one-node-lost']);
    expect(tab.wrong).toEqual([]);
    await tab.close();
  });

  it.skipIf(!launch)('breaks a node, rewinds over it, and shares the exact run with a fresh page', async () => {
    const browser = await opened();
    const tab = await browser.tab();
    await tab.goto(house.address);
    await until(tab, isThere, NODE);
    await tab.click("//button[@aria-label='Pause']");
    await scrub(tab, 3);
    await tab.click("//*[@data-node='rabbit-2']");
    await until(tab, isThere, '.menu ul button');
    await look(tab, `${name}-menu`);
    await tab.click("//*[contains(@class,'menu')]//button[normalize-space()='Kill']");
    await until(tab, isKilled, NODE, true);
    await look(tab, `${name}-broken`);
    await scrub(tab, 2.5);
    await look(tab, `${name}-before`);
    await until(tab, isKilled, NODE, false);
    await scrub(tab, 4);
    await until(tab, isKilled, NODE, true);
    const link = await share(tab);
    expect(digestOf(link)).not.toBe(golden['one-node-lost']);
    expect(tab.wrong).toEqual([]);
    await tab.close();

    const fresh = await browser.tab();
    await fresh.goto(house.address + link);
    await until(fresh, isThere, NODE);
    await fresh.click("//button[@aria-label='Pause']");
    await scrub(fresh, 4);
    await until(fresh, isKilled, NODE, true);
    expect(await fresh.run(isThere, '.banner.bad')).toBe(false);
    expect(digestOf(await share(fresh))).toBe(digestOf(link));
    expect(fresh.wrong).toEqual([]);
    await fresh.close();

    // And Chromium plays the same.
    const { page, context } = await house.visit(link);
    await page.waitForSelector(NODE);
    await page.evaluate(() => history.replaceState(null, '', location.pathname));
    await page.click('text=Share');
    await page.waitForFunction(() => location.hash.startsWith('#1.'));
    expect(digestOf(await page.evaluate(() => location.hash))).toBe(digestOf(link));
    await context.close();
  });
});

describe('Firefox on a phone', () => {
  it.skipIf(!FIREFOX)('shows the picture first, and lives once it is asked to', async () => {
    if (!FIREFOX) return;
    const browser = await firefox(FIREFOX, true);
    try {
      const tab = await browser.tab();
      await tab.goto(house.address);
      await until(tab, isThere, '.shell .start');
      expect(await tab.run(isThere, 'bl-stage')).toBe(false);
      await tab.click("//*[contains(@class,'start')]");
      await until(tab, isThere, NODE);
      const before = await tab.run(clock);
      await until(tab, (then) => Number.parseFloat(document.querySelector('.clock')?.textContent ?? '') > then, before);
      await tab.click("//button[normalize-space()='Queues']");
      await tab.click("//*[@data-node='rabbit-2']");
      await until(tab, isThere, '.menu ul button');
      await look(tab, 'Firefox-phone');
      expect(await tab.run(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
      expect(tab.wrong).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
