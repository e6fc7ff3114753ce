// Plays a scenario of a cluster once, and says what came of it.
import { sleep, until } from './broker.mjs';
import { Consumer, Publisher } from './cluster-clients.mjs';

const now = () => performance.now();

const lookup = (queue) => `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"${queue}">>))`;

/** The node that leads a quorum queue, or that a classic queue is on. */
export function leaderOf(nodes, from, queue) {
  return nodes
    .ask(from, `${lookup(queue)}, case amqqueue:get_pid(Q) of {_, N} -> N; P -> node(P) end`)
    .then((name) => Number(name.slice(1, name.indexOf('@'))))
    .catch(() => null);
}

/** A node that can be asked. */
const alive = (nodes) => nodes.all.find((node) => node.process).number;

/** Ready and unacknowledged messages, or null if nobody can say. */
function countsOf(nodes, from, queue) {
  const classic = 'I = rabbit_amqqueue:info(Q, [messages_ready, messages_unacknowledged]), [V || {_, V} <- I]';
  const quorum = `P = amqqueue:get_pid(Q), {ok, {_, {R, _}}, _} = ra:leader_query(P, fun rabbit_fifo:query_stat/1),
    {ok, {_, T}, _} = ra:leader_query(P, fun rabbit_fifo:query_messages_total/1), [R, T - R]`;
  return nodes
    .ask(from, `${lookup(queue)}, case amqqueue:get_type(Q) of rabbit_quorum_queue -> ${quorum}; _ -> ${classic} end`)
    .then(([ready, unacked]) => ({ ready, unacked }))
    .catch(() => null);
}

/** The longest times between neighbours before the fault and after it, in ms; what spans it counts as after. */
function longestGaps(times, fault) {
  const longest = { before: 0, after: 0 };
  for (let index = 1; index < times.length; index++) {
    const side = times[index] > fault ? 'after' : 'before';
    longest[side] = Math.max(longest[side], Math.round(times[index] - times[index - 1]));
  }
  return longest;
}

const FAULTS = {
  'node.kill': (run, { node }) => run.nodes.kill(node),
  'node.stop': (run, { node }) => run.nodes.down(node),
  'node.pause': (run, { node }) => run.nodes.signal(node, 'SIGSTOP'),
  'node.resume': (run, { node }) => run.nodes.signal(node, 'SIGCONT'),
  'node.start': async (run, { node }) => {
    run.up.push(Math.round(await run.nodes.up(node)));
  },
  'consumer.sever': (run) => run.consumer.sever(),
};

async function faults(run, list, began) {
  const all = list.map(async (fault) => {
    await sleep(began + fault.at_ms - now());
    if (fault.op !== 'node.start' && run.fault === undefined) {
      run.fault = now();
      run.held = run.consumer.held.length;
    }
    await FAULTS[fault.op](run, fault);
  });
  await Promise.all(all);
}

function outcome(run) {
  const { publisher, consumer } = run;
  const times = new Map();
  for (const { text } of consumer.deliveries) times.set(text, (times.get(text) ?? 0) + 1);
  const again = consumer.deliveries.length - times.size;
  const redelivered = consumer.deliveries.filter((delivery) => delivery.redelivered).length;
  const confirms = longestGaps(publisher.confirms, run.fault);
  const deliveries = longestGaps(
    consumer.deliveries.map(({ at }) => at),
    run.fault,
  );
  const lost = [...publisher.confirmed].filter((message) => !times.has(message)).length;
  return {
    confirmed: publisher.confirmed.size,
    refused: publisher.refused,
    returned: publisher.returned.size,
    unconfirmed: publisher.made - publisher.confirmed.size - publisher.returned.size,
    delivered: times.size,
    duplicates: again,
    redelivered,
    lost,
    held_at_fault: run.held,
    confirm_gap_ms: confirms.after,
    delivery_gap_ms: deliveries.after,
    usual_gap_ms: Math.max(confirms.before, deliveries.before),
    connect_ms: Math.round(Math.max(...reconnects(publisher), ...reconnects(consumer))),
    publisher_connections: publisher.connections,
    consumer_connections: consumer.connections,
    consumer_cancelled: consumer.cancelled,
  };
}

/** How long connections took after the first, or the first if it stayed the only one. */
function reconnects({ connecting }) {
  return connecting.length > 1 ? connecting.slice(1) : connecting;
}

/** Until everything is confirmed and taken, and the queue is empty; answers whether that came. */
async function drained(run, queue, patience) {
  const { nodes, publisher, consumer } = run;
  const end = now() + patience;
  while (now() < end) {
    const last = consumer.deliveries.at(-1)?.at ?? 0;
    if (publisher.done && consumer.held.length === 0 && now() - last > 1000) {
      const counts = await countsOf(nodes, alive(nodes), queue);
      if (counts?.ready === 0 && counts.unacked === 0) return true;
    }
    await sleep(20);
  }
  return false;
}

/** One run of a scenario on a cluster that is whole before and after. */
export async function runOnce(nodes, scenario, number) {
  const queue = `${scenario.name}-${number}`;
  const admin = `<<"${queue}">>`;
  const { queue: spec } = scenario;
  const args = Object.entries(spec.arguments).map(([key, value]) => `{<<"${key}">>, longstr, <<"${value}">>}`);
  const resource = `rabbit_misc:r(<<"/">>, queue, ${admin})`;
  await nodes.ask(
    spec.node,
    `element(1, rabbit_amqqueue:declare(${resource}, true, false, [${args.join(', ')}], none, <<"recorder">>))`,
  );
  const { recovery_ms } = scenario.client;
  const publisher = new Publisher(nodes, { ...scenario.publisher, queue, recovery_ms });
  const consumer = new Consumer(nodes, { ...scenario.consumer, queue, recovery_ms });
  const run = { nodes, publisher, consumer, up: [] };
  const keeping = [publisher.keep(), consumer.keep()];
  await until('the clients', () => publisher.current && consumer.current);
  await sleep(500);
  const leader = await leaderOf(nodes, spec.node, queue);
  const began = now();
  const making = publisher.make();
  await faults(run, scenario.faults, began);
  await making;
  const whole = await drained(run, queue, scenario.patience_ms);
  const one = alive(nodes);
  const after = { leader: [leader, await leaderOf(nodes, one, queue)], queue: await countsOf(nodes, one, queue) };
  const result = { ...outcome(run), ...after, ...(run.up.length > 0 ? { up_ms: run.up } : {}) };
  if (!whole) result.gave_up = true;
  await publisher.end();
  await consumer.end();
  await Promise.race([Promise.all(keeping), sleep(2000)]);
  await heal(nodes);
  await nodes.ask(
    1,
    `{ok, Q} = rabbit_amqqueue:lookup(${resource}), rabbit_amqqueue:delete(Q, false, false, <<"r">>), 0`,
  );
  return result;
}

async function heal(nodes) {
  for (const node of nodes.all) if (!node.process) await nodes.up(node.number);
  for (const node of nodes.all) {
    await until('a whole cluster', async () => (await nodes.running(node.number)) === nodes.all.length);
  }
  await sleep(1000);
}
