// Races other engines over the same M/M/1 queue: arrivals at 0.9, services at 1.0, exponential, one server, first come
// first served; two events a customer. Everything of theirs is installed outside the repository, from the package
// registries, at the versions named here; ours are only the small programs beside this file.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = join(tmpdir(), 'brokerlab-race');
const here = import.meta.dirname;
const python = join(folder, 'venv', 'bin', 'python');

// Engines take turns, so that a noisy neighbour hits all; the best round counts. All runs together are bounded.
const ROUNDS = 3;
const RACE_MS = 5 * 60_000;
const RUN_MS = 60_000;
const INSTALL_MS = 10 * 60_000;

/** What stops one engine from being raced: it is said in the table. */
class Absent extends Error {}

function call(what, command, args, options) {
  const result = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (result.status === 0) return result.stdout;
  if (result.error?.code === 'ETIMEDOUT') throw new Absent(`${what}: took longer than ${options.timeout / 1000} s`);
  const lines = `${result.stderr ?? ''}`.trim().split('\n');
  const error = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1);
  throw new Absent(`${what}: ${result.error?.message ?? error}`.slice(0, 160).replaceAll('|', '/'));
}

/** Writes a file only if it differs, so that cargo does not build again. */
function put(path, text) {
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
}

/** An engine from PyPI, played by Python. */
function fromPypi(engine, name, version, program) {
  return {
    engine,
    version,
    how: `pip install ${name}`,
    install: (env) => {
      installFromPypi(name, version, env);
      return (customers) => [python, [join(here, program), customers]];
    },
  };
}

function installFromPypi(name, version, env) {
  const options = { env, timeout: INSTALL_MS };
  if (!existsSync(python)) call('venv', 'python3', ['-m', 'venv', join(folder, 'venv')], options);
  const pip = ['-m', 'pip', '--disable-pip-version-check'];
  call('pip', python, [...pip, 'install', '--quiet', `${name}==${version}`], options);
}

/** ns-3 has no program of its own in its wheel, but its headers and libraries: a C++ program is built with them. */
function installNs3(version, env) {
  installFromPypi('ns3', version, env);
  const find = 'import sysconfig; print(sysconfig.get_path("platlib"))';
  const home = join(call('python', python, ['-c', find], { env }).trim(), 'ns3');
  const library = join(home, 'lib64');
  const [program, source] = [join(folder, 'mm1_ns3'), join(here, 'mm1_ns3.cc')];
  const core = join(library, `libns${version.split('.').slice(0, 2).join('.')}-core.so`);
  const flags = ['-O3', '-std=c++23', `-I${join(home, 'include')}`, `-Wl,-rpath,${library}`];
  call('g++', 'g++', [...flags, source, core, '-o', program], { env, timeout: INSTALL_MS });
  return (customers) => [program, [customers]];
}

/** An engine from crates.io, built as our own release is: optimised as a whole. */
function fromCrates(name, version, serde) {
  const manifest = `[package]
name = "race-${name}"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
${name} = "=${version}"
${serde ? 'serde = { version = "1", features = ["derive"] }\n' : ''}
[profile.release]
opt-level = 3
lto = "fat"
codegen-units = 1
panic = "abort"
`;
  const install = (env) => {
    const home = join(folder, name);
    mkdirSync(join(home, 'src'), { recursive: true });
    put(join(home, 'Cargo.toml'), manifest);
    put(join(home, 'src', 'main.rs'), readFileSync(join(here, 'rust', `mm1_${name}.rs`), 'utf8'));
    put(join(home, 'src', 'dice.rs'), readFileSync(join(here, 'rust', 'dice.rs'), 'utf8'));
    const target = join(folder, 'target');
    const options = { cwd: home, env: { ...env, CARGO_TARGET_DIR: target }, timeout: INSTALL_MS };
    call('cargo', 'cargo', ['build', '--release', '--quiet'], options);
    return (customers) => [join(target, 'release', `race-${name}`), [customers]];
  };
  return { engine: name, version, how: `cargo add ${name}`, install };
}

function installSimScript(version, env) {
  const home = join(folder, 'simscript');
  mkdirSync(home, { recursive: true });
  put(join(home, 'package.json'), '{ "private": true }\n');
  const args = ['install', '--no-audit', '--no-fund', '--no-save', '--silent', `simscript@${version}`];
  call('npm', 'npm', args, { cwd: home, env, timeout: INSTALL_MS });
  return (customers) => [process.execPath, [join(here, 'mm1_simscript.mjs'), customers, home]];
}

// SimPy twice: as lean as it can be written, which all are measured by, and as its own examples write the queue.
const SIMPY = 'SimPy, lean';
// So many customers that each engine plays some seconds at the most, and their mean is near what theory says.
const COMPETITORS = [
  { ...fromCrates('simcore', '0.1.0', true), customers: 2_000_000 },
  {
    engine: 'ns-3 core (C++)',
    version: '3.44.post0',
    how: 'pip install ns3, g++',
    install: (env) => installNs3('3.44.post0', env),
    customers: 2_000_000,
  },
  { ...fromPypi('Cimba (Python, compiled)', 'cimba', '0.9.6', 'mm1_cimba.py'), customers: 2_000_000 },
  { ...fromCrates('desru', '0.1.13', false), customers: 2_000_000 },
  { ...fromCrates('nexosim', '1.0.0', true), customers: 2_000_000 },
  { ...fromPypi(SIMPY, 'simpy', '4.1.2', 'mm1_simpy.py'), customers: 500_000 },
  { ...fromPypi('SimPy, with a Resource', 'simpy', '4.1.2', 'mm1_simpy_resource.py'), customers: 200_000 },
  { ...fromPypi('salabim', 'salabim', '26.0.9', 'mm1_salabim.py'), customers: 300_000 },
  {
    engine: 'SimScript',
    version: '1.0.37',
    how: 'npm install simscript',
    install: (env) => installSimScript('1.0.37', env),
    customers: 60_000,
  },
];

/** Makes a competitor ready; one that cannot be had keeps the reason. */
function ready(competitor, env) {
  console.log(`· installing ${competitor.engine} ${competitor.version}`);
  try {
    const command = competitor.install(env);
    const once = (left) => {
      const options = { env, timeout: Math.min(RUN_MS, left) };
      const [program, args] = command(String(competitor.customers));
      const output = call('run', program, args, options);
      const { seconds, mean_stay: meanStay } = JSON.parse(output.trim().split('\n').at(-1));
      return { rate: (2 * competitor.customers) / seconds, meanStay };
    };
    // Twice a round, the better one counts: our own programs do the same.
    const play = async (left) => [once(left), once(left)].reduce((a, b) => (a.rate > b.rate ? a : b));
    return { ...competitor, play, results: [] };
  } catch (error) {
    if (!(error instanceof Absent)) throw error;
    return { ...competitor, absent: error.message, results: [] };
  }
}

/** An engine whose customers do not stay about 10 plays another queue. */
function sane({ meanStay }) {
  return meanStay === null || (meanStay > 8 && meanStay < 12);
}

async function playRounds(racers) {
  const end = Date.now() + RACE_MS;
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const racer of racers.filter((one) => !one.absent)) {
      const left = end - Date.now();
      if (left < 1000) continue;
      console.log(`· round ${round}: ${racer.engine}`);
      try {
        const result = await racer.play(left);
        if (!sane(result)) racer.absent = `its mean time in the system is ${result.meanStay}, not about 10`;
        racer.results.push(result);
      } catch (error) {
        if (!(error instanceof Absent)) throw error;
        racer.absent = error.message;
      }
    }
  }
  for (const racer of racers) {
    if (racer.results.length === 0) racer.absent ??= `the race’s ${RACE_MS / 60_000} minutes were over`;
  }
}

function row(racer, simpy) {
  const head = [racer.engine, racer.version ?? 'this tree', racer.how ?? 'crates/bench'];
  if (racer.absent) return [...head, `not raced: ${racer.absent}`, '', ''];
  const stay = racer.results[0].meanStay;
  const times = simpy ? racer.best / simpy.best : null;
  const ratio = times === null ? '' : times.toFixed(times < 1 ? 2 : times < 10 ? 1 : 0);
  const rate = `${(racer.best / 1e6).toFixed(racer.best < 1e6 ? 3 : 1)} M`;
  return [...head, rate, ratio, stay === null ? 'as native' : stay.toFixed(2)];
}

/** Installs, races, and answers the table. `own` are our engines, `env` the environment of commands. */
export async function race(own, env) {
  mkdirSync(folder, { recursive: true });
  const racers = [...own.map((one) => ({ ...one, results: [] })), ...COMPETITORS.map((one) => ready(one, env))];
  await playRounds(racers);
  for (const racer of racers) racer.best = Math.max(0, ...racer.results.map((result) => result.rate));
  const simpy = racers.find((racer) => racer.engine === SIMPY && !racer.absent);
  // Ours and theirs by what they did; who could not be raced comes last.
  const order = (racer) => (racer.absent ? 0 : racer.best);
  const sorted = racers.toSorted((a, b) => order(b) - order(a));
  const head = ['engine', 'version', 'how obtained', 'events/s', '× SimPy, lean', 'mean time in system'];
  const rule = ['---', '---', '---', '--:', '--:', '--:'];
  const lines = [head, rule, ...sorted.map((racer) => row(racer, simpy))].map((cells) => `| ${cells.join(' | ')} |`);
  const told =
    `Best of ${ROUNDS} rounds of two runs, all engines by turns; theory says a customer stays 10. Brokerlab draws with ` +
    'its own dice, whose logarithm is the same on every machine; the Rust and C++ programs draw with a cheaper one.';
  return `${told}\n\n${lines.join('\n')}`;
}
