// The topology as a graph, the inspector, focus, and branches in links.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { axe, type House, open, type Visit } from './house';

const root = resolve(import.meta.dirname, '../..');

let house: House;
beforeAll(async () => {
  house = await open();
});
afterAll(() => house?.close());

const tab = (page: Page, name: string) => page.getByRole('tab', { name }).click();
const element = (id: string) => `[data-element="${id}"]`;
const says = async (page: Page, id: string) => (await page.getAttribute(element(id), 'aria-label')) ?? '';

/** The lab with a document of the gallery, changed, at a second of the run. */
async function opened(name: string, seconds: number, change: (run: Record<string, never>) => void): Promise<Visit> {
  const visit = await house.paused(1);
  const run = JSON.parse(readFileSync(`${root}/scenarios/${name}.json`, 'utf8')) as Record<string, never>;
  change(run);
  await visit.page.setInputFiles('input[type=file]', {
    name: 'mine.json',
    mimeType: 'application/json',
    buffer: Buffer.from(JSON.stringify(run)),
  });
  await visit.page.waitForFunction(() => document.querySelector('[data-node="broker-1"]') === null);
  await visit.page.waitForSelector('[data-node="rabbit-1"]');
  await house.scrub(visit.page, seconds);
  return visit;
}

describe('two runs side by side', () => {
  it('shows a branch beside this run, keeps up with its playhead, marks what differs, and is only watched', async () => {
    const { page, context, wrong } = await house.paused(3, { bypassCSP: true });
    await page.keyboard.press('6');
    await page.locator('bl-tape').getByRole('button', { name: 'Keep this run as a branch' }).click();
    await page.keyboard.press('b');
    await page.keyboard.press(' ');
    await house.scrub(page, 4.1);
    await page.locator('bl-tape').getByRole('button', { name: 'Watch side by side' }).first().click();
    const beside = page.locator('bl-beside');
    const [here, there] = [beside.locator('.side').nth(0), beside.locator('.side').nth(1)];
    await here.locator('[data-node="broker-1"]').waitFor();
    const health = (side: typeof here) => side.locator('[data-node="broker-1"]').getAttribute('aria-label');
    // The scenario's own fault comes later than the one that was given here.
    await expect.poll(() => health(here)).toContain('power off');
    await expect.poll(() => there.locator('.differs dt').allTextContents()).toContain('acknowledged');
    const acknowledged = async (side: typeof here) =>
      Number((await side.locator('dd').first().innerText()).replace(/\D/g, ''));
    expect(await acknowledged(there)).toBeGreaterThan(await acknowledged(here));
    // Back before either fault both are the same.
    await house.scrub(page, 2.5);
    await expect.poll(() => beside.locator('.differs').count()).toBe(0);
    await there.locator('[data-node="broker-2"]').click();
    await page.waitForSelector('.notice:has-text("only watched")');
    expect(await page.locator('.menu').count()).toBe(0);
    await here.locator('[data-node="broker-2"]').click();
    await page.waitForSelector('.menu');
    await page.keyboard.press('Escape');
    await beside.getByRole('button', { name: 'Queues' }).click();
    await there.locator('[data-node="rabbit-1"]').waitFor();
    expect(await axe(page)).toEqual([]);
    await beside.getByRole('button', { name: 'Back to both clusters' }).click();
    await page.waitForSelector('.queue-side [data-node="rabbit-1"]');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('shows other settings beside this run, and what came of them where both stand', async () => {
    const { page, context, wrong } = await house.paused(20);
    await page.keyboard.press('7');
    await page.fill('#setting-linger-ms', '500');
    await page.keyboard.press('Tab');
    await page.locator('bl-settings').getByRole('button', { name: 'Watch side by side' }).click();
    await page.waitForSelector('bl-beside .side:nth-child(2) [data-node="broker-1"]');
    expect(await page.locator('bl-beside h2').allTextContents()).toHaveLength(2);
    // The other run comes to this one's place later, while nothing else moves.
    const processed = page.locator('bl-beside .side:nth-child(2) .figures div:nth-child(2) dd');
    await expect.poll(async () => Number.parseInt(await processed.innerText(), 10)).toBeGreaterThan(50);
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('the topology', () => {
  it('stands from top to bottom in a narrow room, all of it in sight', async () => {
    const { page, context, wrong } = await house.paused(4, { viewport: { width: 390, height: 844 } });
    await page.keyboard.press('8');
    await page.waitForSelector(element('partition:orders-0'));
    const frames = page.locator('bl-topology .frame');
    for (const frame of await frames.all()) {
      expect(await frame.evaluate((one) => one.scrollWidth - one.clientWidth)).toBeLessThan(2);
    }
    const [producer, queue] = ['producer:orders-1', 'queue:orders'].map((id) => page.locator(element(id)).last());
    expect((await producer?.boundingBox())?.y ?? 0).toBeLessThan((await queue?.boundingBox())?.y ?? 0);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('shows both clusters, counts at the playhead, and follows a new leader', async () => {
    const { page, context, wrong } = await house.paused(4, { bypassCSP: true });
    await page.keyboard.press('8');
    await page.waitForSelector(element('partition:orders-0'));
    expect(await says(page, 'partition:orders-0')).toContain('at broker-1');
    expect(await says(page, 'queue:orders')).toMatch(/quorum.*at rabbit-1.*ready \d+.*delivers to fulfil-1/);
    expect(await says(page, 'producer:orders-1')).toContain('publishes to');
    const before = await says(page, 'partition:orders-0');
    await house.scrub(page, 24);
    await page.waitForFunction(
      ([selector, old]) => document.querySelector(selector ?? '')?.getAttribute('aria-label') !== old,
      [element('partition:orders-0'), before],
    );
    expect(await says(page, 'partition:orders-0')).not.toContain('at broker-1');
    // The same as a list.
    await page.locator('bl-topology .queue-side summary').click();
    expect(await page.locator('bl-topology .queue-side tbody tr').count()).toBe(
      await page.locator('bl-topology .queue-side [data-element]').count(),
    );
    expect(await axe(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('draws alternates and dead letters, takes what is chosen into focus, and inspects it beside', async () => {
    const { page, context, wrong } = await opened('dead-letters', 12, (run) => {
      const queue = run.queue as unknown as Record<string, unknown>;
      queue.exchanges = [
        { name: 'shop', type: 'topic', arguments: { 'alternate-exchange': 'rest' } },
        { name: 'rest', type: 'fanout' },
      ];
      queue.bindings = [
        { source: 'shop', destination: 'keeps', routing_key: 'order.*' },
        { source: 'rest', destination: 'dropped' },
      ];
    });
    await tab(page, 'Topology');
    await page.waitForSelector(element('exchange:shop'));
    expect(await page.locator('.way.dead-letter').count()).toBe(2);
    expect(await page.locator('.way.alternate').count()).toBe(1);
    await page.focus(element('queue:keeps'));
    await page.keyboard.press('Enter');
    await page.waitForSelector('[data-node="careless"]');
    await page.waitForFunction(() => document.querySelectorAll('.node.faded').length > 0);
    expect(await page.locator('.link.faded').count()).toBeGreaterThan(0);
    await page.waitForSelector('bl-topology bl-inspector >> text=dead letters that wait for their target');
    expect(await page.textContent('bl-topology bl-inspector')).toContain('x-dead-letter-strategy = at-least-once');
    await page.click(element('queue:keeps'));
    await page.waitForFunction(() => document.querySelectorAll('.node.faded').length === 0);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('stays readable with a hundred queues, on a phone, too', async () => {
    const { page, context, wrong } = await opened('dead-letters', 4, (run) => {
      const queue = run.queue as unknown as {
        queues: object[];
        clients: object;
        exchanges: object[];
        bindings: object[];
      };
      for (let more = queue.queues.length; more < 100; more += 1) queue.queues.push({ name: `more-${more}` });
      queue.exchanges = [{ name: 'all', type: 'topic' }];
      queue.bindings = Array.from({ length: 96 }, (_, more) => ({
        source: 'all',
        destination: `more-${more + 4}`,
        routing_key: `more.${more}.#`,
      }));
    });
    await tab(page, 'Topology');
    await page.waitForSelector(element('queue:more-99'));
    expect(await page.locator('[data-element^="queue:"]').count()).toBe(100);
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 844 });
      await page.waitForTimeout(300);
      const sizes = await page.locator(`.element:has(${element('queue:more-50')}) text.name`).boundingBox();
      expect(sizes?.height ?? 0).toBeGreaterThan(7);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    }
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('the inspector', () => {
  it('says of a node what stands, by the playhead, and leads to rules, settings and links', async () => {
    const { page, context, wrong } = await house.paused(4, { bypassCSP: true });
    await page.click('[data-node="broker-1"]');
    await page.locator('.menu').getByRole('button', { name: 'Inspect', exact: true }).click();
    await page.waitForSelector('bl-inspector .facts');
    const facts = () => page.locator('bl-inspector .facts').innerText();
    expect(await facts()).toMatch(/orders-0\s+leader, epoch \d+/);
    expect(await page.textContent('bl-inspector')).toContain('group.initial.rebalance.delay.ms = 500');
    await house.scrub(page, 8);
    await page.waitForFunction(() =>
      document.querySelector('bl-inspector .facts')?.textContent?.includes('powered off'),
    );
    expect(await page.textContent('bl-inspector')).toContain('broker-1 loses power');
    expect(await axe(page)).toEqual([]);
    await page.locator('bl-inspector .facts .rule').first().click();
    await page.waitForSelector('dialog.why[open]');
    await page.keyboard.press('Escape');
    await page.locator('bl-inspector .thing', { hasText: 'orders-0' }).click();
    await page.waitForSelector('bl-inspector h3:has-text("Partition orders-0")');
    expect(await facts()).toContain('in sync');
    await page.click('bl-inspector >> text=Focus: Topic orders');
    await page.locator('bl-inspector details summary', { hasText: 'defaults' }).click();
    await page.locator('bl-inspector details button', { hasText: 'retention.ms' }).first().click();
    await page.waitForFunction(() => document.activeElement?.id === 'setting-retention-ms');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('inspects a link, an order and an event, and carries out what is asked there', async () => {
    const { page, context, wrong } = await house.paused(4);
    await page.click('[data-node="rabbit-2"]');
    await page.locator('.menu').getByRole('button', { name: 'Inspect', exact: true }).click();
    await page.locator('bl-inspector summary', { hasText: 'Its links' }).click();
    await page.locator('bl-inspector button', { hasText: 'rabbit-2 – rabbit-3' }).click();
    await page.click('bl-inspector >> text=Cut one way');
    await page.waitForSelector('.link.cut-one-way', { state: 'attached' });
    await page.waitForFunction(() => document.querySelector('bl-inspector .facts')?.textContent?.includes('cut, '));
    await tab(page, 'Tape');
    await page.locator('bl-tape button.inspect', { hasText: 'cut' }).click();
    await page.waitForSelector('bl-inspector h3:has-text("Order cut")');
    await page.click('bl-inspector >> text=Delete');
    await page.waitForSelector('.link.cut-one-way', { state: 'detached' });
    await tab(page, 'Events');
    await page.locator('bl-events li button').first().click();
    await tab(page, 'Inspector');
    await page.waitForSelector('bl-inspector h3:has-text("Event")');
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('branches', () => {
  it('go with the link, and any two are compared, as are settings', async () => {
    const { page, context, wrong } = await house.paused(3);
    await page.click('[data-node="rabbit-2"]');
    await page.click('.menu >> text=Kill');
    await tab(page, 'Tape');
    await page.locator('bl-tape .branches input').first().fill('as it was');
    await page.keyboard.press('Tab');
    await page.click('bl-tape >> text=Keep this run as a branch');
    await page.click('text=Share');
    await page.waitForFunction(() => location.hash.startsWith('#1.'));
    const link = await page.evaluate(() => location.hash);
    expect(wrong).toEqual([]);
    await context.close();

    const other = await house.visit(link, { reducedMotion: 'reduce' });
    await other.page.waitForSelector('[data-node="rabbit-2"]');
    expect(await other.page.$('.banner.bad')).toBeNull();
    await tab(other.page, 'Tape');
    await other.page.waitForSelector('bl-tape .branches input');
    expect(await other.page.locator('bl-tape .branches input').first().inputValue()).toBe('as it was');
    expect(await other.page.locator('bl-tape .branches input').count()).toBe(2);
    await other.page.locator('bl-tape form.two button').click();
    await other.page.waitForSelector('bl-tape table.difference .differs');
    expect(await other.page.locator('bl-tape table.difference').first().locator('thead th').allTextContents()).toEqual([
      'At the end',
      'as it was',
      'Branch 2',
    ]);
    await tab(other.page, 'Settings');
    await other.page.fill('#setting-acks', '0');
    await other.page.keyboard.press('Tab');
    await other.page.click('bl-settings >> text=Compare');
    await other.page.waitForSelector('bl-settings table.difference .differs');
    expect(other.wrong).toEqual([]);
    await other.context.close();
  });
});
