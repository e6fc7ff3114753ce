// A lesson without load: everything by hand, on both clusters, as a teacher clicks through it.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, open } from './house';

let house: House;

beforeAll(async () => {
  house = await open();
}, 60_000);

afterAll(() => house.close());

/** The scenario, playing fast. */
async function lesson() {
  const visit = await house.visit('', { reducedMotion: 'reduce' });
  const { page } = visit;
  await page.waitForSelector('[data-node="broker-1"]');
  await page.selectOption('select[aria-label="Scenario"]', { label: 'By hand: publish, ack, commit, one at a time' });
  await page.waitForSelector('.log-side [data-node="fulfil"]');
  return visit;
}

const node = (side: 'log' | 'queue', name: string) => `.${side}-side [data-node="${name}"]`;

async function menu(page: Page, side: 'log' | 'queue', name: string) {
  await page.locator(node(side, name)).dispatchEvent('click');
  await page.waitForSelector(`bl-node-menu[aria-label="${name}"]`);
}

/** Lets time pass by jumping ahead: nothing but what was ordered happens. */
async function later(page: Page, seconds: number) {
  const now = await house.clock(page);
  await house.scrub(page, now + seconds);
}

const has = (page: Page, text: string) => page.waitForSelector(`bl-by-hand:has-text("${text}")`);
const click = (page: Page, name: string) =>
  page.locator('bl-node-menu').getByRole('button', { name, exact: true }).click();

describe('a lesson by hand', () => {
  it('on the queue: publish, see it arrive, ack; nack; kill before the ack', async () => {
    const { page, context, wrong } = await lesson();
    await house.scrub(page, 4);
    await menu(page, 'queue', 'orders');
    await click(page, 'Publish one');
    await later(page, 2);
    await menu(page, 'queue', 'fulfil');
    await has(page, '1 held');
    await has(page, 'orders #1');
    await click(page, 'Ack #1');
    await later(page, 1);
    await has(page, '0 held');
    await page.keyboard.press('m');
    await later(page, 2);
    await has(page, 'orders #2');
    await click(page, 'Nack #2');
    await later(page, 2);
    await has(page, 'tag 3');
    await click(page, 'Kill');
    await later(page, 2);
    await menu(page, 'queue', 'fulfil');
    await click(page, 'Start');
    await later(page, 5);
    await menu(page, 'queue', 'fulfil');
    await has(page, 'orders #2');
    await page.keyboard.press('a');
    await later(page, 2);
    await has(page, '0 held');
    await page.keyboard.press('a');
    await page.waitForSelector('.notice:has-text("fulfil holds nothing: publish one")');
    await page.keyboard.press('5');
    await page.waitForSelector('bl-events:has-text("fulfil nacks delivery 2: back into the queue")');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('on the log: publish, poll, commit; kill before the commit, and it comes again', async () => {
    const { page, context, wrong } = await lesson();
    await house.scrub(page, 4);
    await menu(page, 'log', 'fulfil');
    await click(page, 'Commit');
    await page.waitForSelector('bl-by-hand [role=alert]:has-text("poll first, so that it joins")');
    await menu(page, 'log', 'orders');
    await click(page, 'Publish one');
    await later(page, 1);
    await click(page, 'Publish one');
    await later(page, 1);
    await menu(page, 'log', 'fulfil');
    await page.fill('bl-by-hand input[name=most]', '1');
    await click(page, 'Poll');
    await has(page, 'waits in poll()');
    await later(page, 4);
    await has(page, '1 polled, not committed');
    await click(page, 'Commit');
    await later(page, 1);
    await has(page, '0 polled');
    await page.keyboard.press('g');
    await later(page, 2);
    await has(page, 'orders-0 @ 1');
    await click(page, 'Kill');
    await later(page, 2);
    await menu(page, 'log', 'fulfil');
    await click(page, 'Start');
    await later(page, 10);
    await menu(page, 'log', 'fulfil');
    await click(page, 'Poll');
    await later(page, 5);
    await has(page, 'orders-0 @ 1');
    await page.keyboard.press('c');
    await later(page, 1);
    await has(page, '0 polled');
    expect(await page.textContent('.verdict.log-side')).toMatch(/1\s*twice|processed more than once|twice\s*1/);
    await page.keyboard.press('z');
    await has(page, '1 polled');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('takes a consumer at work in hand, by the palette, and lets it go', async () => {
    const { page, context, wrong } = await house.paused(8);
    await page.keyboard.press('Control+k');
    await page.waitForSelector('bl-palette dialog[open]');
    await page.keyboard.type('Take in hand: fulfil-1, Queues');
    await page.keyboard.press('Enter');
    await later(page, 2);
    await menu(page, 'queue', 'fulfil-1');
    await has(page, 'held');
    await click(page, 'Ack all');
    await click(page, 'Let go');
    await page.waitForSelector('bl-by-hand button:has-text("Take in hand")');
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('clients that come and go', () => {
  it('a consumer joins both clusters while it runs, shares with its group, and leaves', async () => {
    const { page, context, wrong } = await house.paused(6);
    await menu(page, 'log', 'fulfil-1');
    await click(page, 'One more like it');
    await page.waitForSelector(node('log', 'fulfil-3'));
    await page.waitForSelector(node('queue', 'fulfil-3'));
    const row = await page.locator('.log-side [data-node^="fulfil-"]').count();
    expect(row).toBe(3);
    await house.scrub(page, 38);
    await house.until(page, 'fulfil-3', 'reads|joining the group');
    await menu(page, 'log', 'fulfil-3');
    await click(page, 'Leave');
    await later(page, 2);
    await house.until(page, 'fulfil-3', 'stopp');
    await page.keyboard.press('z');
    await page.keyboard.press('z');
    await page.waitForSelector(node('log', 'fulfil-3'), { state: 'detached' });
    await page.keyboard.press('/');
    await page.waitForSelector('bl-palette dialog[open]');
    await page.keyboard.type('One more like it: orders-1');
    await page.keyboard.press('Enter');
    await page.waitForSelector(node('queue', 'orders-3'));
    expect(wrong).toEqual([]);
    await context.close();
  });
});
