// The page in German, in forced colours, at 200 % and on paper.
import axeCore from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { words } from '../src/words';
import { catalogue } from '../src/words.de';
import { english as englishIn } from '../test/english';
import { type House, open } from './house';

let house: House;

beforeAll(async () => {
  house = await open();
});

afterAll(() => house?.close());

const GERMAN = { locale: 'de-DE' };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** Texts of the English catalogue that are others in German. */
function english(one: object, other: object): string[] {
  return Object.entries(one).flatMap(([key, text]) => {
    const there = (other as Record<string, unknown>)[key];
    if (typeof text === 'string') return text === there ? [] : [text];
    return english(text as object, there as object);
  });
}
const ENGLISH = english({ ...words, language: {} }, catalogue.words);

/** All that the page says in its own language: texts and the labels of what has one. */
const told = (page: Page) =>
  page.evaluate(() => {
    const own = (element: Element | null) => !element?.closest('[lang="en"]');
    const said: string[] = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      if (own(node.parentElement)) said.push(node.textContent?.trim() ?? '');
    }
    for (const element of document.querySelectorAll('[aria-label], [title], [placeholder]')) {
      if (!own(element)) continue;
      for (const name of ['aria-label', 'title', 'placeholder']) said.push(element.getAttribute(name)?.trim() ?? '');
    }
    return said.filter((text) => text !== '');
  });

/** English texts among what is said: a whole text, or a longer one within another. */
async function left(page: Page): Promise<string[]> {
  const said = await told(page);
  expect(said.length).toBeGreaterThan(40);
  return ENGLISH.filter((text) =>
    said.some((one) => one === text || (text.length > 11 && text.includes(' ') && one.includes(text))),
  );
}

/** What the stages and a part of the page say, with their labels, and the tips of the faces. */
const partly = (page: Page, part: string) =>
  page.evaluate((wanted) => {
    const said: string[] = [];
    for (const root of document.querySelectorAll(`bl-stage, ${wanted}`)) {
      const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
      for (let node = walk.nextNode(); node; node = walk.nextNode()) {
        if (!node.parentElement?.closest('[lang="en"], code')) said.push(node.textContent ?? '');
      }
      for (const element of root.querySelectorAll('[aria-label], [title]')) {
        for (const name of ['aria-label', 'title']) said.push(element.getAttribute(name) ?? '');
      }
      const { picture } = root as unknown as { picture?: { cards?: { tips: { text: string }[] }[] } };
      said.push(...(picture?.cards?.flatMap(({ tips }) => tips.map(({ text }) => text)) ?? []));
    }
    return said.map((text) => text.trim()).filter((text) => text !== '');
  }, part);

/** English in what the engines say there, of which there have to be so many texts. */
async function engines(page: Page, part: string, least: number): Promise<string[]> {
  const said = await partly(page, part);
  expect([part, said.length >= least]).toEqual([part, true]);
  // The scenario's group is called so.
  return englishIn(said.map((text) => text.replace(/\bgroup\b/g, '')));
}

const wide = (page: Page) => page.evaluate(() => Math.max(document.documentElement.scrollWidth, innerWidth));

/** Buttons whose words run out of them, but for the line that opens all of its words. */
const clipped = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('button:not(.what), [role="tab"]')]
      .filter((button) => button.offsetWidth > 0 && button.scrollWidth > button.clientWidth + 1)
      .map((button) => button.textContent?.trim()),
  );

async function flaws(page: Page): Promise<string[]> {
  await page.evaluate(axeCore.source);
  return page.evaluate(async () => {
    const axe = (globalThis as unknown as { axe: typeof axeCore }).axe;
    return (await axe.run()).violations.map((flaw) => `${flaw.id}: ${flaw.nodes[0]?.html}`);
  });
}

describe('in German', () => {
  it('opens, breaks and shows every tab without an English word of the catalogue', async () => {
    const { page, context, wrong } = await house.paused(3, GERMAN);
    expect(await page.getAttribute('html', 'lang')).toBe('de');
    expect(await page.textContent('.clock')).toBe('3,000 s');
    expect(await left(page)).toEqual([]);
    await page.keyboard.press('b');
    await house.until(page, 'broker-1', 'Strom weg');
    await page.keyboard.press(' ');
    expect(await page.textContent('.verdict.log-side h2')).toMatch(/bestätigte/);
    for (let tab = 0; tab < 7; tab += 1) {
      await page.getByRole('tab').nth(tab).click();
      await page.waitForTimeout(500);
      expect([tab, await left(page)]).toEqual([tab, []]);
      expect([tab, await flaws(page)]).toEqual([tab, []]);
    }
    await page.getByRole('tab').nth(4).click();
    await page.waitForSelector('.events .what:has-text("verliert den Strom")');
    await page.click('[data-node="rabbit-3"]');
    expect(await left(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    expect(await left(page)).toEqual([]);
    await page.keyboard.press('Escape');
    expect(await clipped(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('has no English on faces, in their tips, in facts, the topology, waits and lives', async () => {
    const { page, context, wrong } = await house.paused(3, GERMAN);
    expect(await engines(page, '.side header', 60)).toEqual([]);
    expect(await house.says(page, 'broker-1')).toMatch(/führt .*Log-Ende \d/);
    await page.keyboard.press('b');
    await house.until(page, 'broker-1', 'Strom weg');
    await page.keyboard.press(' ');
    await page.waitForTimeout(600);
    await page.keyboard.press(' ');
    expect(await engines(page, '.side header', 60)).toEqual([]);
    const tab = (name: string) => page.getByRole('tab', { name, exact: true }).click();
    const { panels } = catalogue.words;
    await tab(panels.topology);
    await page.click('[data-element="queue:orders"]');
    await page.waitForSelector('bl-inspector .facts');
    expect(await page.textContent('bl-inspector .facts')).toMatch(/verfügbar.*unacked/s);
    expect(await engines(page, 'bl-topology', 100)).toEqual([]);
    await page.click('[data-element="partition:orders-0"]');
    expect(await engines(page, 'bl-inspector .facts', 80)).toEqual([]);
    await tab(panels.spaceTime);
    // The first is a lane's, and flat.
    await page.waitForSelector('bl-space-time .spot', { state: 'attached' });
    expect(await engines(page, 'bl-space-time', 100)).toEqual([]);
    await tab(panels.message);
    await page.click('bl-message .listed button');
    await page.waitForSelector('bl-message .steps .step');
    expect(await engines(page, 'bl-message', 60)).toEqual([]);
    await page.click('[data-node="rabbit-3"]');
    expect(await engines(page, 'bl-node-menu h3, bl-node-menu > p', 60)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.keyboard.press('w');
    await page.waitForSelector('dialog.waits[open] li');
    expect(await engines(page, 'bl-waits', 60)).toEqual([]);
    expect(await page.textContent('dialog.waits')).toMatch(/wartet/);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('fits a phone', async () => {
    const { page, context, wrong } = await house.paused(6, { ...GERMAN, ...PHONE });
    expect(await wide(page)).toBe(390);
    expect(await clipped(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('is chosen by the bar, with the run that is watched, and stays', async () => {
    const asked: string[] = [];
    const { page, context } = await house.paused(3, { locale: 'en-GB', serviceWorkers: 'block' });
    page.on('request', (request) => asked.push(request.url()));
    await page.reload();
    await page.waitForSelector('[data-node="broker-1"]');
    // English readers do not load it.
    expect(asked.some((url) => url.includes('words-'))).toBe(true);
    expect(asked.filter((url) => url.includes('words.de'))).toEqual([]);
    expect(await page.getAttribute('html', 'lang')).toBe('en');
    await page.click('[data-node="rabbit-2"]');
    await page.click('.menu >> text=Kill');
    await page.click('button.language');
    await page.waitForSelector('html[lang="de"] [data-node="rabbit-2"]');
    expect(asked.filter((url) => url.includes('words.de'))).toHaveLength(1);
    expect(new URL(page.url()).hash).toMatch(/^#1\./);
    await page.getByRole('tab').nth(4).click();
    await page.waitForSelector('.events .what:has-text("rabbit-2 wird abgeschossen")');
    // The choice is kept where the address says nothing.
    await page.goto(page.url().replace(/[?#].*/, ''));
    await page.waitForSelector('html[lang="de"] [data-node="rabbit-2"]');
    await page.goto(`${page.url()}?lang=en`);
    await page.waitForSelector('html[lang="en"] [data-node="rabbit-2"]');
    await context.close();
  });
});

describe('for other eyes', () => {
  it('keeps states apart in forced colours', async () => {
    const { page, context, wrong } = await house.paused(6, { forcedColors: 'active' });
    const look = await page.evaluate(() => {
      const probe = document.createElement('i');
      document.body.append(probe);
      probe.style.color = 'CanvasText';
      const text = getComputedStyle(probe).color;
      probe.remove();
      const style = (query: string) => {
        const element = document.querySelector(query);
        if (!element) throw new Error(query);
        return getComputedStyle(element);
      };
      return {
        words: style('.stage text.name').fill === text,
        card: style('.stage .card').stroke === text,
        fault: style('.time .mark.fault line').strokeWidth,
        election: style('.time .mark.election line').strokeWidth,
        chosen: style('[role="tab"][aria-selected="true"]').borderBottomWidth,
        other: style('[role="tab"][aria-selected="false"]').borderBottomWidth,
      };
    });
    expect(look).toEqual({ words: true, card: true, fault: '4px', election: '2px', chosen: '3px', other: '2px' });
    expect(wrong).toEqual([]);
    await context.close();
  });

  it.each(['en-GB', 'de-DE'])('shows all at twice the size, %s', async (locale) => {
    const small = { viewport: { width: 720, height: 450 }, deviceScaleFactor: 2, locale };
    const { page, context, wrong } = await house.paused(6, small);
    expect(await wide(page)).toBe(720);
    expect(await clipped(page)).toEqual([]);
    for (const stage of await page.locator('bl-stage').all())
      expect((await stage.boundingBox())?.height).toBeGreaterThan(400);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('prints the stages and the verdict on a light page, and nothing to press', async () => {
    const { page, context, wrong } = await house.paused(6, { colorScheme: 'dark' });
    expect(await page.getAttribute('html', 'class')).toContain('dark');
    await page.emulateMedia({ media: 'print', colorScheme: 'dark', reducedMotion: 'reduce' });
    await page.waitForSelector('html.light');
    for (const gone of ['bl-transport', '.actions', '.tabs', 'bl-stage-tools']) {
      expect([gone, await page.locator(gone).first().isVisible()]).toEqual([gone, false]);
    }
    for (const kept of ['bl-stage svg', '.verdict.log-side h2', '.verdict.queue-side h2'])
      expect([kept, await page.locator(kept).first().isVisible()]).toEqual([kept, true]);
    const pdf = (await page.pdf({ preferCSSPageSize: true })).toString('latin1');
    expect(pdf.match(/\/Type\s*\/Page\b/g)).toHaveLength(1);
    await page.emulateMedia({ media: 'screen' });
    await page.waitForSelector('html.dark');
    expect(wrong).toEqual([]);
    await context.close();
  });
});
