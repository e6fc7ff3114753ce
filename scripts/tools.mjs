// What the other scripts share: running commands, finding tools, and installing what is missing.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

// By way of the URL: an older Node must get as far as the sentence that says which one is needed.
export const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
const state = join(root, '.setup');

/** The environment of every command: the npm packages' tools are on the PATH. */
export const env = {
  ...process.env,
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
};

/** What the build for wasm32 needs beside that: the toolchain that has the target, where it is not the usual one. */
const wasmEnv = {};

/** Runs a command in the repository with its output shown; answers whether it succeeded. */
export function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, env, stdio: 'inherit', ...options }).status === 0;
}

/** Runs a command and answers its output, or null if it failed. */
export function ask(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, env, encoding: 'utf8', ...options });
  return result.status === 0 ? result.stdout.trim() : null;
}

/** Ends the script with one sentence that says what to do. */
export function stop(sentence) {
  console.error(sentence);
  process.exit(1);
}

function must(done, sentence) {
  if (!done) stop(sentence);
}

function say(what, time) {
  console.log(`· ${what}${time ? ` (${time}, once)` : ''}`);
}

function files(folder, wanted) {
  if (!existsSync(folder)) return [];
  if (statSync(folder).isFile()) return [folder];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ['target', 'pkg', 'node_modules'].includes(entry.name) ? [] : files(path, wanted);
    return wanted.test(entry.name) ? [path] : [];
  });
}

/** Hashes the files under these paths, so that what has not changed is not built again. */
export function fingerprint(paths, wanted = /./) {
  const hash = createHash('sha256');
  for (const path of paths.flatMap((p) => files(join(root, p), wanted)).sort()) {
    hash.update(relative(root, path)).update(readFileSync(path));
  }
  return hash.digest('hex');
}

/** Whether a step was done for this fingerprint; `mark` records that it was. */
export function done(step, print) {
  const file = join(state, step);
  return existsSync(file) && readFileSync(file, 'utf8') === print;
}

export function mark(step, print) {
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, step), print);
}

function ensureNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  must(major > 20 || (major === 20 && minor >= 19), 'Brokerlab needs Node 20.19 or later: install it from nodejs.org.');
}

function ensureRust() {
  must(ask('cargo', ['--version']), 'Brokerlab needs Rust: install it with rustup from rustup.rs, then try again.');
}

/** Installs the npm packages if they are not those of the lock file. */
export function ensurePackages() {
  const print = fingerprint(['package-lock.json']);
  if (done('npm', print) && existsSync(join(root, 'node_modules'))) return;
  say('installing the npm packages', 'about 20 s');
  must(run('npm', ['ci', '--no-audit', '--no-fund']), 'The npm packages could not be installed: see above.');
  mark('npm', print);
}

const TARGET = 'wasm32-unknown-unknown';

function targetInstalled(toolchain) {
  const home = ask('rustc', ['--print', 'sysroot'], { env: { ...env, ...toolchain } });
  return home !== null && existsSync(join(home, 'lib', 'rustlib', TARGET, 'lib'));
}

/** Makes the wasm32 target available; sets the toolchain for it when it had to come from elsewhere. */
function ensureTarget() {
  const fallback = { RUSTUP_TOOLCHAIN: 'wasm-std' };
  const forced = process.env.BROKERLAB_WASM_FALLBACK === '1';
  if (!forced && targetInstalled({})) return;
  if (!forced && ask('rustup', ['--version'])) {
    say('adding the wasm32 target to Rust', 'about 10 s');
    if (run('rustup', ['target', 'add', TARGET]) && targetInstalled({})) return;
  }
  if (!targetInstalled(fallback)) buildTarget();
  must(
    targetInstalled(fallback),
    'The wasm32 target could not be installed: run `rustup target add wasm32-unknown-unknown`.',
  );
  Object.assign(wasmEnv, fallback);
}

/** Without a network for rustup: Debian's compiler builds its own standard library for wasm32. */
function buildTarget() {
  must(
    existsSync('/etc/debian_version') && process.getuid?.() === 0,
    'The wasm32 target is missing and rustup cannot get it: run `rustup target add wasm32-unknown-unknown` with a network.',
  );
  say('building the wasm32 target from Debian’s Rust sources', 'about 3 min');
  run('apt-get', ['update', '-qq']);
  must(
    run('apt-get', ['install', '-y', '-qq', 'rustc-web', 'cargo-web', 'rust-web-src', 'lld-22']),
    'Debian’s Rust packages could not be installed: see above.',
  );
  const folder = join(state, 'wasm-std');
  mkdirSync(join(folder, 'src'), { recursive: true });
  writeFileSync(
    join(folder, 'Cargo.toml'),
    '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n',
  );
  writeFileSync(join(folder, 'src', 'lib.rs'), '#![no_std]\n');
  const build = ['build', '--release', '-Z', 'build-std=std,panic_abort,test', '--target', TARGET];
  const cargo = { RUSTC: '/usr/bin/rustc', RUSTC_BOOTSTRAP: '1', CARGO_TARGET_DIR: join(folder, 'target') };
  must(
    run('/usr/bin/cargo', build, { cwd: folder, env: { ...env, ...cargo } }),
    'The wasm32 standard library could not be built: see above.',
  );
  const deps = join(folder, 'target', TARGET, 'release', 'deps');
  const library = `/usr/lib/rustlib/${TARGET}/lib`;
  mkdirSync(library, { recursive: true });
  for (const name of readdirSync(deps).filter((name) => name.endsWith('.rlib') && !name.startsWith('libempty'))) {
    writeFileSync(join(library, name), readFileSync(join(deps, name)));
  }
  must(run('rustup', ['toolchain', 'link', 'wasm-std', '/usr']), 'The toolchain could not be linked: see above.');
}

function lockedVersion(crate) {
  const lock = readFileSync(join(root, 'Cargo.lock'), 'utf8');
  return (
    new RegExp(`name = "${crate}"\\nversion = "([^"]+)"`).exec(lock)?.[1] ?? stop(`Cargo.lock does not name ${crate}.`)
  );
}

/** The wasm-bindgen tool has to be of the crate's version, exactly. */
function ensureWasmTools() {
  const version = lockedVersion('wasm-bindgen');
  if (ask('wasm-bindgen', ['--version']) !== `wasm-bindgen ${version}`) {
    say(`installing wasm-bindgen ${version} with cargo`, '5 to 9 min');
    must(
      run('cargo', ['install', '--force', 'wasm-bindgen-cli', '--version', version]),
      'wasm-bindgen could not be installed: see above.',
    );
  }
  if (!ask('wasm-pack', ['--version'])) {
    say('installing wasm-pack with cargo', 'about 3 min');
    must(
      run('cargo', ['install', 'wasm-pack', '--locked']) || run('cargo', ['install', 'wasm-pack']),
      'wasm-pack could not be installed: see above.',
    );
  }
}

/** Installs whatever is missing to build. */
export function ensureTools() {
  ensureNode();
  ensureRust();
  ensurePackages();
  ensureTarget();
  ensureWasmTools();
}

/** Where Chromium is; installs it if that can be done without asking. */
export function ensureChromium() {
  const places = [
    process.env.CHROMIUM,
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ];
  const found = () => places.find((place) => place && existsSync(place));
  if (!found() && existsSync('/etc/debian_version') && process.getuid?.() === 0) {
    say('installing Chromium', 'about 30 s');
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-y', '-qq', 'chromium']);
  }
  return found() ?? stop('The page is tested in Chromium: install it, or name it in the variable CHROMIUM.');
}

const ENGINE = ['crates', 'Cargo.toml', 'Cargo.lock', 'rules', 'scenarios'];

/**
 * Builds the engines to WebAssembly if their sources changed: whole for tests (`brokerlab_bg.wasm`), and in two parts
 * for the page (`first.wasm`, `rest.wasm`).
 */
export async function buildWasm() {
  const print = fingerprint(
    [...ENGINE, 'scripts/split.mjs', 'scripts/first-visit.mjs'],
    /\.(rs|toml|lock|json|glsl|mjs)$/,
  );
  const folder = join(root, 'www', 'src', 'engine', 'pkg');
  if (done('wasm', print) && existsSync(join(folder, 'rest.wasm'))) return;
  say('building the engines in release', 'about 1 min');
  const args = [
    'build',
    'crates/wasm',
    '--profile',
    'wasm',
    '--target',
    'web',
    '--out-dir',
    folder,
    '--out-name',
    'brokerlab',
    '--no-pack',
  ];
  must(run('wasm-pack', args, { env: { ...env, ...wasmEnv } }), 'The engines could not be built: see above.');
  // What the split needs is a package, which may just have been installed.
  const [{ split }, { firstVisit }] = await Promise.all([import('./split.mjs'), import('./first-visit.mjs')]);
  const glue = join(folder, 'brokerlab.js');
  writeFileSync(glue, readFileSync(glue, 'utf8').replaceAll('brokerlab_bg.wasm', 'first.wasm'));
  const paths = { first: join(folder, 'first.wasm'), rest: join(folder, 'rest.wasm') };
  await split(join(folder, 'brokerlab_bg.wasm'), (bytes) => firstVisit(folder, bytes), paths);
  mark('wasm', print);
}

/** Builds the page into dist/ if anything changed. */
export function buildPage() {
  const print = fingerprint([
    ...ENGINE,
    'www',
    'scripts/poster.mjs',
    'vite.config.ts',
    'package-lock.json',
    'transcripts/gallery.json',
  ]);
  if (done('page', print) && existsSync(join(root, 'dist', 'index.html'))) return;
  say('building the page');
  must(run('vite', ['build', '--logLevel', 'warn']), 'The page could not be built: see above.');
  mark('page', print);
}
