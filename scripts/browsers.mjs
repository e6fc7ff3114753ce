// Firefox and WebKit: where they are, and how they come to Debian. They need a screen, which may be a virtual one.
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ask, env, run } from './tools.mjs';

const onPath = (name) =>
  (env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((place) => existsSync(place));

const firstOf = (places) => places.find((place) => place && existsSync(place));

function firefox() {
  return (
    firstOf([process.env.FIREFOX, '/Applications/Firefox.app/Contents/MacOS/firefox']) ??
    onPath('firefox-esr') ??
    onPath('firefox')
  );
}

/** WebKit's small browser lies beside its library, wherever the distribution puts that. */
function miniBrowser() {
  const beside = ['/usr/lib', '/usr/lib64', '/usr/libexec', ...libraries()].flatMap((folder) =>
    ['webkit2gtk-4.1', 'webkitgtk-6.0', 'webkit2gtk-4.0'].map((version) => join(folder, version, 'MiniBrowser')),
  );
  return firstOf([process.env.WEBKIT_BROWSER, ...beside]);
}

/** `/usr/lib/x86_64-linux-gnu` and the like. */
function libraries() {
  if (!existsSync('/usr/lib')) return [];
  return readdirSync('/usr/lib')
    .filter((name) => name.endsWith('-linux-gnu'))
    .map((name) => join('/usr/lib', name));
}

function webkit() {
  const driver = firstOf([process.env.WEBKIT_DRIVER]) ?? onPath('WebKitWebDriver');
  const browser = miniBrowser();
  return driver && browser ? { driver, browser } : undefined;
}

const screen = () => process.platform === 'darwin' || onPath('xvfb-run') || process.env.DISPLAY;

/** Finds both browsers; installs what is missing where that can be done without asking. Answers the variables that name them. */
export function ensureBrowsers() {
  const packages = [
    ...(firefox() ? [] : ['firefox-esr']),
    ...(webkit() ? [] : ['webkit2gtk-driver']),
    ...(screen() ? [] : ['xvfb', 'xauth']),
  ];
  if (packages.length > 0 && existsSync('/etc/debian_version') && process.getuid?.() === 0) {
    console.log(`· installing ${packages.join(', ')} (about 1 min, once)`);
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages]);
  }
  const found = webkit();
  return {
    ...(firefox() && screen() ? { FIREFOX: firefox() } : {}),
    ...(found && screen() ? { WEBKIT_DRIVER: found.driver, WEBKIT_BROWSER: found.browser } : {}),
  };
}

/** Runs a command with these variables, on a screen of its own where there can be one. */
export function runOnScreen(variables, command, args) {
  const virtual = onPath('xvfb-run');
  const options = { env: { ...env, ...variables } };
  if (!virtual) return run(command, args, options);
  return run(virtual, ['-a', '-s', '-screen 0 1600x1000x24', command, ...args], options);
}

/** Says what was not tested, so that nobody takes the step for more than it was. */
export function sayMissing({ FIREFOX, WEBKIT_DRIVER }) {
  const missing = [...(FIREFOX ? [] : ['Firefox']), ...(WEBKIT_DRIVER ? [] : ['WebKit'])];
  if (missing.length === 0) return;
  console.error(`!! NOT TESTED: ${missing.join(' and ')}. ${screen() ? '' : 'There is no screen, and no xvfb. '}`);
  console.error('!! On Debian: apt-get install firefox-esr webkit2gtk-driver xvfb xauth.');
  console.error('!! Elsewhere the variables FIREFOX, WEBKIT_DRIVER and WEBKIT_BROWSER say where they are.');
}

/** On Debian, as root, they can always be had: there it is a failure if they are not. */
export function mayBeMissing() {
  return !existsSync('/etc/debian_version') || process.getuid?.() !== 0 || !ask('apt-get', ['--version']);
}
