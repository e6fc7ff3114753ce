// The scenarios that are recorded on a cluster of three nodes on one machine.

const quorum = { node: 1, arguments: { 'x-queue-type': 'quorum' } };
const classic = { node: 1, arguments: { 'x-queue-type': 'classic' } };

const publisher = (node, messages, more = {}) => ({
  node,
  rate: 200,
  messages,
  bytes: 500,
  max_unconfirmed: 200,
  retry_refused_ms: 500,
  ...more,
});

const consumer = (node, more = {}) => ({ node, prefetch: 50, processing_ms: 8, ...more });

const scenario = (name, about, more) => ({
  name,
  about,
  client: { recovery_ms: 500 },
  patience_ms: 40_000,
  runs: 5,
  ...more,
});

const kill = (node, at_ms = 2000) => ({ at_ms, op: 'node.kill', node });
const start = (node, at_ms) => ({ at_ms, op: 'node.start', node });
const stop = (node, at_ms = 2000) => ({ at_ms, op: 'node.stop', node });

export const SCENARIOS = [
  scenario('quorum-kill-leader', 'kill -9 of the node that leads a quorum queue; the clients are on the others', {
    queue: quorum,
    publisher: publisher(2, 800),
    consumer: consumer(3),
    faults: [kill(1)],
    runs: 10,
  }),
  scenario('quorum-kill-leader-with-clients', 'kill -9 of the node that leads a quorum queue and has the clients', {
    queue: quorum,
    publisher: publisher(1, 800),
    consumer: consumer(1),
    faults: [kill(1)],
    runs: 10,
  }),
  scenario('classic-kill-home', 'kill -9 of a classic queue’s home node, which comes back', {
    queue: classic,
    publisher: publisher(2, 2000),
    consumer: consumer(3, { processing_ms: 4 }),
    faults: [kill(1), start(1, 4000)],
    runs: 10,
  }),
  scenario('classic-kill-home-mandatory', 'the same with mandatory messages: what has nowhere to go comes back', {
    queue: classic,
    publisher: publisher(2, 2000, { mandatory: true }),
    consumer: consumer(3, { processing_ms: 4 }),
    faults: [kill(1), start(1, 4000)],
  }),
  scenario('classic-stop-home', 'a clean stop of a classic queue’s home node, which comes back', {
    queue: classic,
    publisher: publisher(2, 2000),
    consumer: consumer(3, { processing_ms: 4 }),
    faults: [stop(1), start(1, 6000)],
  }),
  scenario('quorum-stop-follower', 'a clean stop of a node that follows', {
    queue: quorum,
    publisher: publisher(2, 800),
    consumer: consumer(1),
    faults: [stop(3)],
  }),
  scenario('quorum-minority', 'kill -9 of two nodes of three, of which one comes back', {
    queue: quorum,
    publisher: publisher(2, 2400),
    consumer: consumer(2, { processing_ms: 4 }),
    faults: [kill(1), kill(3), start(3, 8000)],
    patience_ms: 60_000,
  }),
  scenario('quorum-stop-leader', 'a clean stop of the node that leads a quorum queue', {
    queue: quorum,
    publisher: publisher(2, 800),
    consumer: consumer(3),
    faults: [stop(1)],
  }),
  scenario('quorum-sever-consumer', 'a consumer’s connection dies while it holds messages of a quorum queue', {
    queue: quorum,
    publisher: publisher(2, 800),
    consumer: consumer(3),
    faults: [{ at_ms: 2000, op: 'consumer.sever' }],
  }),
  scenario('classic-sever-consumer', 'a consumer’s connection dies while it holds messages of a classic queue', {
    queue: classic,
    publisher: publisher(2, 800),
    consumer: consumer(3),
    faults: [{ at_ms: 2000, op: 'consumer.sever' }],
  }),
  scenario('quorum-pause-leader', 'the node that leads a quorum queue is stopped for 15 s by a signal', {
    queue: quorum,
    publisher: publisher(2, 3400),
    consumer: consumer(3, { processing_ms: 4 }),
    faults: [
      { at_ms: 2000, op: 'node.pause', node: 1 },
      { at_ms: 17000, op: 'node.resume', node: 1 },
    ],
    patience_ms: 60_000,
  }),
];
