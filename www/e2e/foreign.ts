// Firefox and WebKit as they are installed, each by its own protocol, behind the few calls that the core path needs.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer, { type BrowserContext, type Page } from 'puppeteer-core';

/** What runs in the page: it is sent as text, and must know nothing but its arguments. */
type InPage<A extends unknown[], T> = (...given: A) => T;

/** A page of its own: no cookies, no storage, no cache of another. */
export interface Tab {
  goto(address: string): Promise<void>;
  run<A extends unknown[], T>(what: InPage<A, T>, ...given: A): Promise<T>;
  /** Clicks what an XPath leads to, as a mouse does: where it is, with what lies over it. */
  click(xpath: string): Promise<void>;
  screenshot(): Promise<Uint8Array>;
  /** What went wrong on the page, as far as the protocol tells. */
  readonly wrong: string[];
  close(): Promise<void>;
}

export interface Foreign {
  readonly version: string;
  tab(): Promise<Tab>;
  close(): Promise<void>;
}

const SIZE = { width: 1440, height: 900 };
const PHONE_SIZE = { width: 390, height: 844 };
/** Firefox then says that nothing hovers, and that what points is a finger. */
const FINGERS = { 'ui.primaryPointerCapabilities': 1, 'ui.allPointerCapabilities': 1 };

const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

/** Waits until something is true in the page; says what it waited for if it never is. */
export async function until<A extends unknown[]>(tab: Tab, what: InPage<A, boolean>, ...given: A): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await tab.run(what, ...given))) {
    if (Date.now() > end) throw new Error(`Never came true: ${what} ${JSON.stringify(given)}`);
    await pause(60);
  }
}

class FirefoxTab implements Tab {
  readonly wrong: string[] = [];
  constructor(
    private readonly context: BrowserContext,
    private readonly page: Page,
  ) {
    page.on('pageerror', (error) => this.wrong.push(error instanceof Error ? error.message : String(error)));
    page.on('console', (message) => message.type() === 'error' && this.wrong.push(message.text()));
  }

  async goto(address: string) {
    await this.page.goto(address);
  }

  run<A extends unknown[], T>(what: InPage<A, T>, ...given: A) {
    return this.page.evaluate(what as (...all: unknown[]) => T, ...given) as Promise<T>;
  }

  async click(xpath: string) {
    await this.page.locator(`::-p-xpath(${xpath})`).click();
  }

  screenshot() {
    return this.page.screenshot();
  }

  async close() {
    await this.context.close();
  }
}

/** Firefox, by WebDriver BiDi, as on a desk or as on a phone. With a window: without one it has no WebGL2. */
export async function firefox(executablePath: string, phone = false): Promise<Foreign> {
  const extraPrefsFirefox = phone ? FINGERS : {};
  const browser = await puppeteer.launch({ browser: 'firefox', executablePath, headless: false, extraPrefsFirefox });
  return {
    version: (await browser.version()).replace('firefox/', 'Firefox '),
    async tab() {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      await page.setViewport(phone ? PHONE_SIZE : SIZE);
      return new FirefoxTab(context, page);
    },
    close: () => browser.close(),
  };
}

/** WebDriver's commands are so few and plain that a client of it is shorter than what it takes to have one. */
class Driver {
  constructor(
    private readonly address: string,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  async call<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<T> {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await fetch(this.address + path, init);
    const { value } = (await response.json()) as { value: T & { error?: string; message?: string } };
    if (!response.ok) throw new Error(`${path}: ${value.error}: ${value.message}`);
    return value;
  }

  /** Ends the driver and the browsers that it began, whatever state they are in. */
  end() {
    if (this.child.pid) process.kill(-this.child.pid, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const bound = server.address();
  await new Promise((done) => server.close(done));
  return typeof bound === 'object' && bound ? bound.port : 0;
}

class WebKitTab implements Tab {
  readonly wrong: string[] = [];
  constructor(
    private readonly driver: Driver,
    private readonly session: string,
  ) {}

  async goto(url: string) {
    await this.driver.call('POST', `${this.session}/url`, { url });
    await this.run(() => {
      const wrong: string[] = [];
      Object.assign(window, { wrong });
      addEventListener('error', (event) => wrong.push(event.message));
      addEventListener('unhandledrejection', (event) => wrong.push(String(event.reason)));
    });
  }

  async run<A extends unknown[], T>(what: InPage<A, T>, ...given: A) {
    const script = `const value = (${what})(...arguments); return [value, window.wrong?.splice(0) ?? []];`;
    try {
      const path = `${this.session}/execute/sync`;
      const [value, wrong] = await this.driver.call<[T, string[]]>('POST', path, { script, args: given });
      this.wrong.push(...wrong);
      return value;
    } catch (error) {
      // The driver does not say whether there was anybody to answer.
      const there = await this.driver.call<string>('GET', `${this.session}/url`).catch((gone) => String(gone));
      throw new Error(`${error instanceof Error ? error.message : error} (asked for its address then: ${there})`);
    }
  }

  async click(xpath: string) {
    const found = await this.driver.call<Record<string, string>>('POST', `${this.session}/element`, {
      using: 'xpath',
      value: xpath,
    });
    await this.driver.call('POST', `${this.session}/element/${Object.values(found)[0]}/click`, {});
  }

  async screenshot() {
    return Buffer.from(await this.driver.call<string>('GET', `${this.session}/screenshot`), 'base64');
  }

  async close() {
    await this.driver.call('DELETE', this.session);
  }
}

/** WebKit as GTK has it, by WebDriver. One tab at a time: each is a browser of its own. */
export async function webkit(driverPath: string, browserPath: string): Promise<Foreign> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'webkit-'));
  // What it keeps goes with it. In a container its sandbox cannot be made.
  const env = { ...process.env, HOME: folder, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' };
  const child = spawn(driverPath, [`--port=${port}`], { env, stdio: 'ignore', detached: true });
  const driver = new Driver(`http://127.0.0.1:${port}`, child, folder);
  const isUp = () => driver.call('GET', '/status').catch(() => undefined);
  for (let tries = 0; (await isUp()) === undefined; tries += 1) {
    if (tries > 100) throw new Error(`${driverPath} does not answer.`);
    await pause(50);
  }
  const options = { binary: browserPath, args: ['--automation'] };
  const capabilities = { alwaysMatch: { browserName: 'MiniBrowser', 'webkitgtk:browserOptions': options } };
  const open = async () => {
    const made = await driver.call<{ sessionId: string; capabilities: { browserVersion: string } }>(
      'POST',
      '/session',
      { capabilities },
    );
    await driver.call('POST', `/session/${made.sessionId}/window/rect`, SIZE);
    return { tab: new WebKitTab(driver, `/session/${made.sessionId}`), version: made.capabilities.browserVersion };
  };
  let first: Awaited<ReturnType<typeof open>> | undefined = await open();
  return {
    version: `WebKitGTK ${first.version}`,
    async tab() {
      const { tab } = first ?? (await open());
      first = undefined;
      return tab;
    },
    async close() {
      await first?.tab.close().catch(() => {});
      driver.end();
    },
  };
}
