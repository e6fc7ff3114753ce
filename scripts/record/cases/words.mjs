// Short words for the operations that hand-written cases are made of.

export const declare = (queue, args = {}, more = {}) => ({ op: 'queue.declare', queue, arguments: args, ...more });
export const exchange = (name, type, more = {}) => ({
  op: 'exchange.declare',
  exchange: name,
  type,
  arguments: {},
  ...more,
});
export const bind = (queue, from, routing_key = '', args = {}, more = {}) => ({
  op: 'queue.bind',
  queue,
  exchange: from,
  routing_key,
  arguments: args,
  ...more,
});
export const chain = (source, destination, routing_key = '') => ({
  op: 'exchange.bind',
  source,
  destination,
  routing_key,
});
export const publish = (to, routing_key, message, more = {}) => ({
  op: 'basic.publish',
  channel: 'p',
  exchange: to,
  routing_key,
  message,
  ...more,
});
/** Messages one after the other to a queue through the default exchange. */
export const fill = (queue, messages, more = {}) => messages.map((message) => publish('', queue, message, more));
export const confirms = (channel = 'p') => ({ op: 'confirm.select', channel });
export const qos = (channel, prefetch_count, more = {}) => ({ op: 'basic.qos', channel, prefetch_count, ...more });
export const consume = (channel, queue, consumer, more = {}) => ({
  op: 'basic.consume',
  channel,
  queue,
  consumer,
  ...more,
});
export const ack = (channel, message, multiple = false) => ({ op: 'basic.ack', channel, message, multiple });
export const nack = (channel, message, requeue, multiple = false) => ({
  op: 'basic.nack',
  channel,
  message,
  multiple,
  requeue,
});
export const reject = (channel, message, requeue) => ({ op: 'basic.reject', channel, message, requeue });
export const get = (queue, more = {}) => ({ op: 'basic.get', channel: 'g', queue, no_ack: true, ...more });
export const cancel = (channel, consumer) => ({ op: 'basic.cancel', channel, consumer });
export const closeChannel = (channel) => ({ op: 'channel.close', channel });
export const closeConnection = (connection) => ({ op: 'connection.close', connection });
export const count = (queue) => ({ op: 'queue.declare', queue, passive: true });
export const wait = (ms) => ({ op: 'wait', ms });

/** Arguments of a queue whose dead messages go to the queue `dead`. */
export const toDead = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };
export const quorum = { 'x-queue-type': 'quorum' };
export const stream = { 'x-queue-type': 'stream' };
export const DEAD = [declare('dead'), consume('dc', 'dead', 'DEAD', { no_ack: true })];

export const one = (name, about, ...steps) => ({ name, about, steps: steps.flat() });
