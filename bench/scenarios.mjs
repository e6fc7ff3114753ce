// The documents that the page's own work is measured with.

/** About so many messages in the air at once, three seconds in: a long way, six publishers, six queues and consumers. */
export function crowd(flying) {
  const places = [1, 2, 3, 4, 5, 6];
  const node = (place) => ((place - 1) % 3) + 1;
  const queue = (place) => `queue-${place}`;
  const publisher = (place) => ({ node: node(place), routing_key: queue(place), confirms: false });
  const consumer = (place) => ({ node: node(place), queue: queue(place), no_ack: true, prefetch_count: 0 });
  return {
    brokerlab: 1,
    title: `${flying.toLocaleString('en')} in the air`,
    seed: 1,
    length: '20s',
    workload: {
      producers: places.map((place) => ({
        name: `source-${place}`,
        rate: `${Math.round(flying / 12)}/s`,
        size: '100B',
      })),
      consumers: places.map((place) => ({ name: `sink-${place}`, processing: '1us' })),
    },
    network: { servers: { latency: '1ms' }, clients: { latency: '1s' } },
    queue: {
      nodes: 3,
      queues: places.map((place) => ({ name: queue(place), node: node(place) })),
      clients: Object.fromEntries([
        ...places.map((place) => [`source-${place}`, { publisher: publisher(place) }]),
        ...places.map((place) => [`sink-${place}`, { consumer: consumer(place) }]),
      ]),
    },
  };
}

/** Ten minutes of both clusters, about a million events, a node of each lost for a while. */
export function long() {
  const numbered = (name, rest) => [1, 2].map((n) => ({ name: `${name}-${n}`, ...rest }));
  const lose = (node) => [
    { at: '60s', order: 'power-off', node },
    { at: '90s', order: 'start', node },
  ];
  return {
    brokerlab: 1,
    title: 'Ten minutes',
    seed: 7,
    length: '600s',
    workload: {
      producers: numbered('orders', { rate: '30/s', arrivals: 'poisson' }),
      consumers: numbered('fulfil', { processing: '10ms' }),
    },
    network: { servers: { latency: '12ms..18ms' }, clients: { latency: '35ms..45ms' } },
    log: {
      brokers: 3,
      controllers: 3,
      topics: [{ name: 'orders', partitions: 3, 'replication.factor': 3, config: { 'min.insync.replicas': 2 } }],
      producer: { acks: 'all' },
      consumer: { 'auto.offset.reset': 'earliest' },
    },
    queue: {
      nodes: 3,
      queues: [{ name: 'orders', arguments: { 'x-queue-type': 'quorum' }, node: 1 }],
      consumer: { prefetch_count: 10 },
    },
    tape: [...lose('broker-1'), ...lose('rabbit-1')].sort(
      (a, b) => Number.parseInt(a.at, 10) - Number.parseInt(b.at, 10),
    ),
  };
}
