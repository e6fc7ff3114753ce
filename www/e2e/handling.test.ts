// What the hand does before, beside and around the stages: a page that still loads, a phone, the time line, the panel's edge.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { axe, type House, open } from './house';

let house: House;
beforeAll(async () => {
  house = await open();
});
afterAll(() => house?.close());

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

describe('what a run is about', () => {
  it.each([
    { locale: 'en-GB', name: 'A transaction that hangs', says: /Two applications write to one topic.*comes to itself/ },
    { locale: 'de-DE', name: 'Eine Transaktion, die hängt', says: /Zwei Anwendungen schreiben.*zu sich kommt/ },
  ])('stands in the bar, and all of it is a click or a key away, $locale', async ({ locale, name, says }) => {
    const { page, context, wrong } = await house.visit('', { locale, bypassCSP: true });
    await page.waitForSelector('[data-node="broker-1"]');
    await page.selectOption('.top select', 'hung-transaction');
    await page.waitForFunction((title) => document.title.startsWith(title), name);
    const all = page.locator('#about');
    expect(await all.isVisible()).toBe(false);
    await page.locator('button.what').press('Enter');
    await page.waitForSelector('#about:popover-open');
    expect(await all.innerText()).toMatch(says);
    expect(await axe(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await all.waitFor({ state: 'hidden' });
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('while the engines load', () => {
  it('the page stands, is used, and does what was asked once they are there', async () => {
    const { page, context, wrong } = await house.blank({ reducedMotion: 'reduce' });
    let go: () => void = () => undefined;
    const held = new Promise<void>((done) => {
      go = done;
    });
    await context.route('**/first-*.wasm', async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(house.address);
    await page.waitForSelector('.round');
    expect(await page.locator('.side h2').allTextContents()).toEqual(['Log', 'Queues']);
    expect(await page.locator('[data-node]').count()).toBe(0);
    await page.keyboard.press('?');
    await page.waitForSelector('dialog.shortcuts[open]');
    await page.keyboard.press('Escape');
    await page.keyboard.press('b');
    await page.waitForSelector('.notice');
    await page.click('.round');
    go();
    await house.until(page, 'broker-1', '');
    // Broken, played by that, and paused by the button.
    await page.waitForFunction(() =>
      [...document.querySelectorAll('[data-node]')].some((node) =>
        /power off/.test(node.getAttribute('aria-label') ?? ''),
      ),
    );
    expect(await page.locator('[aria-label="Pause"]').count()).toBe(0);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('another scenario of the gallery may be chosen', async () => {
    const { page, context, wrong } = await house.blank({ reducedMotion: 'reduce' });
    await context.route('**/first-*.wasm', async (route) => {
      await new Promise((done) => setTimeout(done, 700));
      await route.continue();
    });
    await page.goto(house.address);
    await page.selectOption('.top select', 'by-hand');
    await page.waitForFunction(() => /By hand/.test(document.title));
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('on a phone', () => {
  it('one stage is seen at a time, the other is a swipe or a tap away, and the transport is in reach', async () => {
    const { page, context, wrong } = await house.visit('', { ...PHONE, reducedMotion: 'reduce' });
    await page.waitForSelector('[data-node="broker-1"]');
    const seen = () =>
      page
        .locator('bl-stage')
        .evaluateAll((stages) => stages.map((stage) => Math.round(stage.getBoundingClientRect().x)));
    expect(await seen()).toEqual([0, 390]);
    await page.tap('.choice button:nth-child(2)');
    await page.waitForFunction(
      () => document.querySelector('.choice button:nth-child(2)')?.getAttribute('aria-pressed') === 'true',
    );
    await expect.poll(seen).toEqual([-390, 0]);
    // A node's menu opens within what is seen.
    await page.locator('[data-node="rabbit-1"]').tap();
    const menu = await page.locator('.menu').boundingBox();
    expect(menu?.x).toBeGreaterThanOrEqual(0);
    expect((menu?.x ?? 0) + (menu?.width ?? 999)).toBeLessThanOrEqual(390);
    await page.keyboard.press('Escape');
    await page.locator('.sides').evaluate((sides) => sides.scrollTo({ left: 0, behavior: 'instant' }));
    await page.waitForFunction(
      () => document.querySelector('.choice button:nth-child(1)')?.getAttribute('aria-pressed') === 'true',
    );
    const play = await page.locator('.round').boundingBox();
    expect((play?.y ?? 999) + (play?.height ?? 999)).toBeLessThanOrEqual(844);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(await page.textContent('.first')).toContain('swipe');
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('small screens', () => {
  it.each([
    [320, 568],
    [390, 664],
    [844, 390],
    [768, 1024],
  ])('fit at %i by %i: nothing runs over, and commands are a tap away', async (width, height) => {
    const { page, context, wrong } = await house.paused(3, {
      viewport: { width, height },
      isMobile: true,
      hasTouch: true,
    });
    await page.waitForSelector('bl-edge[role="separator"]');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    const play = await page.locator('.round').boundingBox();
    expect((play?.y ?? 9999) + (play?.height ?? 0)).toBeLessThanOrEqual(height);
    await page.locator('.top .commands').tap();
    await page.waitForSelector('bl-palette dialog[open]');
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('the panel of a phone', () => {
  it('is a sheet: a tap on a tab opens it, the handle moves it, and a menu folds it', async () => {
    const { page, context, wrong } = await house.paused(3, PHONE);
    const section = page.locator('bl-lab > section');
    const handle = page.locator('bl-edge[role="separator"]');
    await handle.waitFor();
    /** The sheet's height by the room that it has, once it has come to rest. */
    const part = async () => {
      await section.evaluate((sheet) => Promise.all(sheet.getAnimations().map((one) => one.finished)));
      const [sheet, room] = [await section.boundingBox(), await page.locator('.stages').boundingBox()];
      return (sheet?.height ?? 0) / (room?.height ?? 1);
    };
    const dragged = async (by: number) => {
      const at = await handle.boundingBox();
      if (!at) throw new Error('no handle');
      await page.mouse.move(at.x + at.width / 2, at.y + 10);
      await page.mouse.down();
      await page.mouse.move(at.x + at.width / 2, at.y + 10 + by, { steps: 5 });
      await page.mouse.up();
    };
    expect(await part()).toBeLessThan(0.15);
    // Folded, it covers nothing: the stage ends above it, the transport is below it.
    const stage = await page.locator('bl-stage').first().boundingBox();
    const folded = await section.boundingBox();
    const play = await page.locator('.round').boundingBox();
    expect((stage?.y ?? 0) + (stage?.height ?? 0)).toBeLessThanOrEqual((folded?.y ?? 0) + 1);
    expect((folded?.y ?? 999) + (folded?.height ?? 999)).toBeLessThanOrEqual(play?.y ?? 0);
    const events = page.getByRole('tab', { name: 'Events' });
    await events.tap();
    expect(await part()).toBeGreaterThan(0.5);
    await page.waitForSelector('.events li');
    await dragged(-300);
    expect(await part()).toBe(1);
    await page.keyboard.press('Escape');
    await handle.focus();
    await page.keyboard.press('ArrowDown');
    expect(await part()).toBeLessThan(0.6);
    await dragged(200);
    expect(await part()).toBeLessThan(0.15);
    await events.tap();
    await events.tap();
    expect(await part()).toBeLessThan(0.15);
    await page.locator('bl-events input').focus();
    expect(await part()).toBeGreaterThan(0.5);
    await page.locator('[data-node="orders-1"]').first().tap();
    await page.waitForSelector('.menu');
    expect(await part()).toBeLessThan(0.15);
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('the time line', () => {
  it('shows the stages at the time under the pointer, and stays where it is', async () => {
    const { page, context, wrong } = await house.paused(2);
    await page.waitForFunction(() => document.querySelectorAll('.mark').length > 0);
    const line = await page.locator('.line').boundingBox();
    if (!line) throw new Error('no time line');
    const before = await house.clock(page);
    await page.mouse.move(line.x + line.width * 0.7, line.y + line.height / 2);
    await page.waitForFunction(() => {
      const image = document.querySelector<HTMLImageElement>('.preview img');
      return image?.complete === true && image.naturalWidth > 0;
    });
    const first = await page.getAttribute('.preview img', 'src');
    expect(await page.textContent('.preview p')).toMatch(/s · .*s: /);
    await page.mouse.move(line.x + line.width * 0.1, line.y + line.height / 2);
    await page.waitForFunction((old) => document.querySelector('.preview img')?.getAttribute('src') !== old, first);
    expect(await house.clock(page)).toBe(before);
    await page.mouse.move(line.x + line.width * 0.1, line.y - 200);
    await page.waitForSelector('.preview', { state: 'hidden' });
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('the panel’s edge', () => {
  it('is dragged and moved by keys, says its height, and stays for the next visit', async () => {
    const { page, context, wrong } = await house.paused(2);
    const edge = page.locator('bl-edge[role="separator"]');
    await edge.waitFor({ state: 'attached' });
    const height = async () => (await page.locator('.panel').boundingBox())?.height ?? 0;
    const before = await height();
    await edge.focus();
    await page.keyboard.press('ArrowUp');
    expect(await height()).toBe(before + 32);
    const box = await page.locator('.panel').boundingBox();
    if (!box) throw new Error('no panel');
    await page.mouse.move(700, box.y + 3);
    await page.mouse.down();
    await page.mouse.move(700, box.y + 43, { steps: 4 });
    await page.mouse.up();
    expect(Math.abs((await height()) - (before - 8))).toBeLessThanOrEqual(2);
    expect(Number(await edge.getAttribute('aria-valuenow'))).toBeGreaterThan(100);
    const kept = await height();
    await page.reload();
    await edge.waitFor({ state: 'attached' });
    await expect.poll(height).toBe(kept);
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('the palette', () => {
  it('gets the keys that were typed before it had loaded', async () => {
    const { page, context, wrong } = await house.paused(2);
    await context.route('**/palette-*.js', async (route) => {
      await new Promise((done) => setTimeout(done, 400));
      await route.continue();
    });
    await page.reload();
    await page.waitForSelector('[data-node="broker-1"]');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('lose');
    await page.waitForSelector('bl-palette dialog[open]');
    expect(await page.inputValue('bl-palette input')).toBe('lose');
    // With Enter the command is given at once.
    await page.reload();
    await page.waitForSelector('[data-node="broker-1"]');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('charts');
    await page.keyboard.press('Enter');
    await page.waitForSelector('[role=tab][aria-selected=true]:has-text("Charts")');
    expect(await page.locator('bl-palette dialog[open]').count()).toBe(0);
    expect(wrong).toEqual([]);
    await context.close();
  });
});
