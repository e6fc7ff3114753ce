// The build in dist/ as a host serves it, under a strict policy from a path, and a real Chromium to visit it with.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, resolve } from 'node:path';
import axeCore from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const root = resolve(import.meta.dirname, '../..');
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};
/** The page must work from any path. */
const PATH = '/some/where/';
/** As the page's own, and no less strict; what is fetched ahead goes by `default-src` in Firefox. */
const CSP =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data: blob:; object-src 'none'; media-src 'none'";

export interface Visit {
  page: Page;
  context: BrowserContext;
  /** What went wrong on the page, and requests to anyone else. */
  wrong: string[];
}

type Options = Parameters<Browser['newContext']>[0];

/** A server and a browser for the tests of one file. */
export class House {
  constructor(
    private readonly browser: Browser,
    readonly address: string,
    private readonly stop: () => void,
  ) {}

  async visit(path: string, options: Options = {}): Promise<Visit> {
    const visit = await this.blank(options);
    await visit.page.goto(this.address + path);
    await this.start(visit.page);
    return visit;
  }

  /** A page that has been nowhere yet, for what has to listen from the first request on. */
  async blank(options: Options = {}): Promise<Visit> {
    const context = await this.browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    const page = await context.newPage();
    const wrong: string[] = [];
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
    page.on(
      'request',
      (request) => !/^(http:\/\/localhost|data:|blob:)/.test(request.url()) && wrong.push(request.url()),
    );
    return { page, context, wrong };
  }

  /** A phone shows a picture until it is touched. */
  async start(page: Page): Promise<void> {
    if (!(await page.evaluate(() => document.documentElement.classList.contains('waits')))) return;
    await page.tap('.shell .start');
    await page.waitForFunction(() => document.querySelector('.shell') === null);
  }

  /** The lab, paused at a second of the run. */
  async paused(seconds: number, options: Options = {}): Promise<Visit> {
    const visit = await this.visit('', { reducedMotion: 'reduce', ...options });
    await visit.page.waitForSelector('[data-node="broker-1"], [data-node="rabbit-1"]');
    await this.scrub(visit.page, seconds);
    return visit;
  }

  /** The clock, once it shows what was done last: panels change some thirty times a second. */
  async clock(page: Page): Promise<number> {
    await page.waitForTimeout(80);
    return Number.parseFloat((await page.textContent('.clock')) ?? 'NaN');
  }

  async says(page: Page, node: string): Promise<string> {
    return (await page.getAttribute(`[data-node="${node}"]`, 'aria-label')) ?? '';
  }

  /** Waits until what a node says matches. */
  async until(page: Page, node: string, pattern: string): Promise<void> {
    await page.waitForFunction(
      ([name, wanted]) =>
        new RegExp(wanted ?? '').test(
          document.querySelector(`[data-node="${name}"]`)?.getAttribute('aria-label') ?? '',
        ),
      [node, pattern],
    );
  }

  /** Scrubs to a time by the time line's own control. */
  async scrub(page: Page, seconds: number): Promise<void> {
    await page.locator('.scrub').evaluate((input, value) => {
      if (!(input instanceof HTMLInputElement)) return;
      input.value = String(value * 1000);
      input.dispatchEvent(new Event('input', { bubbles: true }));
    }, seconds);
    await page.waitForFunction(
      (wanted) =>
        Math.abs(Number.parseFloat(document.querySelector('.clock')?.textContent ?? '') - wanted) < 0.01 ||
        document.querySelector('[aria-label="Pause"]') !== null,
      seconds,
    );
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.stop();
  }
}

/** Serves dist/; answers the address, and how to end it. */
async function serve(): Promise<{ address: string; stop: () => void }> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '/').split('?')[0] ?? '/');
    const name = path.startsWith(PATH) ? path.slice(PATH.length) || 'index.html' : '';
    const file = join(root, 'dist', name);
    if (!name || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    const strict = name === 'example.html' ? {} : { 'content-security-policy': CSP };
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', ...strict });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const bound = server.address();
  const address = `http://localhost:${typeof bound === 'object' && bound ? bound.port : 0}${PATH}`;
  return { address, stop: () => server.close() };
}

export async function open(): Promise<House> {
  const { address, stop } = await serve();
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const args = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const browser = await chromium.launch({ executablePath, args });
  return new House(browser, address, stop);
}

/** What axe finds wrong with a page, which has to be opened with `bypassCSP`. */
export async function axe(page: Page): Promise<string[]> {
  await page.evaluate(axeCore.source);
  return page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    return (await axe.run()).violations.map((violation) => `${violation.id}: ${violation.nodes[0]?.html}`);
  });
}
