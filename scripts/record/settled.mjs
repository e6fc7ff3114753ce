// Settled transcripts: one operation at a time, each followed by a rest until nothing comes any more.
import { writeFileSync } from 'node:fs';
import { sleep } from './broker.mjs';
import { Clients } from './client.mjs';

/** No client has got a frame for this long: the step is over. */
const QUIET = 120;
const PATIENCE = 20_000;
/** After a restart the queues that elect a leader have one by then. */
const RESTARTED = 5_000;

async function settled(clients, rest = QUIET) {
  const start = performance.now();
  for (;;) {
    const quiet = Math.max(start, clients.last) + rest - performance.now();
    if (quiet <= 0 || performance.now() - start > PATIENCE) return;
    await sleep(Math.max(1, quiet));
  }
}

const VHOST = /^[a-z0-9-]+$/;

/** A virtual host of its own for each recording, so that several can be made at a time. */
async function withHost(nodes, name, work) {
  if (!VHOST.test(name)) throw new Error(`a recording's name is letters, digits and dashes: ${name}`);
  const host = `<<"${name}">>`;
  await nodes.ask(
    1,
    `rabbit_vhost:add(${host}, <<"recorder">>),
     rabbit_auth_backend_internal:set_permissions(<<"guest">>, ${host}, <<".*">>, <<".*">>, <<".*">>, <<"recorder">>), 0`,
  );
  const clients = new Clients(`amqp://guest:guest@127.0.0.1:${nodes.node(1).port}/${name}`);
  try {
    return await work(clients);
  } finally {
    await clients.closeAll();
    await nodes.ask(1, `rabbit_vhost:delete(${host}, <<"recorder">>), 0`);
  }
}

/** Ready and unacknowledged messages of the classic queues. */
async function counts(nodes, name) {
  const rows = await nodes.ask(
    1,
    `[[element(4, proplists:get_value(name, I)), proplists:get_value(messages_ready, I),
       proplists:get_value(messages_unacknowledged, I)]
      || I <- rabbit_amqqueue:info_all(<<"${name}">>, [name, type, messages_ready, messages_unacknowledged]),
      proplists:get_value(type, I) =:= classic]`,
  );
  return Object.fromEntries(rows.sort().map(([queue, ready, unacked]) => [queue, { ready, unacked }]));
}

async function play(nodes, clients, step) {
  switch (step.op) {
    case 'wait':
      return sleep(step.ms);
    case 'broker.restart':
      await clients.closeAll();
      await nodes.down(1);
      await nodes.up(1);
      await sleep(RESTARTED);
      return;
    default:
      return clients.operate(step);
  }
}

/**
 * Records once. `next` gives the next operation, from all that was seen so far, until it gives none.
 */
async function once(nodes, name, next) {
  return withHost(nodes, name, async (clients) => {
    const steps = [];
    for (let step = next([]); step; ) {
      await play(nodes, clients, step);
      if (step.settle !== false) await settled(clients);
      const observed = clients.take();
      steps.push({ ...step, observed });
      step = next(observed);
    }
    return { steps, queues: await counts(nodes, name) };
  });
}

/** What is compared of two recordings: the order per consumer and per channel. */
function comparable({ steps, queues }) {
  const streams = steps.map(({ observed }) => {
    const sorted = {};
    for (const event of observed) {
      const { consumer, consumer_cancelled, channel, channel_closed } = event;
      const key = consumer ?? consumer_cancelled ?? channel ?? channel_closed ?? Object.keys(event)[0];
      sorted[key] = [...(sorted[key] ?? []), event];
    }
    return Object.entries(sorted).sort(([a], [b]) => (a < b ? -1 : 1));
  });
  return JSON.stringify([streams, queues]);
}

const fixed = (steps) => {
  let index = 0;
  return () => steps[index++];
};

/** Records a case twice; answers the recording, or null where the two did not agree. */
export async function record(nodes, broker, { name, about, steps, walk }) {
  const first = await once(nodes, name, walk ? walk() : fixed(steps));
  const operations = first.steps.map(({ observed: _, ...step }) => step);
  const second = await once(nodes, name, fixed(operations));
  if (comparable(first) !== comparable(second)) return null;
  return { name, about, broker, ...first };
}

/** Records cases, several at a time; those that restart the broker come last and alone. */
export async function recordAll(nodes, broker, cases, atATime, wanted = cases.length) {
  const results = new Map();
  const unsettled = [];
  const restarts = ({ steps = [] }) => steps.some(({ op }) => op === 'broker.restart');
  const queue = cases.filter((one) => !restarts(one));
  const worker = async () => {
    for (let one = queue.shift(); one && results.size < wanted; one = queue.shift()) {
      const recording = await record(nodes, broker, one);
      if (recording) results.set(one.name, recording);
      else unsettled.push(one.name);
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  for (const one of cases.filter(restarts)) {
    const recording = await record(nodes, broker, one);
    if (recording) results.set(one.name, recording);
    else unsettled.push(one.name);
  }
  const recordings = cases.map(({ name }) => results.get(name)).filter(Boolean);
  return { recordings: recordings.slice(0, wanted), unsettled };
}

/** Writes recordings one a line. */
export function writeLines(file, recordings) {
  writeFileSync(file, recordings.map((recording) => `${JSON.stringify(recording)}\n`).join(''));
}
