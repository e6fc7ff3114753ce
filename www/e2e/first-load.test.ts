// The engines come in two parts: what a first visit runs, then the rest.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { axe, type House, open } from './house';

let house: House;
beforeAll(async () => {
  house = await open();
});
afterAll(() => house.close());

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const REST = '**/rest-*.wasm';
/** Well within what the visit of the build goes through, by the page's clock, in seconds. */
const PLAYED = 2.5;

describe('the first load', () => {
  it.each([
    { name: 'wide', options: {} },
    { name: 'on a phone', options: { viewport: { width: 390, height: 844 }, hasTouch: true } },
  ])('plays and paints without the rest of the engines, $name', async ({ options }) => {
    const { page, context, wrong } = await house.blank(options);
    const asked: string[] = [];
    let go: () => void = () => undefined;
    const held = new Promise<void>((done) => {
      go = done;
    });
    await context.route(REST, async (route) => {
      asked.push(route.request().resourceType());
      await held;
      await route.continue();
    });
    await page.goto(house.address);
    await house.start(page);
    await page.waitForFunction(
      (wanted) => Number.parseFloat(document.querySelector('.clock')?.textContent ?? '0') > wanted,
      PLAYED,
    );
    // Asked for once, by the page and not by a stub, which would have been an `xhr`.
    expect(asked).toEqual(['fetch']);
    expect(await page.locator('.mark').count()).toBe(0);
    // The first step is a line over or under the stages, not a stage of its own.
    expect((await page.locator('.first').boundingBox())?.height).toBeLessThan(120);
    go();
    await page.waitForFunction(() => document.querySelectorAll('.mark').length > 0);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it.each([
    { colorScheme: 'dark' as const, locale: 'en-GB', play: 'Play', shown: ['log-dark.svg'] },
    // The English one is named in the page, and fetched before the language is known.
    { colorScheme: 'light' as const, locale: 'de-DE', play: 'Abspielen', shown: ['log-light.svg', 'log-light.de.svg'] },
  ])('shows a phone a picture, and starts with the first touch, $colorScheme', async ({ play, shown, ...options }) => {
    const { page, context, wrong } = await house.blank({ ...PHONE, ...options, bypassCSP: true });
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url().replace(/.*\//, '')));
    await page.goto(house.address, { waitUntil: 'networkidle' });
    const start = page.locator('.shell .start');
    expect(await start.innerText()).toContain(play);
    const pictured = () => document.querySelector<HTMLImageElement>('.shell img')?.naturalWidth ?? 0;
    expect(await page.evaluate(pictured)).toBeGreaterThan(0);
    // That of its theme, fetched ahead and shown, and no other.
    const pictures = asked.filter((name) => /^log-.*svg$/.test(name));
    expect([...new Set(pictures)]).toEqual(shown);
    // It has the engines already, and has done nothing with them.
    expect(asked.filter((name) => /^first-.*wasm$/.test(name))).toHaveLength(1);
    expect(await page.evaluate(() => customElements.get('bl-lab') === undefined)).toBe(true);
    expect(await axe(page)).toEqual([]);
    await start.tap();
    await page.waitForFunction(() => document.querySelector('.shell') === null);
    await page.waitForSelector('[data-node="broker-1"]');
    await page.waitForFunction(() => Number.parseFloat(document.querySelector('.clock')?.textContent ?? '0') > 2.3);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('plays a link on a phone at once: there is no picture of it', async () => {
    const wide = await house.paused(3);
    await wide.page.click('button.filled:has-text("Share")');
    await wide.page.waitForFunction(() => location.hash.length > 1);
    const hash = await wide.page.evaluate(() => location.hash);
    await wide.context.close();
    const { page, context, wrong } = await house.visit(hash, PHONE);
    await page.waitForSelector('[data-node="broker-1"]');
    expect(await page.locator('.shell').count()).toBe(0);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('breaks a node before the rest has come', async () => {
    const { page, context, wrong } = await house.blank({ reducedMotion: 'reduce' });
    const kinds: string[] = [];
    await context.route(REST, async (route) => {
      kinds.push(route.request().resourceType());
      if (route.request().resourceType() === 'fetch') await new Promise((done) => setTimeout(done, 2_000));
      await route.continue();
    });
    await page.goto(house.address);
    await page.waitForSelector('[data-node="broker-1"]');
    await page.keyboard.press('b');
    await page.waitForFunction(() =>
      [...document.querySelectorAll('[data-node]')].some((node) =>
        /power off/.test(node.getAttribute('aria-label') ?? ''),
      ),
    );
    expect(kinds).toContain('xhr');
    // What the first part began goes on with the rest: the run is looked ahead to its end.
    await page.waitForFunction(() => document.querySelectorAll('.mark.election').length > 1);
    expect(wrong).toEqual([]);
    await context.close();
  });
});
