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
      producers: places.map((place) => ({ name: `source-${place}`, rate: `${Math.round(flying / 12)}/s`, size: '100B' })),
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
