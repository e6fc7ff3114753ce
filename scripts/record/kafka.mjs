// npm run record:kafka [-- NAME…]: records a real Kafka cluster into transcripts/kafka-cluster/, or only what is named.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, stop } from '../tools.mjs';
import { CASES, SETTINGS } from './cases/kafka.mjs';
import { ensureNamespaces } from './kafka-network.mjs';
import { Cluster, ensureKafka } from './kafka-nodes.mjs';
import { runOnce } from './kafka-run.mjs';
import { SCENARIOS } from './kafka-scenarios.mjs';
import { playSteps, together } from './kafka-steps.mjs';

const FOLDER = join(root, 'transcripts', 'kafka-cluster');
const seconds = (began) => Math.round((performance.now() - began) / 1000);

function write(recording, lists, count, began) {
  const indented = (list) => list.map((one) => `    ${JSON.stringify(one)}`).join(',\n');
  const parts = Object.entries(lists).map(([name, list]) => `  "${name}": [\n${indented(list)}\n  ]`);
  mkdirSync(FOLDER, { recursive: true });
  const head = JSON.stringify(recording, null, 2).slice(0, -2);
  writeFileSync(join(FOLDER, `${recording.name}.json`), `${head},\n${parts.join(',\n')}\n}\n`);
  console.log(`· kafka-cluster/${recording.name}.json: ${count} runs in ${seconds(began)} s`);
}

/** Plays a scenario several times, and writes down what came of each run. */
async function recordScenario(cluster, broker, { runs: count, ...scenario }) {
  const began = performance.now();
  const runs = [];
  for (let number = 1; number <= count; number++) {
    runs.push(await runOnce(cluster, scenario, `${number}-${Date.now()}`));
    if (process.env.BROKERLAB_SHOW) console.log(JSON.stringify(runs.at(-1)));
  }
  const { name, about, ...rest } = scenario;
  write({ name, about, broker, brokers: 3, controllers: 1, ...rest }, { runs }, count, began);
}

/** How often a case is played. */
const PLAYS = 2;

/** Plays a case step by step, more than once, and writes down what each step led to. */
async function recordCase(cluster, broker, { name, about, topic, steps }) {
  const began = performance.now();
  const plays = [];
  for (let number = 1; number <= PLAYS; number++) {
    plays.push(await playSteps(cluster, { name, topic, steps }, number));
  }
  const head = { name, about, broker, brokers: 3, controllers: 1, settings: SETTINGS, topic, plays: PLAYS };
  write(head, { steps: together(steps, plays) }, PLAYS, began);
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

const names = process.argv.slice(2);
const broker = ensureKafka();
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
