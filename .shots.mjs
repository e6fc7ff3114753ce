import { chromium } from 'playwright-core';
import { serve } from '/tmp/w/serve.mjs';
const { url, stop } = await serve('/tmp/w/tongue/dist');
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
const out = '/tmp/w/tongue-shots/';
async function open(opts, path='?lang=de') {
  const context = await browser.newContext({ reducedMotion: 'reduce', colorScheme: 'dark', ...opts });
  const page = await context.newPage();
  page.on('pageerror', e => console.log('ERR', e.message));
  page.on('console', m => m.type()==='error' && console.log('CON', m.text()));
  await page.goto(url + path);
  if (await page.evaluate(() => document.documentElement.classList.contains('waits'))) { await page.screenshot({path: out+'phone-poster.png'}); await page.tap('.shell .start'); }
  await page.waitForSelector('[data-node="broker-1"]');
  await page.waitForTimeout(1500);
  return page;
}
const scrub = async (page, s) => { await page.locator('.scrub').evaluate((i, v) => { i.value = String(v*1000); i.dispatchEvent(new Event('input', {bubbles:true})); }, s); await page.waitForTimeout(1200); };
const p = await open({ viewport: { width: 1440, height: 900 } });
await scrub(p, 3); await p.screenshot({ path: out + 'desk-3.png' });
await scrub(p, 6); await p.screenshot({ path: out + 'desk-6.png' });
const tabs = p.getByRole('tab');
const names = await tabs.allTextContents(); console.log(names);
for (const n of ['Topologie', 'Nachricht', 'Raumzeit', 'Ereignisse']) { await p.getByRole('tab', { name: n, exact: true }).click(); await p.waitForTimeout(1200);
  if (n === 'Topologie') { await p.click('[data-element="queue:orders"]'); await p.waitForTimeout(700); await p.screenshot({ path: out + 'desk-topo.png', fullPage: true }); await p.click('[data-element="partition:orders-0"]'); await p.waitForTimeout(700); }
  if (n === 'Nachricht') { await p.click('bl-message .listed button'); await p.waitForTimeout(1500); }
  await p.screenshot({ path: out + `desk-${n}.png`, fullPage: true }); }
await p.click('[data-node="rabbit-2"]'); await p.waitForTimeout(600); await p.screenshot({ path: out + 'desk-menu.png' }); await p.keyboard.press('Escape');
await p.keyboard.press('w'); await p.waitForTimeout(800); await p.screenshot({ path: out + 'desk-waits.png' });
const m = await open({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 });
await scrub(m, 6); await m.screenshot({ path: out + 'phone-6.png' });
await m.locator('.sides').evaluate(e => e.scrollTo(9999, 0)); await m.waitForTimeout(1000); await m.screenshot({ path: out + 'phone-queue.png' });
await browser.close(); stop();
