// A publisher and a consumer of a cluster recording. They do what the engine's do: connect again to the next node
// after a while, send again what was unconfirmed, process one message after the other.
import { connect } from 'amqplib';
import { sleep } from './broker.mjs';

const now = () => performance.now();

/** A message's body without what pads it. */
const name = (message) => message.content.toString().replace(/\.+$/, '');

/** A client that keeps a connection to one of the nodes. */
class Client {
  constructor(nodes, { node, recovery_ms }) {
    this.nodes = nodes;
    this.target = node;
    this.recovery = recovery_ms;
    this.connections = 0;
    /** How long each connection took until its channel was ready. */
    this.connecting = [];
    this.ended = false;
  }

  async keep() {
    while (!this.ended) {
      try {
        await this.#session();
      } catch {
        // The node is not there, or went away while the connection was made: the next one is tried.
      }
      if (this.ended) return;
      this.lost();
      this.target = (this.target % this.nodes.all.length) + 1;
      await sleep(this.recovery);
    }
  }

  async #session() {
    const began = now();
    const url = `amqp://guest:guest@127.0.0.1:${this.nodes.node(this.target).port}/`;
    this.model = await connect(url, { noDelay: true, timeout: 10_000 });
    const over = new Promise((done) => this.model.once('close', done));
    this.model.on('error', () => {});
    this.connections += 1;
    await this.open();
    this.connecting.push(now() - began);
    await over;
  }

  /** Opens a channel; when the broker closes it, another one is opened after a while. */
  async channel(confirms) {
    const channel = confirms ? await this.model.createConfirmChannel() : await this.model.createChannel();
    const { model } = this;
    channel.on('error', () => {
      this.lost();
      setTimeout(() => {
        if (!this.ended && this.model === model) this.open().catch(() => {});
      }, this.recovery);
    });
    return channel;
  }

  /** Ends the connection as the death of its process would. */
  sever() {
    this.model.connection.stream.destroy(new Error('severed'));
  }

  async end() {
    this.ended = true;
    await this.model?.close().catch(() => {});
  }
}

export class Publisher extends Client {
  constructor(nodes, settings) {
    super(nodes, settings);
    this.settings = settings;
    this.made = 0;
    this.waiting = [];
    this.unconfirmed = new Map();
    this.confirmed = new Set();
    this.confirms = [];
    this.refused = 0;
    this.returned = new Set();
    this.current = null;
  }

  async open() {
    const channel = await this.channel(true);
    channel.removeAllListeners('ack');
    channel.removeAllListeners('nack');
    channel.on('ack', (fields) => this.#answered(fields, true));
    channel.on('nack', (fields) => this.#answered(fields, false));
    channel.on('return', (message) => this.returned.add(name(message)));
    this.published = 0;
    this.current = channel;
    this.pump();
  }

  lost() {
    this.current = null;
    this.waiting.unshift(...this.unconfirmed.values());
    this.unconfirmed.clear();
  }

  /** Makes messages at a constant rate from now on. */
  async make() {
    const { rate, messages } = this.settings;
    const began = now();
    for (let index = 0; index < messages && !this.ended; index++) {
      const due = began + (index * 1000) / rate;
      if (due > now()) await sleep(due - now());
      this.made += 1;
      this.waiting.push(`m${this.made}`);
      this.pump();
    }
  }

  pump() {
    const { queue, bytes, max_unconfirmed } = this.settings;
    while (this.current && this.waiting.length > 0 && this.unconfirmed.size < max_unconfirmed) {
      const message = this.waiting.shift();
      this.published += 1;
      this.unconfirmed.set(this.published, message);
      const options = { persistent: true, mandatory: this.settings.mandatory ?? false };
      this.current.publish('', queue, Buffer.from(message.padEnd(bytes, '.')), options);
    }
  }

  #answered({ deliveryTag, multiple }, taken) {
    for (const [number, message] of [...this.unconfirmed]) {
      if (number > deliveryTag) break;
      if (number !== deliveryTag && !multiple) continue;
      this.unconfirmed.delete(number);
      if (this.returned.has(message)) continue;
      if (taken) {
        this.confirmed.add(message);
        this.confirms.push(now());
      } else {
        this.#refuse(message);
      }
    }
    this.pump();
  }

  #refuse(message) {
    this.refused += 1;
    setTimeout(() => {
      this.waiting.push(message);
      this.pump();
    }, this.settings.retry_refused_ms);
  }

  get done() {
    return this.confirmed.size + this.returned.size === this.settings.messages;
  }
}

export class Consumer extends Client {
  constructor(nodes, settings) {
    super(nodes, settings);
    this.settings = settings;
    this.held = [];
    this.deliveries = [];
    this.working = false;
    this.cancelled = 0;
  }

  async open() {
    const channel = await this.channel(false);
    channel.removeAllListeners('delivery');
    channel.removeAllListeners('cancel');
    channel.on('delivery', (message) => this.#delivered(channel, message));
    channel.on('cancel', () => {
      this.cancelled += 1;
      setTimeout(() => this.#consume(channel).catch(() => {}), this.settings.recovery_ms);
    });
    this.current = channel;
    await this.#consume(channel);
  }

  async #consume(channel) {
    if (this.current !== channel || this.ended) return;
    await channel.prefetch(this.settings.prefetch);
    await channel.consume(this.settings.queue, () => {});
  }

  lost() {
    this.current = null;
    this.held.length = 0;
  }

  #delivered(channel, message) {
    this.deliveries.push({ at: now(), text: name(message), redelivered: message.fields.redelivered });
    this.held.push({ channel, message });
    this.#work();
  }

  async #work() {
    if (this.working) return;
    this.working = true;
    while (this.held.length > 0) {
      const one = this.held[0];
      await sleep(this.settings.processing_ms);
      // After the loss of a connection it is in its hands no more, and cannot be acknowledged.
      if (this.held[0] !== one) continue;
      this.held.shift();
      if (this.current === one.channel) one.channel.ack(one.message);
    }
    this.working = false;
  }
}
