// What is recorded of a Kafka cluster step by step. `T` and `G` are the case's topic and group.

/** Shorter than Kafka's own, so that a recording takes seconds: heartbeats, sessions, locks, the cleaner's rest. */
export const SETTINGS = {
  'group.consumer.min.heartbeat.interval.ms': 1000,
  'group.consumer.heartbeat.interval.ms': 1000,
  'group.consumer.min.session.timeout.ms': 6000,
  'group.consumer.session.timeout.ms': 6000,
  'group.share.min.heartbeat.interval.ms': 1000,
  'group.share.heartbeat.interval.ms': 1000,
  'group.share.min.record.lock.duration.ms': 1000,
  'group.share.record.lock.duration.ms': 5000,
  'log.cleaner.backoff.ms': 1000,
  'log.retention.check.interval.ms': 1000,
  'auto.create.topics.enable': false,
};

const spread = (count) => Array.from({ length: count }, (_, index) => [0, 1, 2].map((n) => ((index + n) % 3) + 1));
const single = (config = {}) => ({ assignment: [[1, 2, 3]], config });

const producer = (name, config, more = {}) => ({ op: 'producer.open', name, config, ...more });
const send = (name, value, more = {}) => ({ op: 'producer.send', name, topic: 'T', value, ...more });
const read = (isolation = 'read_uncommitted') => ({
  op: 'topic.read',
  topic: 'T',
  config: { 'isolation.level': isolation },
});
const offsets = { op: 'topic.offsets', topic: 'T' };

const minIsr = {
  name: 'min-isr-steps',
  about: 'two of three brokers die where two must be in sync: what is refused, what is stored and cannot be read',
  topic: single({ 'min.insync.replicas': '2' }),
  steps: [
    producer('all', {
      acks: 'all',
      'enable.idempotence': 'false',
      retries: '0',
      'request.timeout.ms': '3000',
      'delivery.timeout.ms': '4000',
    }),
    producer('one', { acks: '1', retries: '0' }),
    send('all', 'm1'),
    send('one', 'm2'),
    read(),
    { op: 'broker.kill', broker: 2 },
    { op: 'broker.kill', broker: 3 },
    send('all', 'm3'),
    { op: 'isr.wait', isr: [1] },
    send('all', 'm4'),
    send('one', 'm5'),
    offsets,
    read(),
    { op: 'broker.start', broker: 2 },
    { op: 'isr.wait', isr: [1, 2] },
    send('all', 'm6'),
    offsets,
    read(),
    { op: 'producer.close', name: 'all' },
    { op: 'producer.close', name: 'one' },
  ],
};

const open = (name, config, client) => ({
  op: 'consumer.open',
  ...(client ? { client } : {}),
  name,
  topics: ['T'],
  config: { 'group.id': 'G', 'client.id': name, 'auto.offset.reset': 'earliest', ...config },
});
const settle = (...members) => ({ op: 'group.settle', members, partitions: 6, rest_ms: 3000 });
const close = (name) => ({ op: 'consumer.close', name });

const life = (name, about, config) => ({
  name,
  about: `a group’s life, ${about}: members join one after the other, one closes, one is killed`,
  topic: { assignment: spread(6), config: {} },
  steps: [
    open('a', config),
    settle('a'),
    open('b', config),
    settle('a', 'b'),
    open('c', config, 'other'),
    settle('a', 'b', 'c'),
    close('b'),
    settle('a', 'c'),
    { op: 'client.kill', client: 'other' },
    settle('a'),
    close('a'),
  ],
});

const classic = (assignor, more = {}) => ({
  'partition.assignment.strategy': `org.apache.kafka.clients.consumer.${assignor}`,
  'session.timeout.ms': '6000',
  'heartbeat.interval.ms': '500',
  ...more,
});

const instance = (name, config, client) => open(name, { ...config, 'group.instance.id': `i${name}` }, client);
const tenSeconds = classic('RangeAssignor', { 'session.timeout.ms': '10000' });

const staticRange = {
  name: 'static-range',
  about: 'static members, classic protocol: one is killed and comes back within its session, one closes',
  topic: { assignment: spread(6), config: {} },
  steps: [
    instance('a', tenSeconds),
    settle('a'),
    instance('b', tenSeconds, 'other'),
    settle('a', 'b'),
    { op: 'client.kill', client: 'other' },
    instance('b', tenSeconds, 'again'),
    settle('a', 'b'),
    close('a'),
    settle('b'),
    close('b'),
  ],
};

const modern = { 'group.protocol': 'consumer' };

const staticConsumer = {
  name: 'static-consumer',
  about: 'static members, group.protocol=consumer: one closes and comes back, then is killed and comes back too soon',
  topic: { assignment: spread(6), config: {} },
  steps: [
    instance('a', modern),
    settle('a'),
    instance('b', modern, 'other'),
    settle('a', 'b'),
    close('b'),
    instance('b', modern, 'again'),
    settle('a', 'b'),
    { op: 'client.kill', client: 'again' },
    instance('b', modern, 'third'),
    { op: 'wait', ms: 2000 },
    { op: 'consumer.state', name: 'b' },
    settle('a'),
    close('a'),
  ],
};

const reset = (policy) => ({
  name: `reset-${policy}`,
  about: `a group without a committed offset, auto.offset.reset=${policy}`,
  topic: single(),
  steps: [
    producer('p', {}),
    send('p', 'm1'),
    send('p', 'm2'),
    open('a', classic('RangeAssignor', { 'auto.offset.reset': policy })),
    { op: 'wait', ms: 6000 },
    send('p', 'm3'),
    { op: 'wait', ms: 1500 },
    { op: 'consumer.records', name: 'a' },
    { op: 'consumer.state', name: 'a' },
    close('a'),
    { op: 'producer.close', name: 'p' },
  ],
});

const slow = (name, about, config) => ({
  name,
  about: `a member that does not poll for longer than max.poll.interval.ms, ${about}: it leaves, and comes back`,
  topic: { assignment: spread(6), config: {} },
  steps: [
    open('a', { ...config, 'max.poll.interval.ms': '3000' }),
    settle('a'),
    open('b', { ...config, 'max.poll.interval.ms': '3000' }),
    settle('a', 'b'),
    { op: 'consumer.work', name: 'a', ms: 15_000 },
    settle('b'),
    // It does not know yet.
    { op: 'consumer.state', name: 'a' },
    settle('a', 'b'),
    close('b'),
    settle('a'),
    close('a'),
  ],
});

const outOfRange = {
  name: 'fetch-out-of-range',
  about: 'a group comes back after its committed offset was deleted with its segment, auto.offset.reset=none, earliest',
  topic: single({ 'retention.ms': '1000', 'segment.ms': '1000' }),
  steps: [
    producer('p', {}),
    send('p', 'm1'),
    open('a', classic('RangeAssignor')),
    { op: 'wait', ms: 5000 },
    close('a'),
    send('p', 'm2'),
    send('p', 'm3'),
    { op: 'wait', ms: 5000 },
    send('p', 'm4'),
    offsets,
    open('b', classic('RangeAssignor', { 'auto.offset.reset': 'none' })),
    { op: 'wait', ms: 500 },
    { op: 'wait', ms: 4500 },
    { op: 'consumer.state', name: 'b' },
    close('b'),
    { op: 'producer.close', name: 'p' },
  ],
};

const errors = {
  name: 'produce-errors',
  about: 'what a producer is refused, and by whom: settings, sizes, keys, times, partitions, by acks',
  topic: single({ 'cleanup.policy': 'compact', 'max.message.bytes': '2000' }),
  steps: [
    producer('none', { acks: '1', 'enable.idempotence': 'true' }),
    producer('none', { 'max.in.flight.requests.per.connection': '6' }),
    producer('none', { 'max.in.flight.requests.per.connection': '6', 'enable.idempotence': 'true' }),
    producer('none', { retries: '0', 'enable.idempotence': 'true' }),
    producer('none', { 'delivery.timeout.ms': '30000' }),
    producer('none', { acks: '1', 'transactional.id': 'G-t' }),
    producer('none', { acks: '2' }),
    ...['all', '1', '0'].flatMap((acks) => [
      producer(acks, { acks, 'max.block.ms': '2000' }),
      send(acks, `${acks}-stored`, { key: 'k' }),
      send(acks, `${acks}-no-key`),
      send(acks, `${acks}-large`, { key: 'k', bytes: 3000 }),
      send(acks, `${acks}-too-large-for-a-request`, { key: 'k', bytes: 1_500_000 }),
      send(acks, `${acks}-of-the-future`, { key: 'k', ahead_ms: 7_200_000 }),
      send(acks, `${acks}-ahead`, { key: `${acks}-ahead`, ahead_ms: 1_800_000 }),
      send(acks, `${acks}-partition`, { key: 'k', partition: 1 }),
      send(acks, `${acks}-unknown`, { key: 'k', topic: 'T-unknown' }),
      { op: 'wait', ms: 1000 },
      offsets,
    ]),
    producer('t', { 'transactional.id': 'G-t', 'transaction.timeout.ms': '900001' }),
    { op: 'transaction.init', name: 't' },
    read(),
    ...['all', '1', '0', 't'].map((name) => ({ op: 'producer.close', name })),
  ],
};

const transaction = (what, name = 't', client = undefined) => ({
  op: `transaction.${what}`,
  ...(client ? { client } : {}),
  name,
});

const transactions = {
  name: 'transactions',
  about: 'a transaction that commits, one that aborts, and one that hangs until its timeout, by isolation level',
  topic: single(),
  steps: [
    producer('t', { 'transactional.id': 'G-t' }),
    producer('p', {}),
    transaction('init'),
    transaction('begin'),
    send('t', 'c1'),
    send('p', 'm1'),
    offsets,
    read('read_committed'),
    read(),
    transaction('commit'),
    { op: 'transactions.wait' },
    offsets,
    read('read_committed'),
    transaction('begin'),
    send('t', 'a1'),
    transaction('abort'),
    { op: 'transactions.wait' },
    send('p', 'm2'),
    offsets,
    read('read_committed'),
    read(),
    producer('h', { 'transactional.id': 'G-h', 'transaction.timeout.ms': '5000' }, { client: 'hung' }),
    transaction('init', 'h', 'hung'),
    transaction('begin', 'h', 'hung'),
    send('h', 'h1', { client: 'hung' }),
    { op: 'client.kill', client: 'hung' },
    send('p', 'm3'),
    offsets,
    read('read_committed'),
    { op: 'transactions.wait' },
    offsets,
    read('read_committed'),
    read(),
  ],
};

const fencing = {
  name: 'transaction-fencing',
  about: 'a second producer of the same transactional.id takes over while the first has a transaction open',
  topic: single(),
  steps: [
    producer('one', { 'transactional.id': 'G-t' }),
    transaction('init', 'one'),
    transaction('begin', 'one'),
    send('one', 'a1'),
    producer('two', { 'transactional.id': 'G-t' }),
    transaction('init', 'two'),
    send('one', 'a2'),
    transaction('commit', 'one'),
    transaction('begin', 'two'),
    send('two', 'b1'),
    transaction('commit', 'two'),
    { op: 'transactions.wait' },
    offsets,
    read('read_committed'),
    read(),
  ],
};

const keyed = (key, value) => send('p', value, { key });

const compaction = {
  name: 'compaction',
  about: 'a compacted topic: of each key the last stays, a tombstone stays a while, what is newest is not compacted',
  topic: single({
    'cleanup.policy': 'compact',
    'segment.ms': '1000',
    'min.cleanable.dirty.ratio': '0.01',
  }),
  steps: [
    producer('p', {}),
    keyed('k1', 'a'),
    keyed('k2', 'b'),
    keyed('k1', 'c'),
    keyed('k2', null),
    keyed('k3', 'd'),
    { op: 'wait', ms: 1500 },
    keyed('k3', 'e'),
    keyed('k1', 'f'),
    { op: 'wait', ms: 20_000 },
    read(),
    offsets,
    { op: 'producer.close', name: 'p' },
  ],
};

const member = (name, client) => ({
  op: 'share.open',
  ...(client ? { client } : {}),
  name,
  topic: 'T',
  config: { 'group.id': 'G', 'client.id': name, 'share.acknowledgement.mode': 'explicit' },
});
const poll = (name, more = {}) => ({ op: 'share.poll', name, timeout_ms: 15_000, ...more });
const acknowledge = (name, records, more = {}) => ({ op: 'share.acknowledge', name, records, ...more });
const other = { client: 'other' };

const share = {
  name: 'share-group',
  about: 'a share group: records are accepted, released and rejected, their lock expires, a member dies, the limit',
  topic: single(),
  steps: [
    { op: 'group.configure', group: 'G', config: { 'share.auto.offset.reset': 'earliest' } },
    producer('p', {}),
    ...['m1', 'm2', 'm3', 'm4'].map((value) => send('p', value)),
    member('a'),
    poll('a'),
    acknowledge('a', { m1: 'ACCEPT', m2: 'RELEASE', m3: 'REJECT', m4: 'ACCEPT' }),
    poll('a'),
    member('b', 'other'),
    poll('b', other),
    acknowledge('a', { m2: 'ACCEPT' }),
    acknowledge('b', { m2: 'RELEASE' }, other),
    poll('b', other),
    { op: 'client.kill', client: 'other' },
    poll('a'),
    acknowledge('a', { m2: 'RELEASE' }),
    poll('a', { timeout_ms: 4000 }),
    { op: 'share.close', name: 'a' },
  ],
};

export const CASES = [
  minIsr,
  errors,
  outOfRange,
  life('group-range', 'classic protocol with RangeAssignor (eager)', classic('RangeAssignor')),
  life('group-cooperative', 'classic protocol with CooperativeStickyAssignor', classic('CooperativeStickyAssignor')),
  life('group-consumer', 'group.protocol=consumer with the uniform assignor', modern),
  slow('slow-poll-range', 'classic protocol', classic('RangeAssignor')),
  slow('slow-poll-cooperative', 'classic protocol', classic('CooperativeStickyAssignor')),
  slow('slow-poll-consumer', 'group.protocol=consumer', modern),
  staticRange,
  staticConsumer,
  reset('earliest'),
  reset('latest'),
  reset('none'),
  transactions,
  fencing,
  compaction,
  share,
];
