// AMQP 0-9-1 clients of a recording: they do the operations of a transcript and write down what they see.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { root } from '../tools.mjs';

// The library's methods by name, which its package does not export: some operations have fields that its own calls
// leave out (prefetch_size, requeue), and what was refused has to be seen rather than thrown.
const defs = createRequire(import.meta.url)(join(root, 'node_modules/amqplib/lib/defs.js'));

const text = (message) => message.content.toString('utf8');

function deathsOf(headers) {
  const pick = ({ queue, reason, count, exchange, 'routing-keys': keys }) => ({
    queue,
    reason,
    count,
    exchange,
    'routing-keys': keys,
  });
  return headers?.['x-death'] ? { deaths: headers['x-death'].map(pick) } : {};
}

/** The fields of an event that are there only where the message has them. */
function extras({ headers = {}, replyTo, correlationId }) {
  const more = deathsOf(headers);
  for (const key of ['x-delivery-count', 'x-stream-offset']) if (headers[key] !== undefined) more[key] = headers[key];
  if (replyTo) more.reply_to = replyTo;
  if (correlationId) more.correlation_id = correlationId;
  return more;
}

/** All clients of one recording, on one virtual host. */
export class Clients {
  constructor(url) {
    this.url = url;
    this.connections = new Map();
    this.events = [];
    /** When the last bytes came, on any connection. */
    this.last = performance.now();
  }

  take() {
    return this.events.splice(0);
  }

  #see(event) {
    this.events.push(event);
  }

  async #connection(name) {
    const known = this.connections.get(name);
    if (known?.open) return known;
    const model = await connect(this.url, { noDelay: true });
    const connection = { model, open: true, channels: known?.channels ?? new Map() };
    for (const channel of connection.channels.values()) channel.open = null;
    model.connection.stream.on('data', () => {
      this.last = performance.now();
    });
    // A connection that the broker closes is written down as the end of each of its open channels.
    model.on('error', ({ code }) => {
      for (const [full, channel] of connection.channels) {
        if (channel.open) this.#see({ channel_closed: full, code });
        channel.open = null;
      }
    });
    model.on('close', () => {
      connection.open = false;
      for (const channel of connection.channels.values()) channel.open = null;
    });
    this.connections.set(name, connection);
    return connection;
  }

  /** The channel of this name, opened at need. What was delivered on it is remembered when it closes. */
  async #channel(full) {
    const connection = await this.#connection(full.split('/')[0]);
    let channel = connection.channels.get(full);
    if (!channel) {
      channel = { open: null, tags: new Map() };
      connection.channels.set(full, channel);
    }
    if (channel.open) return channel;
    Object.assign(channel, { confirms: false, published: 0, unconfirmed: new Map(), consumers: new Set() });
    channel.open = await connection.model.createChannel();
    this.#listen(full, channel, channel.open);
    return channel;
  }

  #listen(full, channel, open) {
    for (const event of ['delivery', 'cancel', 'ack', 'nack']) open.removeAllListeners(event);
    open.on('delivery', (message) => {
      const { consumerTag: consumer, deliveryTag, redelivered, exchange, routingKey } = message.fields;
      channel.tags.set(text(message), deliveryTag);
      const event = { delivered: text(message), consumer, redelivered, exchange, routing_key: routingKey };
      this.#see({ ...event, ...extras(message.properties) });
    });
    open.on('return', (message) =>
      this.#see({ returned: text(message), channel: full, code: message.fields.replyCode }),
    );
    open.on('cancel', ({ consumerTag }) => {
      channel.consumers.delete(consumerTag);
      this.#see({ consumer_cancelled: consumerTag });
    });
    const answered = (key, { deliveryTag, multiple }) => {
      for (const [number, message] of [...channel.unconfirmed]) {
        if (number !== deliveryTag && !(multiple && (number < deliveryTag || deliveryTag === 0))) continue;
        channel.unconfirmed.delete(number);
        this.#see({ [key]: message, channel: full });
      }
    };
    open.on('ack', (fields) => answered('confirmed', fields));
    open.on('nack', (fields) => answered('refused', fields));
    open.on('error', ({ code }) => {
      if (channel.open === open) this.#see({ channel_closed: full, code });
      channel.open = null;
    });
    open.on('close', () => {
      if (channel.open === open) channel.open = null;
    });
  }

  /** Sends one operation; its answer is seen when it comes. */
  async operate(step) {
    if (step.op === 'connection.close') return this.#close(step.connection);
    const channel = await this.#channel(step.channel ?? 'setup');
    try {
      OPERATIONS[step.op](channel, step, (event) => this.#see(event));
    } catch (error) {
      // The channel went while the operation was on its way to it: nothing was sent.
      if (error.name !== 'IllegalOperationError') throw error;
    }
  }

  async #close(name) {
    const connection = this.connections.get(name);
    if (!connection?.open) return;
    for (const channel of connection.channels.values()) channel.open = null;
    await connection.model.close();
    connection.open = false;
  }

  async closeAll() {
    for (const name of this.connections.keys()) await this.#close(name).catch(() => {});
  }
}

/** A method with an answer; a refusal is seen as the end of the channel. */
function call(channel, method, fields, answer, then = () => {}) {
  channel.open._rpc(method, fields, answer, (error, frame) => {
    if (!error) then(frame.fields);
  });
}

function tagOf(channel, step) {
  // A padded body goes by its name without the padding, too.
  const padded = () => [...channel.tags].findLast(([body]) => body.replace(/\.+$/, '') === step.message)?.[1];
  return step.delivery_tag ?? channel.tags.get(step.message) ?? padded();
}

/** Acknowledges in some way, if there was such a delivery. */
function settle(channel, method, step, fields) {
  const deliveryTag = tagOf(channel, step);
  if (deliveryTag !== undefined) channel.open.sendImmediately(method, { deliveryTag, ...fields });
}

const common = { ticket: 0, nowait: false };

const OPERATIONS = {
  'exchange.declare': (channel, step) => {
    const { exchange, type, durable = true, auto_delete = false, internal = false, passive = false } = step;
    const fields = { exchange, type, durable, autoDelete: auto_delete, internal, passive };
    const all = { ...common, ...fields, arguments: step.arguments ?? {} };
    call(channel, defs.ExchangeDeclare, all, defs.ExchangeDeclareOk);
  },
  'exchange.delete': (channel, { exchange, if_unused = false }) =>
    call(channel, defs.ExchangeDelete, { ...common, exchange, ifUnused: if_unused }, defs.ExchangeDeleteOk),
  'exchange.bind': (channel, { source, destination, routing_key = '', arguments: args = {} }) =>
    call(
      channel,
      defs.ExchangeBind,
      { ...common, source, destination, routingKey: routing_key, arguments: args },
      defs.ExchangeBindOk,
    ),
  'exchange.unbind': (channel, { source, destination, routing_key = '', arguments: args = {} }) =>
    call(
      channel,
      defs.ExchangeUnbind,
      { ...common, source, destination, routingKey: routing_key, arguments: args },
      defs.ExchangeUnbindOk,
    ),
  'queue.declare': (channel, step, see) => {
    const { queue, durable = true, exclusive = false, auto_delete = false, passive = false } = step;
    const fields = { queue, durable, exclusive, autoDelete: auto_delete, passive, arguments: step.arguments ?? {} };
    call(channel, defs.QueueDeclare, { ...common, ...fields }, defs.QueueDeclareOk, (answer) => {
      if (passive) see({ queue, messages: answer.messageCount, consumers: answer.consumerCount });
    });
  },
  'queue.bind': (channel, { queue, exchange, routing_key = '', arguments: args = {} }) =>
    call(
      channel,
      defs.QueueBind,
      { ...common, queue, exchange, routingKey: routing_key, arguments: args },
      defs.QueueBindOk,
    ),
  'queue.unbind': (channel, { queue, exchange, routing_key = '', arguments: args = {} }) =>
    call(
      channel,
      defs.QueueUnbind,
      { ticket: 0, queue, exchange, routingKey: routing_key, arguments: args },
      defs.QueueUnbindOk,
    ),
  'queue.purge': (channel, { queue }) => call(channel, defs.QueuePurge, { ...common, queue }, defs.QueuePurgeOk),
  'queue.delete': (channel, { queue, if_unused = false, if_empty = false }) =>
    call(channel, defs.QueueDelete, { ...common, queue, ifUnused: if_unused, ifEmpty: if_empty }, defs.QueueDeleteOk),
  'confirm.select': (channel) => {
    channel.confirms = true;
    call(channel, defs.ConfirmSelect, { nowait: false }, defs.ConfirmSelectOk);
  },
  'tx.select': (channel) => call(channel, defs.TxSelect, {}, defs.TxSelectOk),
  'tx.commit': (channel) => call(channel, defs.TxCommit, {}, defs.TxCommitOk),
  'tx.rollback': (channel) => call(channel, defs.TxRollback, {}, defs.TxRollbackOk),
  'basic.publish': (channel, step) => {
    const { exchange = '', routing_key = '', message, mandatory = false, bytes = 0, properties = {} } = step;
    if (channel.confirms) channel.unconfirmed.set(++channel.published, message);
    const { delivery_mode: deliveryMode, priority, expiration, headers, reply_to, correlation_id } = properties;
    const given = { deliveryMode, priority, expiration, headers, replyTo: reply_to, correlationId: correlation_id };
    const fields = { ticket: 0, exchange, routingKey: routing_key, mandatory, immediate: false };
    channel.open.sendMessage(fields, given, Buffer.from(message.padEnd(bytes, '.')));
  },
  'basic.qos': (channel, { prefetch_count = 0, prefetch_size = 0, global = false }) =>
    call(
      channel,
      defs.BasicQos,
      { prefetchCount: prefetch_count, prefetchSize: prefetch_size, global },
      defs.BasicQosOk,
    ),
  'basic.consume': (channel, step) => {
    const { queue, consumer, no_ack = false, exclusive = false } = step;
    const fields = { queue, consumerTag: consumer, noLocal: false, noAck: no_ack, exclusive };
    channel.consumers.add(consumer);
    const all = { ...common, ...fields, arguments: step.arguments ?? {} };
    call(channel, defs.BasicConsume, all, defs.BasicConsumeOk);
  },
  'basic.cancel': (channel, { consumer }) => {
    channel.consumers.delete(consumer);
    call(channel, defs.BasicCancel, { consumerTag: consumer, nowait: false }, defs.BasicCancelOk);
  },
  'basic.ack': (channel, step) => settle(channel, defs.BasicAck, step, { multiple: step.multiple ?? false }),
  'basic.nack': (channel, step) =>
    settle(channel, defs.BasicNack, step, { multiple: step.multiple ?? false, requeue: step.requeue ?? true }),
  'basic.reject': (channel, step) => settle(channel, defs.BasicReject, step, { requeue: step.requeue ?? true }),
  'basic.get': (channel, { queue, no_ack = false }, see) => {
    const open = channel.open;
    open
      .get(queue, { noAck: no_ack })
      .then((message) => {
        if (!message) return see({ got: null, queue });
        const { deliveryTag, redelivered, messageCount: remaining } = message.fields;
        channel.tags.set(text(message), deliveryTag);
        see({ got: text(message), queue, redelivered, remaining, ...extras(message.properties) });
      })
      .catch(() => {});
  },
  'basic.recover': (channel) => call(channel, defs.BasicRecover, { requeue: true }, defs.BasicRecoverOk),
  'channel.close': (channel) => {
    // As the recordings that came first did it: the consumers are cancelled, then the channel is closed.
    const open = channel.open;
    const close = () => open.close().catch(() => {});
    const tags = [...channel.consumers];
    channel.open = null;
    if (tags.length === 0) close();
    tags.forEach((consumerTag, index) => {
      const then = index === tags.length - 1 ? close : () => {};
      open._rpc(defs.BasicCancel, { consumerTag, nowait: false }, defs.BasicCancelOk, then);
    });
  },
};
