// npm run bench: the kernel, both clusters and one document's run, natively and in Chromium, in one table; the memory
// that many messages take; and instructions counted, which do not depend on the day (needs valgrind).
// `npm run bench -- page` measures only what the page does in a frame, and with a long run.
// `npm run bench -- race` also races other engines over the same M/M/1 queue.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { cpus } from 'node:os';
import { extname, join } from 'node:path';
import { chromium } from 'playwright-core';
import { frames } from '../bench/frames.mjs';
import { seeks } from '../bench/seeks.mjs';
import { ask, ensureChromium, ensureTools, env, root, run, stop } from './tools.mjs';

// Native and Chromium take turns, so that a noisy neighbour hits both; of all rounds the best counts.
const ROUNDS = 4;
const SCENARIO = 'scenarios/one-node-lost.json';
const PACKAGE = join(root, 'target', 'bench-pkg');
const PENDING = [16, 256, 4096, 65536];
// The long loads are played in the first rounds only.
const LONG_ROUNDS = 2;

// What crates/bench/src/queues.rs and logs.rs play, with how many messages; and how many instructions a message may
// take of the native program at the most: about 5 % above what it took when this was last set, counted over so many
// messages. Raise it only with a reason in the change that does.
const LOADS = {
  classic: {
    name: 'one classic queue, one node, prefetch 100, acks by tens',
    messages: 1_000_000,
    gate: { of: 20_000, most: 9_700 },
  },
  quorum: {
    name: 'one quorum queue, three nodes, prefetch 100, acks by tens',
    messages: 1_000_000,
    gate: { of: 20_000, most: 18_000 },
  },
  hundred: {
    name: '100 such classic queues, publishers and consumers, three nodes',
    messages: 1_000_000,
    gate: { of: 20_000, most: 11_500 },
  },
  steady: {
    name: 'log, 3 brokers, 12 partitions, RF 3, acks=all, 100,000 msg/s for 60 s, a group of four',
    messages: 6_000_000,
    gate: { of: 100_000, most: 4_420 },
    long: true,
  },
  full: {
    name: 'the same at 1,000,000 msg/s, full batches',
    messages: 60_000_000,
    gate: { of: 400_000, most: 1_350 },
    long: true,
  },
  'broker-lost': {
    name: 'log, 10 brokers, 300 partitions, RF 3, 40,000 msg/s for 60 s, a broker killed',
    messages: 2_400_000,
    gate: { of: 400_000, most: 12_000 },
    long: true,
  },
};
// Whose memory is told: the same load twice shows that it does not grow with what has passed.
const PEAKS = [
  ['classic', 10_000_000],
  ['full', 20_000_000],
  ['full', 60_000_000],
];

/** Builds both; answers where the native program is. It is built once and not run by cargo, which would build again
 * between two rounds if somebody changed a file meanwhile. */
function build() {
  const cargo = ['build', '--release', '--quiet', '-p', 'bench', '--message-format', 'json-render-diagnostics'];
  const messages = ask('cargo', cargo, { stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 });
  if (messages === null) stop('The benchmarks could not be built: see above.');
  const form = ['--profile', 'wasm', '--target', 'web', '--out-dir', PACKAGE, '--out-name', 'brokerlab', '--no-pack'];
  const wasm = ['build', 'crates/wasm', ...form, '--features', 'bench'];
  if (!run('wasm-pack', wasm)) stop('The engines could not be built for the browser: see above.');
  const built = messages.split('\n').map((line) => JSON.parse(line));
  return built.find((message) => message.executable && message.target.name === 'bench').executable;
}

/** The loads of a round, as pairs of names and numbers of messages. */
function loadsOf(round) {
  const played = Object.entries(LOADS).filter(([, { long }]) => !long || round < LONG_ROUNDS);
  return played.map(([name, { messages }]) => [name, messages]);
}

/** One native round: the JSON that crates/bench prints. */
function native(loads) {
  const wanted = loads.map(([name, messages]) => `${name}=${messages}`);
  const text = ask(program, [SCENARIO, ...wanted], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (text === null) stop('The native benchmarks failed: see above.');
  return JSON.parse(text);
}

/** Plays one native benchmark alone: its JSON. `under` is a command to run it under. */
function alone(name, count, under = []) {
  const [command, ...args] = [...under, program, 'play', name, `${count}`];
  const result = spawnSync(command, args, { encoding: 'utf8' });
  return result.status === 0 ? { ...JSON.parse(result.stdout), stderr: result.stderr } : null;
}

function peakMemory(name, messages) {
  const bytes = alone(name, messages)?.peak_bytes;
  return bytes ? `${(bytes / 1e6).toFixed(1)} MB` : 'not told here';
}

/** How many instructions one more customer or message takes, without what starting takes; null without valgrind. */
function instructions(name, count) {
  const valgrind = ['valgrind', '--tool=cachegrind', '--cache-sim=no', '--cachegrind-out-file=/dev/null'];
  const counted = [count, 2 * count].map((n) => {
    const refs = /I\s+refs:\s+([\d,]+)/.exec(alone(name, n, valgrind)?.stderr ?? '');
    return refs ? Number(refs[1].replaceAll(',', '')) : Number.NaN;
  });
  const each = (counted[1] - counted[0]) / count;
  return Number.isNaN(each) ? null : each;
}

/** The gate: instructions a message, and in those of an M/M/1 event. They are the same on a slow day. */
function gates() {
  const customer = instructions('mm1', 100_000);
  if (customer === null) return 'Instructions are not counted: that needs valgrind.';
  const whole = (number) => Math.round(number).toLocaleString('en');
  const rows = Object.entries(LOADS).map(([load, { name, gate }]) => {
    const { of, most } = gate;
    const each = instructions(load, of);
    if (each > most) process.exitCode = 1;
    return [name, whole(each), whole(most), each > most ? 'NO' : 'yes', ((2 * each) / customer).toFixed(1)];
  });
  const head = ['', 'instructions a message', 'at most', 'kept', 'in events of M/M/1'];
  return [head, ['---', '--:', '--:', '--:', '--:'], ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' };

/** Serves the package; isolated from other origins, the page gets a clock of microseconds rather than of 0.1 ms. */
async function serve() {
  const isolated = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
  const files = new Map(
    ['brokerlab.js', 'brokerlab_bg.wasm'].map((name) => [`/${name}`, readFileSync(join(PACKAGE, name))]),
  );
  const server = createServer((request, response) => {
    const body = request.url === '/' ? '<!doctype html><title>bench</title>' : files.get(request.url);
    response.writeHead(body ? 200 : 404, { ...isolated, 'Content-Type': TYPES[extname(request.url)] ?? 'text/html' });
    response.end(body);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return server;
}

/** Runs in the page: the same as crates/bench/src/main.rs, with the same sizes, in the same form. */
async function playInPage({ text, pending, loads }) {
  const engine = await import('/brokerlab.js');
  await engine.default();
  const bestOf = (runs, prepare, play) => {
    let best = { seconds: Number.POSITIVE_INFINITY, value: null };
    for (let n = 0; n < runs; n += 1) {
      const prepared = prepare();
      const from = performance.now();
      const value = play(prepared);
      const seconds = (performance.now() - from) / 1000;
      if (seconds < best.seconds) best = { seconds, value };
    }
    return best;
  };
  const nothing = () => null;
  const [customers, holds] = [2_000_000, 2_000_000];
  const mm1 = bestOf(2, nothing, () => engine.benchMm1(customers));
  const hold = pending.map((count) => [count, bestOf(2, nothing, () => engine.benchHold(count, holds))]);
  const played = loads.map(([name, messages]) => {
    const ready = new engine.BenchLoad(name, messages);
    const { seconds, value } = bestOf(1, nothing, () => ready.play());
    ready.free();
    return [name, { messages_per_s: messages / seconds, digest: value }];
  });
  const lab = { last: null };
  const open = () => {
    lab.last?.free();
    lab.last = new engine.Lab(text);
    return lab.last;
  };
  const cluster = bestOf(12, open, (opened) => opened.advance(opened.end, 0xffffffff));
  return {
    mm1: { events_per_s: mm1.value / mm1.seconds },
    loads: Object.fromEntries(played),
    hold_ns: Object.fromEntries(hold.map(([count, { seconds }]) => [count, (seconds * 1e9) / holds])),
    cluster: {
      events: cluster.value.events,
      events_per_s: cluster.value.events / cluster.seconds,
      digest: lab.last.digest(),
    },
  };
}

/** Opens Chromium; answers how to play a round in it. */
async function openPage() {
  const args = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const browser = await chromium.launch({ executablePath: ensureChromium(), args });
  const server = await serve();
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const text = readFileSync(join(root, SCENARIO), 'utf8');
  return {
    version: browser.version(),
    page,
    round: (loads) => page.evaluate(playInPage, { text, pending: PENDING, loads }),
    close: async () => {
      await browser.close();
      server.close();
    },
  };
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

function merge(rounds) {
  const most = (of) => Math.max(...rounds.map(of));
  const least = (of) => Math.min(...rounds.map(of));
  const load = (name) => {
    const played = rounds.filter((round) => round.loads[name]);
    return {
      rate: Math.max(...played.map((round) => round.loads[name].messages_per_s)),
      // Within one round, so that what else the machine did hit both.
      kernel: median(played.map((round) => round.mm1.events_per_s / round.loads[name].messages_per_s)),
      digests: played.map((round) => round.loads[name].digest),
    };
  };
  const loads = Object.fromEntries(Object.keys(LOADS).map((name) => [name, load(name)]));
  return {
    mm1: most((round) => round.mm1.events_per_s),
    hold: PENDING.map((count) => least((round) => round.hold_ns[count])),
    cluster: most((round) => round.cluster.events_per_s),
    loads,
    digests: {
      document: rounds.map((round) => round.cluster.digest),
      ...Object.fromEntries(Object.entries(loads).map(([name, { digests }]) => [name, digests])),
    },
    events: rounds[0].cluster.events,
  };
}

const millions = (rate) => `${(rate / 1e6).toFixed(rate < 1e6 ? 3 : 1)} M`;

function machine() {
  const [first] = cpus();
  return `${first?.model.trim() ?? 'an unknown processor'}, ${cpus().length} cores`;
}

function table(here, there) {
  const rate = (name, a, b) => [name, millions(a), millions(b), (a / b).toFixed(2)];
  const rows = [
    rate('M/M/1, events/s', here.mm1, there.mm1),
    ...PENDING.map((count, n) => {
      const [a, b] = [here.hold[n], there.hold[n]];
      return [`hold with ${count.toLocaleString('en')} pending, ns`, a.toFixed(1), b.toFixed(1), (b / a).toFixed(2)];
    }),
    ...Object.entries(LOADS).flatMap(([load, { name }]) => {
      const [a, b] = [here.loads[load], there.loads[load]];
      return [
        rate(`${name}, messages/s`, a.rate, b.rate),
        ['… one message in events of M/M/1', a.kernel.toFixed(1), b.kernel.toFixed(1), ''],
      ];
    }),
    ...PEAKS.map(([load, messages]) => {
      const what = `${messages.toLocaleString('en')} messages of “${load}”, peak memory`;
      return [what, peakMemory(load, messages), '–', ''];
    }),
    rate(`${SCENARIO} whole (${here.events.toLocaleString('en')} events), events/s`, here.cluster, there.cluster),
  ];
  const head = ['', 'native', 'Chromium', 'Chromium takes × as long'];
  const rule = ['---', '--:', '--:', '--:'];
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const markdown = (head, rows) =>
  [head, head.map((_, n) => (n === 0 ? '---' : '--:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** What the page itself does: a frame while many messages fly, and what it asks of a long run. */
async function pageRows({ page, version }) {
  const parts = ['', 'faces, ms', 'what flies, ms', 'painting, ms', 'all, ms'];
  const how = 'the median of 20, or of 5 without streams; faces are drawn in every second frame only';
  console.log(`\nOne frame of the main thread in Chromium ${version} (${how}):\n`);
  console.log(markdown(parts, await frames(page)));
  console.log(`\n${markdown(['In Chromium', 'ms'], await seeks(page))}`);
}

ensureTools();
const program = build();
const page = await openPage();
if (process.argv.includes('page')) {
  await pageRows(page);
  await page.close();
  process.exit();
}
const [here, there] = [[], []];
for (let round = 0; round < ROUNDS; round += 1) {
  here.push(native(loadsOf(round)));
  there.push(await page.round(loadsOf(round)));
}
const [atHome, inPage] = [merge(here), merge(there)];
for (const [what, played] of Object.entries(atHome.digests)) {
  const digests = new Set([...played, ...inPage.digests[what]]);
  if (digests.size !== 1) stop(`Native and Chromium played different runs of ${what}: ${[...digests].join(', ')}.`);
}

const rust = ask('rustc', ['--version'])?.split(' ')[1];
const day = new Date().toISOString().slice(0, 10);
console.log(`\n${machine()}; Rust ${rust}, Chromium ${page.version}, Node ${process.versions.node}; ${day}.`);
console.log(`Best of ${ROUNDS} rounds, native and Chromium by turns, so that a noisy neighbour hits both.`);
console.log(`Both played the same runs; the document's digest is ${atHome.digests.document[0]}.\n`);
console.log(table(atHome, inPage));
await pageRows(page);
console.log(`\n${gates()}`);

if (process.argv.includes('race')) {
  const { race } = await import('../bench/race/race.mjs');
  const own = [
    {
      engine: 'Brokerlab, native',
      play: async () => {
        const { mm1 } = native([]);
        return { rate: mm1.events_per_s, meanStay: mm1.mean_stay_milli / 1000 };
      },
    },
    {
      engine: `Brokerlab, WebAssembly in Chromium ${page.version.split('.')[0]}`,
      // The page's function answers its events only; that it plays the native run is what the digests above say.
      play: async () => ({ rate: (await page.round([])).mm1.events_per_s, meanStay: null }),
    },
  ];
  console.log(`\n${await race(own, env)}`);
}
await page.close();
