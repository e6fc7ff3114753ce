// Twelve states of the lab: each is reached without a complaint and without a line that runs off the page.
// `SHOTS=1` writes what they look like into docs/states.
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, open } from './house';

const folder = resolve(import.meta.dirname, '../../docs/states');
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
let house: House;

beforeAll(async () => {
  house = await open();
});

afterAll(() => house?.close());

const tab = (page: Page, name: string) => page.getByRole('tab', { name }).click();
const choose = (page: Page, scenario: string) => page.selectOption('header select', scenario);

interface State {
  at: number;
  dark: boolean;
  phone?: boolean;
  scenario?: string;
  /** Goes there, and waits until it is there. */
  reach(page: Page): Promise<unknown>;
}

const states: Record<string, State> = {
  'both-clusters': { at: 4.05, dark: true, reach: (page) => page.waitForSelector('.verdict.log-side h2') },
  'a-node-lost': { at: 5.3, dark: true, reach: (page) => page.waitForSelector('text=power off') },
  'a-node-lost-light': { at: 12, dark: false, reach: (page) => page.waitForSelector('text=power off') },
  charts: {
    at: 20,
    dark: true,
    reach: async (page) => {
      await tab(page, 'Charts');
      await page.waitForSelector('.uplot canvas');
    },
  },
  'space-time': {
    at: 4.1,
    dark: true,
    reach: async (page) => {
      await tab(page, 'Space-time');
      await page.waitForSelector('.arrow.produce', { state: 'attached' });
      await page.locator('bl-space-time').evaluate((panel) => panel.scrollIntoView());
    },
  },
  'life-of-a-message': {
    at: 6,
    dark: false,
    reach: async (page) => {
      await tab(page, 'Message');
      await page.locator('bl-message .listed button').first().click();
      await page.waitForSelector('bl-message .steps .step');
    },
  },
  'branches-compared': {
    at: 3,
    dark: true,
    reach: async (page) => {
      await page.click('[data-node="broker-2"]');
      await page.click('.menu >> text=Kill');
      await tab(page, 'Tape');
      await page.click('bl-tape >> text=Compare');
      await page.waitForSelector('bl-tape .difference', { timeout: 30_000 });
    },
  },
  settings: {
    at: 6,
    dark: false,
    reach: async (page) => {
      await tab(page, 'Settings');
      await page.waitForSelector('#setting-acks');
    },
  },
  commands: {
    at: 4,
    dark: true,
    reach: async (page) => {
      await page.keyboard.press('Control+k');
      await page.waitForSelector('bl-palette dialog[open]');
      await page.keyboard.type('kill');
      await page.waitForSelector('.palette li');
    },
  },
  waiting: {
    at: 6,
    dark: true,
    reach: async (page) => {
      await page.keyboard.press('w');
      await page.waitForSelector('dialog.waits[open]');
    },
  },
  phone: { at: 5.3, dark: true, phone: true, reach: (page) => page.waitForSelector('text=power off') },
  'phone-dead-letters': {
    at: 3,
    dark: false,
    phone: true,
    scenario: 'dead-letters',
    reach: (page) => page.waitForSelector('[data-node="rabbit-1"]'),
  },
};

describe('twelve states', () => {
  it.each(Object.entries(states))('%s', async (name, state) => {
    const { page, context, wrong } = await house.paused(0, {
      colorScheme: state.dark ? 'dark' : 'light',
      ...(state.phone ? PHONE : {}),
    });
    await page.click('[aria-label="Close the first steps"]');
    if (state.scenario) await choose(page, state.scenario);
    await house.scrub(page, state.at);
    await state.reach(page);
    await page.waitForTimeout(300);
    expect(wrong).toEqual([]);
    // A phone makes the page wider where something runs off it: then it is wider than the screen.
    const width = state.phone ? PHONE.viewport.width : 1440;
    expect(await page.evaluate(() => Math.max(document.documentElement.scrollWidth, innerWidth))).toBe(width);
    if (process.env.SHOTS) {
      mkdirSync(folder, { recursive: true });
      await page.screenshot({ path: `${folder}/${name}.jpg`, type: 'jpeg', quality: 62 });
    }
    await context.close();
  });
});
