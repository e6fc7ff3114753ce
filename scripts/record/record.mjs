// Records all, or what is named on the command line, and writes it into transcripts/.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root, stop } from '../tools.mjs';
import { ensureRabbit, Nodes } from './broker.mjs';
import { CLOSES } from './cases/closes.mjs';
import { RULES } from './cases/rules.mjs';
import { VOCABULARY } from './cases/vocabulary.mjs';
import { runOnce } from './cluster-run.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { recordAll, writeLines } from './settled.mjs';
import { walkOf } from './walks.mjs';

const WALKS = 100;
/** Some walks race and are left out: as many more are tried. */
const TRIED = 160;
/** The seeds that walks begin with, a hundred from each. */
const SEEDS = [1001, 5001, 7001, 9001];
/** Recordings that are made at the same time, each on a virtual host of its own. */
const AT_A_TIME = 8;

const SETS = [
  ...SEEDS.map((first) => ({
    file: `rabbitmq/own-walks-${first}.jsonl`,
    wanted: WALKS,
    cases: Array.from({ length: TRIED }, (_, n) => walkOf(first + n)),
  })),
  { file: 'rabbitmq/own-closes.jsonl', cases: CLOSES },
  { file: 'rabbitmq/own-rules.jsonl', cases: RULES },
  { file: 'rabbitmq/own-vocabulary.jsonl', cases: VOCABULARY },
];

/** What a file has already, by name. */
function recorded(file) {
  if (!existsSync(file)) return new Map();
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return new Map(lines.map((line) => JSON.parse(line)).map((recording) => [recording.name, recording]));
}

const stem = (file) => basename(file, '.jsonl');

async function recordSet(nodes, broker, { file, cases, wanted }, names) {
  const path = join(root, 'transcripts', file);
  mkdirSync(join(path, '..'), { recursive: true });
  const whole = names.length === 0 || names.includes(stem(file));
  const chosen = whole ? cases : cases.filter(({ name }) => names.includes(name));
  const began = performance.now();
  const { recordings, unsettled } = await recordAll(nodes, broker, chosen, AT_A_TIME, wanted);
  const all = whole ? new Map() : recorded(path);
  for (const recording of recordings) all.set(recording.name, recording);
  writeLines(path, cases.map(({ name }) => all.get(name)).filter(Boolean));
  console.log(`· ${file}: ${recordings.length} recorded in ${seconds(began)} s`);
  if (unsettled.length > 0) console.log(`  two runs did not agree, left out: ${unsettled.join(' ')}`);
}

const seconds = (began) => Math.round((performance.now() - began) / 1000);

/** Plays a scenario several times on three nodes, and writes down what came of each run. */
async function recordScenario(nodes, broker, { runs: count, ...scenario }) {
  const began = performance.now();
  const runs = [];
  for (let number = 1; number <= count; number++) runs.push(await runOnce(nodes, scenario, number));
  const folder = join(root, 'transcripts', 'rabbitmq-cluster');
  mkdirSync(folder, { recursive: true });
  const { name, about, ...rest } = scenario;
  const settings = { net_ticktime: await nodes.ask(1, 'net_kernel:get_net_ticktime()'), heartbeat: HEARTBEAT };
  const recording = { name, about, broker, nodes: nodes.all.length, settings, ...rest };
  const head = JSON.stringify(recording, null, 2).slice(0, -2);
  const lines = runs.map((run) => `    ${JSON.stringify(run)}`).join(',\n');
  writeFileSync(join(folder, `${name}.json`), `${head},\n  "runs": [\n${lines}\n  ]\n}\n`);
  console.log(`· rabbitmq-cluster/${name}.json: ${count} runs in ${seconds(began)} s`);
}

/** Works with nodes, and removes them whatever happens. */
async function withNodes(count, options, work) {
  const nodes = new Nodes();
  const interrupted = () => nodes.remove().finally(() => process.exit(130));
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    await nodes.start(count, options);
    await work(nodes);
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    await nodes.remove();
  }
}

const HEARTBEAT = 60;
const names = process.argv.slice(2);
const broker = `RabbitMQ ${ensureRabbit()}`;
const named = (name) => names.length === 0 || names.includes(name);
const sets = SETS.filter(({ file, cases }) => named(stem(file)) || cases.some(({ name }) => named(name)));
const scenarios = SCENARIOS.filter(({ name }) => named(name) || named('rabbitmq-cluster'));
if (sets.length + scenarios.length === 0) stop(`There is no recording of the name ${names.join(' or ')}.`);
const plugins = ['rabbitmq_consistent_hash_exchange'];
if (sets.length > 0) {
  // Without heartbeats: a rest is a rest.
  await withNodes(1, { plugins, configuration: ['heartbeat = 0'] }, async (nodes) => {
    for (const set of sets) await recordSet(nodes, broker, set, names);
  });
}
if (scenarios.length > 0) {
  await withNodes(3, { plugins, configuration: [`heartbeat = ${HEARTBEAT}`] }, async (nodes) => {
    for (const scenario of scenarios) await recordScenario(nodes, broker, scenario);
  });
}
