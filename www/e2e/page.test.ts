// The page as a person uses it: the build in dist/, served from a path, in a real Chromium.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, open } from './house';

const root = resolve(import.meta.dirname, '../..');
const golden = JSON.parse(readFileSync(`${root}/scenarios/digests.json`, 'utf8')) as Record<string, string>;

let house: House;

beforeAll(async () => {
  house = await open();
});

afterAll(() => house?.close());

const visit: House['visit'] = (path, options) => house.visit(path, options);
const clock = (page: Page) => house.clock(page);
const says = (page: Page, node: string) => house.says(page, node);
const scrub = (page: Page, seconds: number) => house.scrub(page, seconds);

async function shareLink(page: Page): Promise<string> {
  await page.click('text=Share');
  await page.waitForFunction(() => location.hash.startsWith('#1.'));
  return page.evaluate(() => location.hash);
}

describe('the lab', () => {
  it('opens already playing, both clusters side by side, with nothing asked of anyone else', async () => {
    const { page, context, wrong } = await visit('');
    await page.waitForSelector('[data-node="broker-1"]');
    await page.waitForSelector('[data-node="rabbit-1"]');
    const before = await clock(page);
    await page.waitForTimeout(1500);
    expect(await clock(page)).toBeGreaterThan(before);
    expect(await page.textContent('.verdict.log-side h2')).toMatch(/acknowledged|produced/);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('breaks a node by a click, rewinds over it, and shares a link that plays the exact run elsewhere', async () => {
    const { page, context, wrong } = await visit('');
    await page.waitForSelector('[data-node="rabbit-2"]');
    await page.click('[aria-label="Pause"]');
    await scrub(page, 3);
    await page.click('[data-node="rabbit-2"]');
    await page.click('.menu >> text=Kill');
    await page.waitForFunction(() =>
      document.querySelector('[data-node="rabbit-2"]')?.getAttribute('aria-label')?.includes('killed'),
    );
    await scrub(page, 2.5);
    await page.waitForFunction(
      () => !document.querySelector('[data-node="rabbit-2"]')?.getAttribute('aria-label')?.includes('killed'),
    );
    await scrub(page, 4);
    await page.waitForFunction(() =>
      document.querySelector('[data-node="rabbit-2"]')?.getAttribute('aria-label')?.includes('killed'),
    );
    const link = await shareLink(page);
    expect(wrong).toEqual([]);
    await context.close();

    const other = await visit(link);
    await other.page.waitForSelector('[data-node="rabbit-2"]');
    await scrub(other.page, 4);
    await other.page.waitForFunction(() =>
      document.querySelector('[data-node="rabbit-2"]')?.getAttribute('aria-label')?.includes('killed'),
    );
    expect(await other.page.$('.banner.bad')).toBeNull();
    // The digest that the second browser comes to is the one in the link.
    expect((await shareLink(other.page)).split('.')[2]).toBe(link.split('.')[2]);
    expect(other.wrong).toEqual([]);
    await other.context.close();
  });

  it('comes to the digest that the run has natively', async () => {
    const { page, context } = await visit('');
    await page.waitForSelector('[data-node="rabbit-2"]');
    expect((await shareLink(page)).split('.')[2]).toBe(golden['one-node-lost']);
    await context.close();
  });

  it('says so when a link is damaged, and when the rules have changed since', async () => {
    const { page, context } = await visit('');
    await page.waitForSelector('[data-node="rabbit-2"]');
    const link = await shareLink(page);
    await context.close();

    const damaged = await visit(`${link.slice(0, 60)}!${link.slice(61)}`);
    await damaged.page.waitForSelector('text=This link cannot be opened');
    await damaged.page.click('text=Play the example');
    await damaged.page.waitForSelector('[data-node="broker-1"]');
    await damaged.context.close();

    const [form, text] = link.split('.');
    const changed = await visit(`${form}.${text}.0123456789abcdef`);
    await changed.page.waitForSelector('text=The rules have changed since this link was made');
    await changed.context.close();
  });

  it('is driven by the keyboard, and cuts a link', async () => {
    const { page, context, wrong } = await visit('');
    await page.waitForSelector('[data-node="broker-2"]');
    await page.keyboard.press(' ');
    await page.waitForSelector('[aria-label="Play"]');
    await scrub(page, 3);
    await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
    const at = await clock(page);
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(
      (before) => Number.parseFloat(document.querySelector('.clock')?.textContent ?? '') >= before,
      at,
    );
    await page.focus('[data-node="broker-2"]');
    await page.keyboard.press('Enter');
    await page.click('.menu >> text=Pause');
    await page.waitForFunction(() =>
      document.querySelector('[data-node="broker-2"]')?.getAttribute('aria-label')?.includes('paused'),
    );
    await page.locator('.link-hit').first().dispatchEvent('click');
    await page.waitForSelector('bl-link-menu li button:focus');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.link.cut', { state: 'attached' });
    await page.keyboard.press('z');
    await page.waitForFunction(() => document.querySelector('.link.cut') === null);
    expect(await says(page, 'broker-2')).toContain('paused');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('starts paused for readers who want less motion', async () => {
    const { page, context } = await visit('', { reducedMotion: 'reduce' });
    await page.waitForSelector('[aria-label="Play"]');
    const at = await clock(page);
    await page.waitForTimeout(600);
    expect(await clock(page)).toBe(at);
    await context.close();
  });

  it('refuses a document with the place and the nearest name, and plays one that is given', async () => {
    const { page, context } = await visit('');
    await page.waitForSelector('[data-node="broker-1"]');
    const text = readFileSync(`${root}/scenarios/one-node-lost.json`, 'utf8');
    const file = (content: string) => ({
      name: 'mine.json',
      mimeType: 'application/json',
      buffer: Buffer.from(content),
    });
    await page.setInputFiles('input[type=file]', file(text.replace('"acks"', '"aks"')));
    await page.waitForSelector('text=unknown setting aks; did you mean acks?');
    await page.click('text=Play the example');
    await page.waitForSelector('[data-node="broker-1"]');
    await page.setInputFiles('input[type=file]', file(text.replace('"brokers": 3', '"brokers": 4')));
    await page.waitForSelector('[data-node="broker-4"]');
    await context.close();
  });

  it('plays a transcript of a real broker as a run', async () => {
    const { page, context, wrong } = await visit('');
    await page.waitForSelector('[data-node="broker-1"]');
    await page.setInputFiles('input[type=file]', `${root}/transcripts/rabbitmq/prefetch-window.json`);
    await page.waitForFunction(() => document.querySelector('[data-node="broker-1"]') === null);
    await page.waitForSelector('[data-node="rabbit-1"]');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('has nothing that axe finds, in both themes, and on a phone', async () => {
    const axe = readFileSync(`${root}/node_modules/axe-core/axe.min.js`, 'utf8');
    for (const options of [
      { colorScheme: 'dark' as const },
      { colorScheme: 'light' as const },
      { colorScheme: 'dark' as const, viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
    ]) {
      const { page, context } = await visit('', { ...options, bypassCSP: true });
      await page.waitForSelector('[data-node="broker-1"]');
      await page.click('[aria-label="Pause"]');
      await page.waitForTimeout(400);
      await page.addScriptTag({ content: axe });
      for (const tab of [
        'Verdict',
        'Charts',
        'Space-time',
        'Message',
        'Events',
        'Tape',
        'Settings',
        'Topology',
        'Inspector',
      ]) {
        await page.getByRole('tab', { name: tab }).click();
        await page.waitForTimeout(200);
        const found = await page.evaluate(async () => {
          const { axe } = window as unknown as {
            axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
          };
          return (await axe.run()).violations.map((violation) => `${violation.id}: ${violation.nodes[0]?.html}`);
        });
        expect(found.map((one) => `${tab}: ${one}`)).toEqual([]);
      }
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
      await context.close();
    }
  });

  it('works offline after the first visit', async () => {
    const { page, context } = await visit('');
    await page.waitForSelector('[data-node="broker-1"]');
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.waitForTimeout(1000);
    await context.setOffline(true);
    await page.reload();
    await page.waitForSelector('[data-node="broker-1"]');
    await context.close();
  });
});

describe('the embed', () => {
  it('plays in an iframe of a plain page, and offers the lab', async () => {
    const { page, context, wrong } = await visit('example.html');
    const frame = page.frameLocator('iframe');
    await frame.locator('[data-node="broker-1"]').waitFor();
    await frame.locator('.verdict.queue-side h2').waitFor();
    expect(await frame.locator('a:has-text("Open in the lab")').getAttribute('href')).toContain('index.html');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('plays what its fragment holds, and says so if that is damaged', async () => {
    const { page, context } = await visit('');
    await page.waitForSelector('[data-node="rabbit-2"]');
    await page.click('[data-node="rabbit-2"]');
    await page.click('.menu >> text=Kill');
    const link = await shareLink(page);
    await context.close();
    const embedded = await visit(`embed.html${link}`);
    await embedded.page.waitForSelector('[data-node="rabbit-2"]');
    expect(await embedded.page.locator('a:has-text("Open in the lab")').getAttribute('href')).toContain(link);
    await embedded.context.close();
    const damaged = await visit(`embed.html${link.slice(0, 40)}`);
    await damaged.page.waitForSelector('text=This link cannot be opened');
    await damaged.context.close();
  });

  it.each([
    [700, 460],
    [390, 460],
    [320, 400],
  ])(
    'fits a frame of %i by %i: servers have room for their rows, and both clusters are in reach',
    async (width, height) => {
      const { page, context, wrong } = await visit('embed.html', { viewport: { width, height } });
      await page.waitForSelector('[data-node="fulfil-2"]');
      const box = async (what: string) =>
        (await page.locator(what).first().boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
      const server = await box('.log-side [data-node="broker-3"]');
      expect(server.height).toBeGreaterThan(44);
      const transport = await box('bl-transport');
      const controller = await box('.log-side [data-node="controller-1"]');
      expect(controller.y + controller.height).toBeLessThanOrEqual(transport.y);
      expect(await page.evaluate(() => document.documentElement.scrollHeight <= innerHeight)).toBe(true);
      const other = page.getByRole('button', { name: 'Queues' });
      if (width < 620) await other.click();
      await page.waitForFunction(() => {
        const place = document.querySelector('.queue-side [data-node="rabbit-1"]')?.getBoundingClientRect();
        return place && place.left >= 0 && place.right <= innerWidth;
      });
      expect(wrong).toEqual([]);
      await context.close();
    },
  );
});
