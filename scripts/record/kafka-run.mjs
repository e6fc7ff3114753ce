// Plays a scenario of a Kafka cluster that fails once, and says what came of it.
import { sleep, until } from './broker.mjs';
import { CLIENTS, CONTROLLER } from './kafka-nodes.mjs';

const now = () => Date.now();

/** The longest times between neighbours before the fault and after it, in ms; what spans it counts as after. */
function longestGaps(times, fault) {
  const longest = { before: 0, after: 0 };
  const order = [...times].sort((a, b) => a - b);
  for (let index = 1; index < order.length; index++) {
    const side = order[index] > fault ? 'after' : 'before';
    longest[side] = Math.max(longest[side], order[index] - order[index - 1]);
  }
  return longest;
}

/** The links of a fault, each one way: all that is sent between the broker and the others, or only what it sends. */
function links({ broker, brokers = [], controller = false, clients = false, one_way = false }) {
  const others = [...brokers, ...(controller ? [CONTROLLER] : []), ...(clients ? [CLIENTS] : [])];
  return others.flatMap((other) => [[broker, other], ...(one_way ? [] : [[other, broker]])]);
}

const FAULTS = {
  'broker.kill': (run, { broker }) => run.cluster.kill(broker),
  'broker.stop': async (run, { broker }) => {
    const began = now();
    await run.cluster.down(broker);
    run.stopped.push(now() - began);
  },
  'broker.pause': (run, { broker }) => run.cluster.signal(broker, 'SIGSTOP'),
  'broker.resume': (run, { broker }) => run.cluster.signal(broker, 'SIGCONT'),
  'broker.start': async (run, { broker }) => {
    const { up, boot, refused } = await run.cluster.up(broker);
    run.up.push(Math.round(up));
    run.boot.push(Math.round(boot));
    run.refused.push(refused);
  },
  'links.cut': (run, fault) => run.cluster.links('cut', links(fault)),
  'links.heal': (run, fault) => run.cluster.links('heal', links(fault)),
};

async function faults(run, list, began) {
  const all = list.map(async (fault) => {
    await sleep(began + fault.at_ms - now());
    run.fault ??= now();
    await FAULTS[fault.op](run, fault);
  });
  await Promise.all(all);
}

/** A group whose coordinator is this broker: the first of a row of names. */
async function groupOf(cluster, name, broker) {
  for (let number = 1; number < 200; number++) {
    const group = `${name}-${number}`;
    if ((await cluster.driver.ask('group.coordinator', { group }).catch(() => null)) === broker) return group;
  }
  throw new Error(`no group has broker ${broker} as its coordinator`);
}

/** What became of the records: `records` as the producer knows them, `read` as the consumer does. */
function outcome(run, records, read) {
  const times = new Map();
  for (const record of read) {
    // A record's name is its value without what pads it.
    const name = record.value.replace(/\.+$/, '');
    times.set(name, (times.get(name) ?? 0) + 1);
  }
  const acked = records.map((record, index) => ({ ...record, name: `m${index + 1}` }));
  const errors = {};
  for (const { error } of records) if (error) errors[error] = (errors[error] ?? 0) + 1;
  const acknowledged = acked.filter(({ offset }) => offset !== undefined);
  const acks = longestGaps(
    acknowledged.map(({ done }) => done),
    run.fault,
  );
  const deliveries = longestGaps(
    read.map(({ at }) => at),
    run.fault,
  );
  return {
    acknowledged: acknowledged.length,
    refused: acked.filter(({ error }) => error).length,
    unanswered: acked.filter(({ done }) => done === undefined).length,
    delivered: times.size,
    duplicates: read.length - times.size,
    lost: acknowledged.filter(({ name }) => !times.has(name)).length,
    ack_gap_ms: acks.after,
    delivery_gap_ms: deliveries.after,
    usual_gap_ms: Math.max(acks.before, deliveries.before),
    ...(Object.keys(errors).length > 0 ? { errors } : {}),
  };
}

/** Until everything is answered, all that can be read was read, and a rest; answers whether that came. */
async function drained(cluster, topic, messages, patience) {
  const { driver } = cluster;
  const end = now() + patience;
  let last = { count: -1, answered: -1, at: now() };
  while (now() < end) {
    const count = await driver.ask('consumer.count', { name: 'consumer' });
    const answered = await driver.ask('producer.count', { name: 'producer' });
    if (count !== last.count || answered !== last.answered) last = { count, answered, at: now() };
    if (answered === messages && now() - last.at > 2000) {
      const { latest } = await driver.ask('topic.offsets', { topic });
      if (count >= latest) return true;
    }
    await sleep(100);
  }
  return false;
}

/** One run of a scenario on a cluster that is whole before and after. */
export async function runOnce(cluster, scenario, number) {
  const { driver } = cluster;
  const topic = `${scenario.name}-${number}`;
  const { replicas, config } = scenario.topic;
  await driver.ask('topic.create', { topic, assignment: [replicas], config });
  await until('the topic', async () => {
    const [one] = await driver.ask('topic.describe', { topic }).catch(() => []);
    return one?.leader === replicas[0] && one.isr.length === replicas.length;
  });
  const group = await groupOf(cluster, `g-${topic}`, scenario.consumer.coordinator);
  const reading = { 'group.id': group, 'client.id': 'consumer', ...scenario.consumer.config };
  await driver.ask('consumer.open', { name: 'consumer', topics: [topic], config: reading });
  const assigned = async () => (await driver.ask('consumer.state', { name: 'consumer' })).assignment.length === 1;
  await until('the consumer', assigned);
  // Until it has looked for its position, and at random: the fault strikes at any time between two heartbeats.
  await sleep(1000 + 2000 * Math.random());
  const run = { cluster, up: [], boot: [], refused: [], stopped: [] };
  const { rate, messages, bytes, config: writing } = scenario.producer;
  await driver.ask('producer.stream', { name: 'producer', topic, rate, messages, bytes, config: writing });
  const began = now();
  await faults(run, scenario.faults, began);
  await sleep(began + (messages * 1000) / rate - now());
  const whole = await drained(cluster, topic, messages, scenario.patience_ms);
  const records = await driver.ask('producer.finish', { name: 'producer', timeout_ms: 0 });
  const read = await driver.ask('consumer.records', { name: 'consumer' });
  // A broker whose answers get lost must not hold up the last questions.
  cluster.network?.healAll();
  const [after] = await driver.ask('topic.describe', { topic });
  const { latest } = await driver.ask('topic.offsets', { topic });
  await driver.ask('consumer.close', { name: 'consumer' });
  const result = {
    ...outcome(run, records, read),
    stored: latest,
    leader: [replicas[0], after.leader],
    isr: after.isr,
  };
  if (run.up.length > 0) {
    result.up_ms = run.up;
    result.boot_ms = run.boot;
    result.registrations_refused = run.refused;
  }
  if (run.stopped.length > 0) result.stopped_ms = run.stopped;
  if (!whole) result.gave_up = true;
  await cluster.heal();
  await driver.ask('topic.delete', { topic });
  return result;
}
