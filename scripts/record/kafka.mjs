// npm run record:kafka [-- NAME…]: records a real Kafka cluster into transcripts/kafka-cluster/, or only what is named.
//   --runs=N     so many runs of each scenario, and plays of each case
//   --into=DIR   into another folder
//   --more       keeps the recorded runs of the same scenario, and adds what is missing
//   --classes    asks Kafka's classes instead: our own lines of transcripts/kafka/, or with --seed=N and --lines=M so many
//                of each kind from that seed on, into target/kafka-classes
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root, stop } from '../tools.mjs';
import { CASES, SETTINGS } from './cases/kafka.mjs';
import { recordClasses } from './kafka-classes.mjs';
import { ensureNamespaces } from './kafka-network.mjs';
import { Cluster, ensureKafka } from './kafka-nodes.mjs';
import { runOnce } from './kafka-run.mjs';
import { SCENARIOS } from './kafka-scenarios.mjs';
import { playSteps, together } from './kafka-steps.mjs';

const { values: options, positionals: names } = parseArgs({
  options: {
    runs: { type: 'string' },
    into: { type: 'string' },
    more: { type: 'boolean' },
    classes: { type: 'boolean' },
    seed: { type: 'string' },
    lines: { type: 'string' },
  },
  allowPositionals: true,
});
const FOLDER = options.into ? resolve(options.into) : join(root, 'transcripts', 'kafka-cluster');
const asked = options.runs === undefined ? undefined : Number(options.runs);
if (asked !== undefined && !(Number.isInteger(asked) && asked > 0)) stop('--runs wants a number from 1.');
/** A longer time without an answer or a delivery before the first fault: the machine was busy with something else. */
const DISTURBED_MS = 100;
/** So many disturbed runs of one scenario: this is no machine to record on. */
const PATIENCE = 20;
const seconds = (began) => Math.round((performance.now() - began) / 1000);

function write(recording, lists, count, began) {
  const indented = (list) => list.map((one) => `    ${JSON.stringify(one)}`).join(',\n');
  const parts = Object.entries(lists).map(([name, list]) => `  "${name}": [\n${indented(list)}\n  ]`);
  mkdirSync(FOLDER, { recursive: true });
  const head = JSON.stringify(recording, null, 2).slice(0, -2);
  writeFileSync(join(FOLDER, `${recording.name}.json`), `${head},\n${parts.join(',\n')}\n}\n`);
  console.log(`· kafka-cluster/${recording.name}.json: ${count} runs in ${seconds(began)} s`);
}

/** The runs that were recorded of the same scenario, but those that were disturbed. */
function recorded(head) {
  const file = join(FOLDER, `${head.name}.json`);
  if (!options.more || !existsSync(file)) return { runs: [], disturbed: 0 };
  const { runs, disturbed = 0, ...before } = JSON.parse(readFileSync(file, 'utf8'));
  if (JSON.stringify(before) !== JSON.stringify(head)) stop(`${head.name} is another scenario now: record it anew.`);
  const kept = runs.filter(({ usual_gap_ms }) => usual_gap_ms <= DISTURBED_MS);
  return { runs: kept, disturbed: disturbed + runs.length - kept.length };
}

/** Plays a scenario several times, and writes down what came of each run, but of those that were disturbed. */
async function recordScenario(cluster, broker, { runs: usual, ...scenario }) {
  const began = performance.now();
  const { name, about, ...rest } = scenario;
  const head = { name, about, broker, brokers: 3, controllers: 1, ...rest };
  let { runs, disturbed } = recorded(head);
  for (const count = asked ?? usual; runs.length < count; ) {
    const run = await runOnce(cluster, scenario, `${runs.length + 1}-${Date.now()}`);
    if (process.env.BROKERLAB_SHOW) console.log(JSON.stringify(run));
    if (run.usual_gap_ms <= DISTURBED_MS) runs.push(run);
    else disturbed += 1;
    if (disturbed > PATIENCE) throw new Error(`${name}: the machine is too busy: ${disturbed} runs were disturbed`);
  }
  write(disturbed > 0 ? { ...head, disturbed } : head, { runs }, runs.length, began);
}

/** Nothing else on this machine shall disturb: the servers and clients that this process starts inherit its priority. */
function goFirst() {
  try {
    setPriority(-15);
    // Linux weighs sessions against each other first, and a process's priority counts within its session only.
    if (existsSync('/proc/self/autogroup')) writeFileSync('/proc/self/autogroup', '-15');
  } catch {
    console.log('· without priority, which takes root: a busy machine will disturb runs');
  }
}

/** How often a case is played. */
const PLAYS = 2;

/** Plays a case step by step, more than once, and writes down what each step led to. */
async function recordCase(cluster, broker, { name, about, topic, steps }) {
  const began = performance.now();
  const plays = [];
  const count = asked ?? PLAYS;
  for (let number = 1; number <= count; number++) {
    plays.push(await playSteps(cluster, { name, topic, steps }, number));
  }
  const head = { name, about, broker, brokers: 3, controllers: 1, settings: SETTINGS, topic, plays: count };
  write(head, { steps: together(steps, plays) }, count, began);
}

/** Works with a cluster, and removes it whatever happens. */
async function withCluster(settings, work, options = {}) {
  const cluster = new Cluster();
  const interrupted = () => cluster.remove().finally(() => process.exit(130));
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    await cluster.start(settings, options);
    await work(cluster);
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    await cluster.remove();
  }
}

/** Asks Kafka's classes; no cluster is needed for that. */
function askClasses({ seed, lines = '1000', into }) {
  if (seed !== undefined && !/^\d+$/.test(seed)) stop('--seed wants a number from 0.');
  if (!/^[1-9]\d*$/.test(lines)) stop('--lines wants a number from 1.');
  const usual = seed === undefined ? ['transcripts', 'kafka'] : ['target', 'kafka-classes'];
  recordClasses(into ? resolve(into) : join(root, ...usual), seed, lines);
}

const broker = ensureKafka();
if (options.classes) {
  askClasses(options);
  process.exit(0);
}
goFirst();
const named = (name) => names.length === 0 || names.includes(name);
const scenarios = SCENARIOS.filter(({ name }) => named(name));
const cases = CASES.filter(({ name }) => named(name));
if (scenarios.length + cases.length === 0) stop(`There is no recording of the name ${names.join(' or ')}.`);
const ofLinks = ({ faults }) => faults.some(({ op }) => op.startsWith('links.'));
for (const links of [false, true]) {
  const some = scenarios.filter((scenario) => ofLinks(scenario) === links);
  if (some.length === 0) continue;
  if (links) ensureNamespaces();
  const record = async (cluster) => {
    for (const scenario of some) await recordScenario(cluster, broker, scenario);
  };
  await withCluster({}, record, { links });
}
if (cases.length > 0) {
  await withCluster(SETTINGS, async (cluster) => {
    for (const one of cases) await recordCase(cluster, broker, one);
  });
}
