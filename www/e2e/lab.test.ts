// The lab's panels, driven as a reader drives them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, open } from './house';

let house: House;

beforeAll(async () => {
  house = await open();
}, 60_000);

afterAll(() => house.close());

describe('understanding a run', () => {
  it('shows charts over the whole run, and the same as a table', async () => {
    const { page, context, wrong } = await house.paused(6);
    await page.getByRole('tab', { name: 'Charts' }).click();
    await page.waitForSelector('bl-charts .uplot canvas');
    expect(await page.locator('bl-charts .uplot').count()).toBe(5);
    await page.click('text=As a table');
    const rows = await page.locator('bl-charts tbody tr').count();
    expect(rows).toBeGreaterThan(20);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('follows a message from a number of the verdict through its life to its place in time', async () => {
    const { page, context, wrong } = await house.paused(6);
    await page.locator('.verdict.log-side .opens').last().click();
    await page.waitForSelector('bl-message .listed button');
    await page.locator('bl-message .listed button').first().click();
    await page.waitForSelector('bl-message .steps .step');
    const told = (await page.locator('bl-message .steps').textContent()) ?? '';
    expect(told).toContain('handed over by its application');
    await page.fill('bl-message input[name=name]', 'orders-1 #3');
    await page.keyboard.press('Enter');
    await page.waitForSelector('bl-message .life[aria-busy=false] h3:has-text("orders-1 #3")');
    const life = (await page.locator('bl-message .steps').textContent()) ?? '';
    for (const step of [
      'appended to the log',
      'acknowledged to its producer',
      'delivered',
      'processed',
      'for the high watermark',
    ]) {
      expect(life).toContain(step);
    }
    const at = (await page.locator('bl-message .step .when').nth(1).textContent()) ?? '';
    await page.locator('bl-message .step button').nth(2).click();
    await page.waitForFunction((wanted) => document.querySelector('.clock')?.textContent === wanted, at);
    await page.fill('bl-message input[name=name]', 'nobody #3');
    await page.keyboard.press('Enter');
    await page.waitForSelector('bl-message [role=alert]:has-text("orders-1 #1")');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('draws a window as a space-time diagram, whose arrows lead to their messages', async () => {
    const { page, context, wrong } = await house.paused(4);
    await page.getByRole('tab', { name: 'Space-time' }).click();
    await page.waitForSelector('.space-time .arrow.produce', { state: 'attached' });
    await page
      .locator('.space-time .spot', { has: page.locator('.arrow.produce') })
      .first()
      .dispatchEvent('click');
    await page.waitForSelector('.space-time .arrow.mine', { state: 'attached' });
    await page.waitForSelector('.space-time .step', { state: 'attached' });
    expect(await page.textContent('bl-space-time .told')).toContain('orders-');
    await page.selectOption('bl-space-time select', '1');
    await page.waitForSelector('.space-time.queue .lane-name:has-text("rabbit-1")', { state: 'attached' });
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('says why: a rule’s sentence, its settings, and where the broker’s own words are', async () => {
    const { page, context, wrong } = await house.paused(8);
    await page.getByRole('tab', { name: 'Events' }).click();
    await page.fill('bl-events input[type=search]', 'leads');
    await page.locator('bl-events button.rule').first().click();
    await page.waitForSelector('dialog.why[open]');
    expect(((await page.textContent('dialog.why p')) ?? '').length).toBeGreaterThan(30);
    expect(await page.getAttribute('dialog.why a', 'href')).toMatch(/^https:/);
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog.why:not([open])', { state: 'attached' });
    await page.fill('bl-events input[type=search]', 'is fenced: no sign of life');
    await page.locator('bl-events button.rule').first().click();
    await page.waitForSelector('dialog.why[open] a[href*="github.com/apache/kafka/blob/4.2.0/"]');
    await page.click('dialog.why button:has-text("broker.session.timeout.ms")');
    await page.waitForSelector('bl-settings #setting-broker-session-timeout-ms:focus');
    await page.getByRole('tab', { name: 'Events' }).click();
    await page.fill('bl-events input[type=search]', 'no such event');
    await page.waitForSelector('text=No event of this kind');
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('the list of events', () => {
  it('keeps what has just happened in sight, as wide as the panel lets it be', async () => {
    const { page, context, wrong } = await house.paused(3);
    await page.getByRole('tab', { name: 'Events' }).click();
    await page.mouse.move(700, 200);
    await page.waitForFunction(() => document.querySelectorAll('.mark').length > 0);
    for (const seconds of [20, 6]) {
      await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
      await house.scrub(page, seconds);
      await page.waitForFunction((at) => {
        const panel = document.querySelector('.panel')?.getBoundingClientRect();
        const line = document.querySelector('.events [aria-current]');
        const place = line?.getBoundingClientRect();
        const when = Number.parseFloat(line?.querySelector('.when')?.textContent ?? 'NaN');
        return panel && place && when <= at && when > at - 6 && place.top > panel.top && place.bottom < panel.bottom;
      }, seconds);
      const widths = await page.locator('.events .what').evaluateAll((all) => all.map((one) => one.clientWidth));
      expect(Math.min(...widths)).toBeGreaterThan(300);
    }
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('nothing is moving', () => {
  it('says what is waited for, until when, and goes there', async () => {
    const { page, context, wrong } = await house.paused(6);
    await page.keyboard.press('w');
    await page.waitForSelector('dialog.waits[open]');
    expect(await page.textContent('dialog.waits')).toContain('broker.session.timeout.ms');
    await page.locator('dialog.waits .until').first().click();
    await page.waitForFunction(() => document.querySelector('.clock')?.textContent === '15.125 s');
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('breaking and rewinding', () => {
  it('breaks both clusters by a key as one change, which one step of undo takes back', async () => {
    const { page, context, wrong } = await house.paused(3);
    await page.getByRole('tab', { name: 'Tape' }).click();
    const lines = page.locator('bl-tape .orders li');
    await lines.first().waitFor();
    const before = await lines.count();
    await page.keyboard.press('b');
    await house.until(page, 'rabbit-1', 'power off');
    const broken = await lines.count();
    await page.keyboard.press('z');
    await expect.poll(() => lines.count()).toBe(before);
    expect(broken).not.toBe(before);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('mutes, moves and deletes orders, and takes them back', async () => {
    const { page, context, wrong } = await house.paused(6);
    await page.getByRole('tab', { name: 'Tape' }).click();
    await page.waitForSelector('bl-tape li:has-text("broker-1")');
    await house.until(page, 'broker-1', 'powered off|power');
    await page.locator('bl-tape li', { hasText: 'power-off node=broker-1' }).getByText('Mute').click();
    await page.waitForSelector('bl-tape li.muted');
    expect(await house.says(page, 'broker-1')).not.toMatch(/power/);
    await page.click('bl-tape >> text=Undo');
    await house.until(page, 'broker-1', 'power');
    await page.click('bl-tape >> text=Redo');
    await page.waitForSelector('bl-tape li.muted');
    await page.locator('bl-tape li.muted').getByText('Mute').click();
    await house.until(page, 'broker-1', 'power');
    await page.locator('bl-tape li', { hasText: 'power-off node=broker-1' }).getByText('Edit').click();
    await page.fill('bl-tape input[name=fields]', 'node=broker-9');
    await page.click('bl-tape >> text=Save');
    await page.waitForSelector('bl-tape [role=alert]:has-text("there is no node `broker-9`")');
    await page.fill('bl-tape input[name=fields]', 'node=broker-2');
    await page.click('bl-tape >> text=Save');
    await house.until(page, 'broker-2', 'power');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('keeps what an order in the past cut off as a branch, drawn, named and compared', async () => {
    const { page, context, wrong } = await house.paused(3);
    await page.click('[data-node="broker-2"]');
    await page.click('.menu >> text=Kill');
    await page.waitForSelector('.time .branch', { state: 'attached' });
    await page.getByRole('tab', { name: 'Tape' }).click();
    await page.locator('bl-tape .branches input').fill('as it was');
    await page.keyboard.press('Tab');
    await page.click('bl-tape >> text=Compare');
    await page.waitForSelector('bl-tape .difference', { timeout: 30_000 });
    expect(await page.textContent('bl-tape .difference')).toContain('as it was');
    expect(await page.locator('bl-tape .differs').count()).toBeGreaterThan(0);
    await page.click('bl-tape >> text=Go there');
    await house.until(page, 'broker-2', 'broker-2(?!.*killed)');
    await page.waitForSelector('bl-tape li:has-text("power-off node=broker-1")');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('does everything by name from the keyboard: presets, jumps, nodes', async () => {
    const { page, context, wrong } = await house.paused(3);
    const command = async (text: string) => {
      await page.keyboard.press('Control+k');
      await page.waitForSelector('bl-palette dialog[open]');
      await page.waitForSelector('dialog.palette[open]');
      await page.keyboard.type(text);
      await page.keyboard.press('Enter');
    };
    await command('Pause broker-3');
    await house.until(page, 'broker-3', 'paused');
    await command('Tape');
    await command('rolling restart');
    await page.waitForSelector('bl-tape li:has-text("stop cluster=queue node=rabbit-3")');
    await page.keyboard.press(' ');
    const at = await house.clock(page);
    await page.keyboard.press('n');
    expect(await house.clock(page)).toBeGreaterThan(at);
    await page.keyboard.press('p');
    await page.keyboard.press('?');
    await page.waitForSelector('dialog.shortcuts[open]');
    await page.keyboard.press('Escape');
    await page.keyboard.press('l');
    await page.waitForSelector('.time .loop', { state: 'attached' });
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('settings', () => {
  it('are forms with the real names; what is refused says why; what is changed is marked and played', async () => {
    const { page, context, wrong } = await house.paused(6);
    await page.getByRole('tab', { name: 'Settings' }).click();
    await page.waitForSelector('#setting-acks');
    await page.fill('#setting-linger-ms', '-5');
    await page.keyboard.press('Tab');
    await page.waitForSelector('bl-settings [role=alert]:has-text("linger.ms")');
    await page.fill('#setting-linger-ms', '50');
    await page.keyboard.press('Tab');
    await page.waitForSelector('li.differs:has(#setting-linger-ms)');
    await page.click('bl-settings >> text=Play with these');
    await page.waitForFunction(
      () => document.querySelector('bl-settings input#setting-linger-ms') instanceof HTMLInputElement,
    );
    expect(await page.inputValue('#setting-linger-ms')).toBe('50');
    expect(Math.abs((await house.clock(page)) - 6)).toBeLessThan(2);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('can be played while one is still being typed, by button or Enter, and name the few words that one takes', async () => {
    const { page, context, wrong } = await house.paused(6);
    await page.getByRole('tab', { name: 'Settings' }).click();
    await page.locator('#setting-acks').click();
    await page.keyboard.press('Control+a');
    await page.keyboard.type('1');
    await page.waitForSelector('bl-settings button:has-text("Watch side by side"):enabled');
    const values = page.locator('#setting-acks-values option');
    expect(await values.evaluateAll((all) => all.map((one) => one.getAttribute('value')))).toEqual(['0', '1', 'all']);
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => /acks=1/.test(document.querySelector('.log-side header')?.textContent ?? ''));
    await page.selectOption('bl-settings select', 'queue.config');
    await page.fill('#setting-credit_flow_default_credit', '[100, 50]');
    await page.fill('#setting-vm_memory_high_watermark-relative', '0.5');
    await page.fill('#setting-quorum_cluster_size', '1');
    await page.keyboard.press('Enter');
    await page.waitForSelector('li.differs:has(#setting-quorum_cluster_size) >> text=3');
    expect(await page.locator('bl-settings [role=alert]').count()).toBe(0);
    await page.waitForSelector('bl-settings button:has-text("Watch side by side"):disabled');
    expect(await page.inputValue('#setting-credit_flow_default_credit')).toBe('[100,50]');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('of a topic are changed while it runs, as an order', async () => {
    const { page, context, wrong } = await house.paused(4);
    await page.getByRole('tab', { name: 'Settings' }).click();
    await page.selectOption('bl-settings select', 'log.topics[].config');
    await page.fill('#setting-min-insync-replicas', '3');
    await page.keyboard.press('Tab');
    await page.getByRole('button', { name: 'Now: min.insync.replicas' }).click();
    await page.keyboard.press('6');
    await page.waitForSelector('bl-tape li:has-text("set-topic-config")');
    await house.scrub(page, 5);
    await page.keyboard.press('5');
    await page.waitForSelector('bl-events:has-text("orders: min.insync.replicas is 3 now")');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('of a queue, of publishers and consumers are forms, too, and are refused with the broker’s words', async () => {
    const { page, context, wrong } = await house.paused(4);
    await page.getByRole('tab', { name: 'Settings' }).click();
    await page.selectOption('bl-settings select', 'queue.queues[].arguments');
    await page.fill('#setting-x-max-priority', '5');
    await page.keyboard.press('Tab');
    await page.waitForSelector('bl-settings [role=alert]:has-text("x-max-priority")');
    await page.fill('#setting-x-max-priority', '');
    await page.fill('#setting-x-max-length', '20');
    await page.fill('#setting-x-overflow', 'reject-publish');
    await page.keyboard.press('Tab');
    await page.selectOption('bl-settings select', 'queue.consumer');
    await page.fill('#setting-prefetch_count', '3');
    await page.keyboard.press('Tab');
    expect(await page.locator('bl-settings [role=alert]').count()).toBe(0);
    await page.click('bl-settings >> text=Play with these');
    await page.waitForFunction(() =>
      /prefetch 3/.test(document.querySelector('.queue-side header')?.textContent ?? ''),
    );
    await page.selectOption('bl-settings select', 'queue.queues[].arguments');
    expect(await page.inputValue('#setting-x-max-length')).toBe('20');
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('are text, too: checked by the engine, with its words', async () => {
    const { page, context, wrong } = await house.paused(6);
    await page.getByRole('tab', { name: 'Settings' }).click();
    await page.click('text=The document as text');
    await page.waitForSelector('bl-editor .cm-content');
    await page.locator('bl-editor .cm-content').click();
    await page.keyboard.press('Control+a');
    await page.keyboard.insertText('{ "log": { "brokers": "three" } }');
    await page.waitForSelector('bl-editor .cm-lint-marker-error');
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Backspace');
    await page.keyboard.type('{ "log": { "producer": { "acks": "al');
    await page.locator('bl-editor .cm-completionLabel', { hasText: 'all' }).click();
    const line = await page.locator('bl-editor .cm-line').first().textContent();
    expect(line).toContain('"acks": "all"');
    expect(line).not.toContain('""');
    // What is typed there is no key of the lab's.
    expect(await page.locator('dialog[open]').count()).toBe(0);
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('by hand', () => {
  it('one message is published, and its life can be followed', async () => {
    const { page, context, wrong } = await house.paused(3);
    await page.click('[data-node="orders-2"]');
    await page.click('.menu >> text=Publish one');
    await page.keyboard.press('6');
    await page.waitForSelector('bl-tape li:has-text("publish-one cluster=log node=orders-2")');
    expect(wrong).toEqual([]);
    await context.close();
  });
});

describe('the first minutes', () => {
  it('are three steps, each done by doing it, and do not come back', async () => {
    const { page, context, wrong } = await house.visit('');
    await page.waitForSelector('.first li.now:has-text("Watch")');
    await page.waitForSelector('.first li.now:has-text("Break")', { timeout: 30_000 });
    await page.keyboard.press('b');
    await page.waitForSelector('.first li.now:has-text("Rewind")');
    await house.scrub(page, 1);
    await page.waitForSelector('.first', { state: 'detached' });
    await page.reload();
    await page.waitForSelector('[data-node="broker-1"]');
    expect(await page.$('.first')).toBeNull();
    expect(wrong).toEqual([]);
    await context.close();
  });

  it('make a link slow and lossy by a command', async () => {
    const { page, context, wrong } = await house.paused(3);
    await page.keyboard.press('/');
    await page.waitForSelector('bl-palette dialog[open]');
    await page.keyboard.type('lossy link');
    await page.keyboard.press('Enter');
    await page.keyboard.press('6');
    await page.waitForSelector('bl-tape li:has-text("slow-link")');
    expect(await page.textContent('bl-tape li:has-text("slow-link")')).toContain('loss_percent=5');
    expect(wrong).toEqual([]);
    await context.close();
  });
});
