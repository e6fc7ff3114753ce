// Plays a case on a Kafka cluster step by step, and notes what each step led to.
import { sleep, until } from './broker.mjs';

const now = () => Date.now();

/** One play of a case. `T` and `G` stand for its topic and its group, which are new ones in each play. */
class Play {
  #clients = new Map();
  #homes = new Map();
  #seen = new Map();

  constructor(cluster, name) {
    this.cluster = cluster;
    this.topic = `t-${name}`;
    this.group = `g-${name}`;
  }

  #client(name) {
    if (!name) return this.cluster.driver;
    if (!this.#clients.has(name)) this.#clients.set(name, this.cluster.client());
    return this.#clients.get(name);
  }

  /** With the names of this play in place of `T` and `G`. */
  #named(value) {
    if (Array.isArray(value)) return value.map((one) => this.#named(one));
    if (value !== null && typeof value === 'object') {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, this.#named(one)]));
    }
    if (typeof value !== 'string') return value;
    return value.replace(/^T(?=$|-)/, this.topic).replace(/^G(?=$|-)/, this.group);
  }

  /** A step's observation, and how long it took. */
  async step({ op, client, ...fields }) {
    const began = now();
    const own = OPERATIONS[op];
    try {
      if (own) return (await own(this, fields, client)) ?? {};
      if (op === 'consumer.open') this.#homes.set(fields.name, client);
      const name = op.startsWith('consumer.') ? (client ?? this.#homes.get(fields.name)) : client;
      const answer = await this.#client(name).ask(op, this.#named(fields));
      if (op === 'consumer.close') this.#homes.delete(fields.name);
      return { ...(answer === null ? {} : { observed: tidy(answer, this.topic) }), ms: now() - began };
    } catch (error) {
      if (!error.kafka) throw error;
      return { observed: { error: error.kafka }, ms: now() - began };
    }
  }

  async states(members) {
    const ask = (name) => this.#client(this.#homes.get(name)).ask('consumer.state', { name });
    return new Map(await Promise.all(members.map(async (name) => [name, await ask(name)])));
  }

  /** What a member was told since this was asked last. */
  news(name, events) {
    const key = `${name} ${this.#homes.get(name)}`;
    const fresh = events.slice(this.#seen.get(key) ?? 0);
    this.#seen.set(key, events.length);
    return fresh;
  }

  async killClient(name) {
    await this.#client(name).kill();
    this.#clients.delete(name);
    for (const key of [...this.#seen.keys()]) if (key.endsWith(` ${name}`)) this.#seen.delete(key);
  }

  async end() {
    for (const client of this.#clients.values()) await client.kill();
  }

  describe() {
    return this.cluster.driver.ask('topic.describe', { topic: this.topic });
  }
}

/** Without times, with keys in order, and with partitions by their numbers. */
function tidy(answer, topic) {
  const orderly = (key, value) => {
    if (key === 'at') return undefined;
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
  };
  return JSON.parse(JSON.stringify(answer, orderly).replaceAll(`"${topic}-`, '"'));
}

/** Until each partition is one member's and nothing has changed for a while. */
async function settle(play, { members, partitions, rest_ms }) {
  const began = now();
  const counted = new Map();
  let last = { text: '', at: now() };
  let states;
  await until(
    'a group that has settled',
    async () => {
      states = await play.states(members);
      const text = JSON.stringify([...states.values()].map(({ assignment, events }) => [assignment, events.length]));
      if (text !== last.text) last = { text, at: now() };
      const all = [...states.values()].flatMap(({ assignment }) => assignment);
      const whole = all.length === partitions && new Set(all).size === partitions;
      return whole && now() - last.at > rest_ms;
    },
    90_000,
    50,
  );
  const observed = { assignment: {}, events: {} };
  let changed = began;
  for (const [name, { assignment, events }] of states) {
    const fresh = play.news(name, events);
    counted.set(name, fresh.length);
    observed.assignment[name] = assignment;
    if (fresh.length > 0) observed.events[name] = fresh;
    for (const { at } of fresh) changed = Math.max(changed, at);
  }
  return { observed: tidy(observed, play.topic), ms: changed - began };
}

const OPERATIONS = {
  wait: (_, { ms }) => sleep(ms).then(() => ({})),
  'broker.kill': (play, { broker }) => play.cluster.kill(broker).then(() => ({})),
  'broker.stop': (play, { broker }) => play.cluster.down(broker).then(() => ({})),
  'broker.start': async (play, { broker }) => ({ ms: Math.round((await play.cluster.up(broker)).up) }),
  'client.kill': (play, _, client) => play.killClient(client),
  'group.settle': settle,
  'isr.wait': async (play, { isr }) => {
    const began = now();
    const text = JSON.stringify(isr);
    await until('the in-sync replicas', async () => JSON.stringify((await play.describe())[0].isr) === text);
    const [{ leader, elr }] = await play.describe();
    return { observed: { leader, isr, elr }, ms: now() - began };
  },
  // Until a transaction that hangs was ended by its coordinator.
  'transactions.wait': async (play) => {
    const began = now();
    const open = () => play.cluster.driver.ask('topic.producers', { topic: play.topic });
    await until('no open transaction', async () => (await open()) === 0);
    return { ms: now() - began };
  },
};

/** Plays a case once; answers what each step led to. */
export async function playSteps(cluster, { name, topic, steps }, number) {
  const play = new Play(cluster, `${name}-${number}-${now()}`);
  await cluster.driver.ask('topic.create', { topic: play.topic, ...topic });
  await until('the topic', async () => {
    const partitions = await play.describe().catch(() => []);
    return partitions.length > 0 && partitions.every(({ leader, isr }) => leader && isr.length === 3);
  });
  const results = [];
  try {
    for (const step of steps) results.push(await play.step(step));
  } finally {
    await play.end();
    await cluster.heal();
  }
  return results;
}

/** One transcript of several plays: what was observed if all agree, else by play. */
export function together(steps, plays) {
  return steps.map((step, index) => {
    const all = plays.map((results) => results[index]);
    const observed = all.map((result) => result.observed);
    const merged = { ...step };
    if (observed.every((one) => JSON.stringify(one) === JSON.stringify(observed[0]))) {
      if (observed[0] !== undefined) merged.observed = observed[0];
    } else {
      merged.observed_by_play = observed;
    }
    if (all[0].ms !== undefined) merged.took_ms = all.map(({ ms }) => ms);
    return merged;
  });
}
