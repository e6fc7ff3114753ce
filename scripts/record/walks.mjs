// Random walks: what to do next is drawn from dice of the walk's own seed, given what the broker did so far.

/** Dice of one seed (xorshift of 32 bits). */
function dice(seed) {
  let state = (seed * 2654435761) >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
  for (let round = 0; round < 8; round++) next();
  const below = (n) => next() % n;
  const chance = (percent) => below(100) < percent;
  const pick = (list) => list[below(list.length)];
  /** Draws from entries of a weight and a value. */
  const draw = (entries) => {
    let rest = below(entries.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of entries) {
      rest -= weight;
      if (rest < 0) return value;
    }
  };
  return { below, chance, pick, draw };
}

const KEYS = ['k.a', 'k.b', 'k.c', 'z'];
const KINDS = [
  [3, 'classic'],
  [2, 'priority'],
  [3, 'quorum'],
  [2, 'stream'],
];

/** The arguments of a random queue. */
function argumentsOf(kind, { chance, pick, below }) {
  if (kind === 'stream') return { 'x-queue-type': 'stream' };
  const all = kind === 'quorum' ? { 'x-queue-type': 'quorum' } : {};
  if (kind === 'priority') all['x-max-priority'] = 2 + below(4);
  if (kind === 'quorum' && chance(30)) all['x-delivery-limit'] = 1 + below(3);
  if (chance(30)) {
    all['x-max-length'] = 2 + below(4);
    if (chance(50)) all['x-overflow'] = pick(kind === 'quorum' ? OVERFLOW.slice(0, 2) : OVERFLOW);
  }
  // Gone within the step that published it, or not at all during a walk: nothing in between depends on the pace.
  if (chance(20)) all['x-message-ttl'] = pick([40, 60_000]);
  if (chance(60)) Object.assign(all, { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' });
  if (chance(25)) all['x-single-active-consumer'] = true;
  return all;
}

const OVERFLOW = ['drop-head', 'reject-publish', 'reject-publish-dlx'];

class Walk {
  constructor(seed) {
    this.dice = dice(seed);
    this.todo = [];
    this.left = 30 + this.dice.below(16);
    this.messages = 0;
    this.tags = 0;
    /** By channel: its queue, consumers, and the messages that it holds, oldest first. */
    this.channels = new Map();
    this.noAck = new Set(['DEAD']);
    this.set();
  }

  set() {
    const { chance, pick, draw } = this.dice;
    this.queues = (chance(50) ? ['q0', 'q1'] : ['q0']).map((name) => ({ name, kind: draw(KINDS) }));
    this.todo.push({ op: 'queue.declare', queue: 'dead', arguments: {} });
    for (const queue of this.queues) {
      queue.arguments = argumentsOf(queue.kind, this.dice);
      this.todo.push({ op: 'queue.declare', queue: queue.name, arguments: queue.arguments });
    }
    this.todo.push({ op: 'basic.consume', channel: 'dc', queue: 'dead', consumer: 'DEAD', no_ack: true });
    const type = pick(['direct', 'fanout', 'topic']);
    this.todo.push({ op: 'exchange.declare', exchange: 'x', type, arguments: {} });
    this.exchanges = ['', '', 'x', 'x'];
    for (const { name } of this.queues) this.bind(name, 'x');
    if (chance(50)) this.chain();
    if (chance(80)) this.todo.push({ op: 'confirm.select', channel: 'p' });
  }

  bind(queue, exchange) {
    const routing_key = this.dice.pick([...KEYS, 'k.*', '#']);
    this.todo.push({ op: 'queue.bind', queue, exchange, routing_key, arguments: {} });
  }

  /** A second exchange before the first, and sometimes one for what it cannot route. */
  chain() {
    const { chance, pick } = this.dice;
    const args = chance(40) ? { 'alternate-exchange': 'rest' } : {};
    if (chance(40)) this.todo.push({ op: 'exchange.declare', exchange: 'rest', type: 'fanout', arguments: {} });
    const type = pick(['direct', 'fanout', 'topic']);
    this.todo.push({ op: 'exchange.declare', exchange: 'y', type, arguments: args });
    this.todo.push({ op: 'exchange.bind', source: 'y', destination: 'x', routing_key: pick([...KEYS, '#', '*.a']) });
    if (chance(40)) this.bind(this.queues[0].name, 'y');
    if (this.todo.some(({ exchange }) => exchange === 'rest')) this.bind('dead', 'rest');
    this.exchanges.push('y', 'y');
  }

  /** Takes note of what came, and gives the next operation. */
  next(observed) {
    for (const event of observed) this.see(event);
    while (this.todo.length === 0 && this.left > 0) {
      this.left -= 1;
      this.act();
    }
    return this.todo.shift();
  }

  see(event) {
    const message = event.delivered ?? event.got;
    if (message) {
      const name = event.delivered ? this.channelOf(event.consumer) : 'g';
      if (event.delivered && this.noAck.has(event.consumer)) return;
      if (event.got && this.getsFree) return;
      const channel = this.channels.get(name);
      if (channel) channel.held = [...channel.held.filter((held) => held !== message), message];
    } else if (event.channel_closed) {
      this.channels.delete(event.channel_closed);
    } else if (event.consumer_cancelled) {
      const channel = this.channels.get(this.channelOf(event.consumer_cancelled));
      if (channel) channel.consumers = channel.consumers.filter((tag) => tag !== event.consumer_cancelled);
    }
  }

  channelOf(tag) {
    return [...this.channels].find(([, channel]) => channel.all.includes(tag))?.[0];
  }

  act() {
    const acts = [
      [40, () => this.publish()],
      [10, () => this.consume()],
      [24, () => this.settle()],
      [6, () => this.get()],
      [4, () => this.cancel()],
      [3, () => this.leave()],
      [3, () => this.recover()],
      [2, () => this.count()],
      [1, () => this.purge()],
      [1, () => this.remove()],
      [2, () => this.route()],
    ];
    this.dice.draw(acts)();
  }

  publish() {
    const { chance, below, pick } = this.dice;
    if (!chance(15)) return this.todo.push(this.publication(pick(this.exchanges)));
    // Several at once go to one queue and without confirms: the order between queues, and of confirms, is a race.
    const queue = pick(this.queues).name;
    const burst = 2 + below(3);
    for (let index = 1; index <= burst; index++) {
      const step = { ...this.publication('', queue), channel: 'b' };
      this.todo.push(index < burst ? { ...step, settle: false } : step);
    }
  }

  publication(exchange, queue) {
    const { chance, pick, below } = this.dice;
    const routing_key = exchange === '' ? (queue ?? pick(this.queues).name) : pick(KEYS);
    this.messages += 1;
    const step = { op: 'basic.publish', channel: 'p', exchange, routing_key, message: `m${this.messages}` };
    if (chance(20)) step.mandatory = true;
    const properties = {};
    if (chance(30)) properties.delivery_mode = 2;
    if (this.queues.some(({ kind }) => kind === 'priority') && chance(60)) properties.priority = below(7);
    if (chance(8)) properties.expiration = pick(['0', '30', '60000']);
    if (Object.keys(properties).length > 0) step.properties = properties;
    return step;
  }

  consume() {
    const { chance, pick, below } = this.dice;
    const queue = pick(this.queues);
    const joins = [...this.channels].filter(([name, { kind }]) => name !== 'g' && kind === queue.kind);
    const [name] = chance(20) && joins.length > 0 ? pick(joins) : [`c${++this.tags}`];
    const consumer = `C${++this.tags}`;
    const channel = this.channels.get(name) ?? { kind: queue.kind, consumers: [], all: [], held: [] };
    this.channels.set(name, channel);
    channel.consumers.push(consumer);
    channel.all.push(consumer);
    const prefetch_count = queue.kind === 'stream' ? 1 + below(4) : pick([1, 1, 2, 3, 0]);
    const global = queue.kind === 'classic' && chance(10);
    this.todo.push({ op: 'basic.qos', channel: name, prefetch_count, global });
    const step = { op: 'basic.consume', channel: name, queue: queue.name, consumer };
    if (queue.kind === 'stream') step.arguments = { 'x-stream-offset': pick(['first', 'next', below(6)]) };
    else if (chance(30)) step.arguments = { 'x-priority': below(4) };
    if (queue.kind !== 'stream' && chance(10)) {
      step.no_ack = true;
      this.noAck.add(consumer);
    }
    this.todo.push(step);
  }

  settle() {
    const { chance, pick, draw } = this.dice;
    const holders = [...this.channels].filter(([, { held }]) => held.length > 0);
    if (holders.length === 0) return this.publish();
    const [name, channel] = pick(holders);
    const message = pick(channel.held);
    const at = channel.held.indexOf(message);
    const stream = channel.kind === 'stream';
    const op = stream ? 'basic.ack' : draw(SETTLINGS);
    const multiple = op !== 'basic.reject' && chance(20);
    channel.held.splice(multiple ? 0 : at, multiple ? at + 1 : 1);
    const step = { op, channel: name, message };
    if (op !== 'basic.reject') step.multiple = multiple;
    if (op !== 'basic.ack') step.requeue = chance(50);
    this.todo.push(step);
  }

  get() {
    const able = this.queues.filter(({ kind }) => kind !== 'stream');
    if (able.length === 0) return this.publish();
    this.getsFree = this.dice.chance(50);
    if (!this.channels.has('g')) this.channels.set('g', { kind: 'get', consumers: [], all: [], held: [] });
    this.todo.push({ op: 'basic.get', channel: 'g', queue: this.dice.pick(able).name, no_ack: this.getsFree });
  }

  cancel() {
    const able = [...this.channels].filter(([, { consumers }]) => consumers.length > 0);
    if (able.length === 0) return this.consume();
    const [name, channel] = this.dice.pick(able);
    const consumer = this.dice.pick(channel.consumers);
    channel.consumers = channel.consumers.filter((tag) => tag !== consumer);
    this.todo.push({ op: 'basic.cancel', channel: name, consumer });
  }

  leave() {
    const names = [...this.channels.keys()];
    if (names.length === 0) return this.consume();
    const name = this.dice.pick(names);
    this.channels.delete(name);
    const closes = { op: 'channel.close', channel: name };
    this.todo.push(this.dice.chance(50) ? closes : { op: 'connection.close', connection: name });
  }

  recover() {
    const able = [...this.channels].filter(([, { held, kind }]) => held.length > 0 && kind !== 'stream');
    if (able.length === 0) return this.publish();
    const [name, channel] = this.dice.pick(able);
    channel.held = [];
    this.todo.push({ op: 'basic.recover', channel: name });
  }

  count() {
    // Streams and quorum queues count late.
    const able = this.queues.filter(({ kind }) => kind === 'classic' || kind === 'priority');
    if (able.length === 0) return this.publish();
    this.todo.push({ op: 'queue.declare', queue: this.dice.pick(able).name, passive: true });
  }

  purge() {
    const able = this.queues.filter(({ kind }) => kind !== 'stream');
    if (able.length > 0) this.todo.push({ op: 'queue.purge', queue: this.dice.pick(able).name });
  }

  /** Deletes a queue and declares it anew, as something else. */
  remove() {
    const queue = this.dice.pick(this.queues);
    this.todo.push({ op: 'queue.delete', queue: queue.name });
    queue.kind = this.dice.draw(KINDS);
    queue.arguments = argumentsOf(queue.kind, this.dice);
    this.todo.push({ op: 'queue.declare', queue: queue.name, arguments: queue.arguments });
    if (this.dice.chance(60)) this.bind(queue.name, 'x');
  }

  route() {
    const queue = this.dice.pick(this.queues).name;
    if (this.dice.chance(50)) return this.bind(queue, 'x');
    const routing_key = this.dice.pick([...KEYS, 'k.*', '#']);
    this.todo.push({ op: 'queue.unbind', queue, exchange: 'x', routing_key, arguments: {} });
  }
}

const SETTLINGS = [
  [6, 'basic.ack'],
  [3, 'basic.nack'],
  [1, 'basic.reject'],
];

/** The walk of a seed, as a case to record. */
export function walkOf(seed) {
  const walk = () => {
    const one = new Walk(seed);
    return (observed) => one.next(observed);
  };
  return { name: `own-walk-${seed}`, about: 'a random walk', walk };
}
