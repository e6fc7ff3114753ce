// Big stages and many messages: zoom, pan, and streams with their rate.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, open } from './house';

let house: House;

beforeAll(async () => {
  house = await open();
}, 60_000);

afterAll(() => house.close());

const LOG = 'bl-stage svg.stage.log';

/** What is seen of the log's stage: x, y, width, height. */
async function view(page: Page): Promise<number[]> {
  await page.waitForTimeout(60);
  return ((await page.getAttribute(LOG, 'viewBox')) ?? '').split(' ').map(Number);
}

async function card(page: Page, node: string) {
  const box = await page.locator(`.log-side [data-node="${node}"]`).boundingBox();
  if (!box) throw new Error(`${node} is not on the page`);
  return box;
}

describe('zooming a stage', () => {
  it('has buttons, lays out anew for more room, and fits again', async () => {
    const { page, context, wrong } = await house.paused(4.5);
    const side = page.locator('.side.log-side');
    const before = await card(page, 'broker-1');
    expect(await side.getByRole('button', { name: 'Fit' }).count()).toBe(0);
    await side.getByRole('button', { name: 'Zoom in' }).click();
    await side.getByRole('button', { name: 'Zoom in' }).click();
    expect(await side.locator('output').textContent()).toBe('225 %');
    const [, , width = 0] = await view(page);
    const after = await card(page, 'broker-1');
    expect(after.width).toBeGreaterThan(before.width * 1.5);
    expect(await page.locator(LOG).getAttribute('width')).toBe(String(width));
    await side.getByRole('button', { name: 'Fit' }).click();
    expect((await view(page)).slice(0, 2)).toEqual([0, 0]);
    expect(await side.locator('output').count()).toBe(0);
    expect((await card(page, 'broker-1')).width).toBeCloseTo(before.width, 0);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('goes by keys: plus, minus, nought, and arrows only while it is zoomed', async () => {
    const { page, context, wrong } = await house.paused(4.5);
    const at = await house.clock(page);
    await page.locator('[data-node="broker-2"]').focus();
    await page.keyboard.press('+');
    await page.keyboard.press('+');
    const zoomed = await view(page);
    await page.keyboard.press('ArrowDown');
    const moved = await view(page);
    expect(moved[1]).toBe((zoomed[1] ?? 0) + 60);
    expect(await house.clock(page)).toBe(at);
    await page.locator('.log-side [data-node="fulfil-2"]').focus();
    const stage = (await page.locator(LOG).boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    await view(page);
    const seen = await card(page, 'fulfil-2');
    expect(seen.x).toBeGreaterThanOrEqual(stage.x);
    expect(seen.x + seen.width).toBeLessThanOrEqual(stage.x + stage.width);
    await page.keyboard.press('0');
    expect((await view(page)).slice(0, 2)).toEqual([0, 0]);
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(
      (was) => Number.parseFloat(document.querySelector('.clock')?.textContent ?? '') > was,
      at,
    );
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('goes by wheel with the control key, and by drag; a wheel alone is the page’s', async () => {
    const { page, context, wrong } = await house.paused(4.5);
    const { x, y, width, height } = await card(page, 'broker-2');
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.wheel(0, -200);
    const before = await view(page);
    expect(before.slice(0, 2)).toEqual([0, 0]);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -200);
    await page.mouse.wheel(0, -200);
    await page.keyboard.up('Control');
    const zoomed = await view(page);
    expect(zoomed[0]).toBeGreaterThan(0);
    await page.mouse.down();
    await page.mouse.move(x + width / 2 - 40, y + height / 2 - 30, { steps: 4 });
    await page.mouse.up();
    const dragged = await view(page);
    expect(dragged[0]).toBeGreaterThan((zoomed[0] ?? 0) + 20);
    expect(await page.locator('bl-node-menu').count()).toBe(0);
    // A click is still a click.
    await page.mouse.down();
    await page.mouse.up();
    await page.waitForSelector('bl-node-menu');
    // It stays within the stages: the transport is in reach.
    await expect
      .poll(async () => {
        const [menu, play] = [
          await page.locator('.menu').boundingBox(),
          await page.locator('bl-transport').boundingBox(),
        ];
        return menu !== null && menu.height > 100 && play !== null && menu.y + menu.height <= play.y;
      })
      .toBe(true);
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('a part of a face', () => {
  it('is inspected and taken into focus from its node, where it was clicked', async () => {
    const { page, context, wrong } = await house.paused(4);
    const card = await page.locator('[data-node="broker-2"]').boundingBox();
    if (!card) throw new Error('no broker-2');
    // The second of three rows.
    await page.mouse.click(card.x + card.width / 2, card.y + 28 + ((card.height - 34) / 3) * 1.5);
    const menu = page.locator('.menu');
    await menu.getByRole('button', { name: 'Inspect: orders-1' }).waitFor();
    await menu.getByRole('button', { name: 'Focus: orders' }).first().click();
    await expect.poll(() => page.locator('.log-side').getByLabel('In focus').inputValue()).not.toBe('-1');
    await page.mouse.click(card.x + card.width / 2, card.y + 28 + ((card.height - 34) / 3) * 1.5);
    await menu.getByRole('button', { name: 'Inspect: orders-1' }).click();
    await page.waitForSelector('bl-inspector h3:has-text("Partition orders-1")');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('has a menu for a link, with what is slow seen on it', async () => {
    const { page, context, wrong } = await house.paused(4);
    await page.locator('.link-hit').first().dispatchEvent('click');
    await page.locator('bl-link-menu').getByRole('button', { name: 'Slow link' }).click();
    await page.waitForSelector('.link.slow', { state: 'attached' });
    await page.locator('.link-hit').first().dispatchEvent('click');
    await page.waitForSelector('bl-link-menu p:has-text("slow or lossy")');
    await page.locator('bl-link-menu').getByRole('button', { name: 'Heal the link' }).click();
    await page.waitForFunction(() => document.querySelector('.link.slow') === null);
    await page.locator('.link-hit').first().dispatchEvent('click');
    await page.locator('bl-link-menu').getByRole('button', { name: 'Inspect' }).click();
    await page.waitForSelector('bl-inspector h3:has-text("Link ")');
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('settings while it runs', () => {
  it('are given to brokers and queues as the brokers’ own tools take them', async () => {
    const { page, context, wrong } = await house.paused(4);
    const give = async (node: string, name: string, value: string) => {
      await page.click(`[data-node="${node}"]`);
      if ((await page.locator('.menu details[open]').count()) === 0) await page.click('.menu summary');
      const field = page.locator('.menu').getByRole('textbox', { name });
      await field.fill(value);
      await field.press('Enter');
    };
    await give('rabbit-1', 'set_policy', 'short ^orders$ {"max-lenght":5}');
    await page.waitForSelector('.menu [role=alert]:has-text("max-length")');
    await give('rabbit-1', 'set_policy', '--priority 3 short ^orders$ {"message-ttl":5000}');
    await page.waitForFunction(() => document.querySelector('.menu') === null);
    await give('broker-1', 'entity-default', 'log.retention.hours=1');
    await page.waitForSelector('.menu [role=alert]:has-text("log.retention")');
    await give('broker-1', 'entity-default', 'log.retention.ms=60000');
    await page.waitForFunction(() => document.querySelector('.menu') === null);
    await give('broker-2', 'entity-name 2', 'message.max.bytes=2000000');
    await page.waitForFunction(() => document.querySelector('.menu') === null);
    await page.keyboard.press('6');
    await page.waitForSelector('bl-tape li:has-text("set-policy"):has-text("message-ttl")');
    await page.waitForSelector('bl-tape li:has-text("set-broker-config"):has-text("log.retention.ms")');
    await page.waitForSelector('bl-tape li:has-text("set-broker-config"):has-text("message.max.bytes")');
    await page.keyboard.press('5');
    await page.waitForSelector('.events .what:has-text("short")');
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('a poison message', () => {
  it('is a preset: everyone fails on it', async () => {
    const { page, context, wrong } = await house.paused(8);
    await page.keyboard.press('/');
    await page.keyboard.type('poison message: every');
    await page.keyboard.press('Enter');
    await page.keyboard.press('5');
    await page.waitForSelector('.events .what:has-text("fulfil-1: its application fails on messages of key")');
    await page.waitForSelector('.events .what:has-text("fails and ends: its application threw an exception")');
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('focus', () => {
  it('is chosen in the head of a stage or by name, and the rest fades', async () => {
    const { page, context, wrong } = await house.paused(1);
    const two = {
      brokerlab: 1,
      title: 'Two queues',
      seed: 1,
      length: '20s',
      workload: {
        producers: [
          { name: 'a', rate: '5/s' },
          { name: 'b', rate: '5/s' },
        ],
        consumers: [{ name: 'c', processing: '1ms' }],
      },
      queue: {
        nodes: 1,
        queues: [{ name: 'orders' }, { name: 'bills' }],
        clients: { b: { publisher: { routing_key: 'bills' } } },
      },
    };
    await page.evaluate((text) => {
      const lab = document.querySelector('bl-lab');
      if (lab) (lab as unknown as { openText(text: string): void }).openText(text);
    }, JSON.stringify(two));
    await page.waitForSelector('[data-node="c"]');
    const faded = () =>
      page
        .locator('.stage .node.faded [data-node]')
        .evaluateAll((all) => all.map((one) => one.getAttribute('data-node')));
    expect(await faded()).toEqual([]);
    await page.getByLabel('In focus').selectOption({ label: 'Queue bills' });
    await page.waitForSelector('.stage .node.faded');
    expect(await faded()).toEqual(['a', 'c']);
    expect(await house.says(page, 'rabbit-1')).not.toContain('orders');
    // An order lays the stage out anew, with what is in focus.
    await page.keyboard.press('b');
    await page.waitForSelector('.mark.fault');
    expect(await faded()).toEqual(['a', 'c']);
    await page.keyboard.press('Control+k');
    await page.waitForSelector('bl-palette dialog[open]');
    await page.keyboard.type('In focus: everything');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('.stage .node.faded') === null);
    // The head is drawn after the stage.
    await expect.poll(() => page.getByLabel('In focus').inputValue()).toBe('-1');
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('many messages', () => {
  it('flow as streams with their rate, by the link and in its name', async () => {
    const { page, context, wrong } = await house.paused(1);
    const crowd = {
      brokerlab: 1,
      title: 'Many',
      seed: 1,
      length: '20s',
      workload: {
        producers: [{ name: 'source', rate: '3120/s', keys: 1 }],
        consumers: [{ name: 'sink', processing: '1us' }],
      },
      network: { clients: { latency: '1s' } },
      queue: {
        nodes: 1,
        queues: [{ name: 'q' }],
        publisher: { confirms: false },
        consumer: { no_ack: true, prefetch_count: 0 },
      },
    };
    await page.evaluate((text) => {
      const lab = document.querySelector('bl-lab');
      if (lab) (lab as unknown as { openText(text: string): void }).openText(text);
    }, JSON.stringify(crowd));
    await page.waitForSelector('[data-node="sink"]');
    await house.scrub(page, 8);
    await page.waitForSelector('bl-stage text.rate');
    const labels = await page.locator('bl-stage text.rate').allTextContents();
    expect(labels).toContain('3,120 msg/s');
    const link = await page.locator('.link-hit[aria-label*="source"]').getAttribute('aria-label');
    expect(link).toMatch(/source → rabbit-1: 3,120 msg\/s, 3,1\d\d in flight/);
    expect(wrong).toEqual([]);
    await context.close();
  });
});
