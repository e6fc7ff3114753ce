// The scenarios of failure that are recorded on a Kafka cluster of three brokers and a controller on one machine.

const topic = (min) => ({ replicas: [1, 2, 3], config: { 'min.insync.replicas': String(min) } });

const producer = (messages, config = {}) => ({ rate: 200, messages, bytes: 500, config: { acks: 'all', ...config } });

/** The group's coordinator is broker 3, so that it is not what fails. */
const consumer = { coordinator: 3, config: { 'auto.offset.reset': 'earliest' } };

const scenario = (name, about, more) => ({
  name,
  about,
  topic: topic(2),
  producer: producer(800),
  consumer,
  patience_ms: 60_000,
  runs: 10,
  ...more,
});

const kill = (broker, at_ms = 2000) => ({ at_ms, op: 'broker.kill', broker });
const stop = (broker, at_ms = 2000) => ({ at_ms, op: 'broker.stop', broker });
const start = (broker, at_ms) => ({ at_ms, op: 'broker.start', broker });
const pause = (broker, at_ms, resumed_ms) => [
  { at_ms, op: 'broker.pause', broker },
  { at_ms: resumed_ms, op: 'broker.resume', broker },
];

const links = (at_ms, healed_ms, more) => {
  const fault = (at, op) => ({ at_ms: at, op, broker: 1, ...more });
  return [fault(at_ms, 'links.cut'), ...(healed_ms ? [fault(healed_ms, 'links.heal')] : [])];
};
const OTHERS = { brokers: [2, 3], controller: true };
const CONTROLLER = { controller: true };
const PATIENT_FOR_5_S = { 'request.timeout.ms': '5000' };
/** What the leader sends its clients gets lost, and soon it dies: its answers to what it had stored never come. */
const UNANSWERED = [{ at_ms: 2000, op: 'links.cut', broker: 1, clients: true, one_way: true }, kill(1, 2300)];
const impatient = { ...consumer, config: { ...consumer.config, ...PATIENT_FOR_5_S } };

export const SCENARIOS = [
  scenario('kill-leader', 'kill -9 of the broker that leads the partition; acks=all, two must be in sync', {
    faults: [kill(1)],
  }),
  scenario('stop-leader', 'the broker that leads the partition is stopped in good order (SIGTERM)', {
    faults: [stop(1)],
  }),
  scenario('kill-leader-acks-1', 'kill -9 of the broker that leads the partition; acks=1', {
    producer: producer(800, { acks: '1' }),
    faults: [kill(1)],
  }),
  scenario('kill-leader-acks-0', 'kill -9 of the broker that leads the partition; acks=0: nothing is answered', {
    producer: producer(800, { acks: '0' }),
    faults: [kill(1)],
  }),
  scenario('stop-leader-acks-0', 'the leader is stopped in good order; acks=0: it refuses without an answer', {
    producer: producer(800, { acks: '0' }),
    faults: [stop(1)],
  }),
  scenario('kill-leader-not-idempotent', 'kill -9 of the leader; acks=all without idempotence', {
    producer: producer(800, { 'enable.idempotence': 'false' }),
    faults: [kill(1)],
  }),
  scenario('kill-follower', 'kill -9 of a broker that follows', { faults: [kill(2)] }),
  scenario('pause-leader', 'the broker that leads is stopped for 15 s by a signal; acks=all', {
    producer: producer(3600),
    faults: pause(1, 2000, 17_000),
  }),
  scenario('pause-leader-acks-1', 'the broker that leads is stopped for 15 s by a signal; acks=1', {
    producer: producer(3600, { acks: '1' }),
    faults: pause(1, 2000, 17_000),
  }),
  scenario('min-isr', 'kill -9 of both followers where two must be in sync, and one comes back; acks=all', {
    producer: producer(4000),
    faults: [kill(2), kill(3), start(2, 16_000)],
    // The group's coordinator leads, so that it stays; its own partition loses its followers too.
    consumer: { ...consumer, coordinator: 1 },
  }),
  scenario('min-isr-acks-1', 'the same with acks=1: what is acknowledged cannot be read until two are in sync', {
    producer: producer(4000, { acks: '1' }),
    faults: [kill(2), kill(3), start(2, 16_000)],
    consumer: { ...consumer, coordinator: 1 },
  }),
  scenario('restart-leader', 'the broker that leads is killed and started again at once, within its session', {
    producer: producer(3600),
    faults: [kill(1), start(1, 2300)],
  }),
  scenario('cut-leader-acks-1', 'the leader is cut off from the other servers, not from its clients; acks=1', {
    producer: producer(6000, { acks: '1' }),
    faults: links(1000, 16_000, OTHERS),
  }),
  scenario('cut-leader', 'the same with acks=all: nothing is acknowledged until the leader knows', {
    producer: producer(6000),
    faults: links(1000, 16_000, OTHERS),
  }),
  scenario('cut-controller-acks-1', 'the leader is cut off from the controller only; acks=1', {
    producer: producer(6000, { acks: '1' }),
    faults: links(1000, 16_000, CONTROLLER),
  }),
  scenario('cut-controller', 'the leader is cut off from the controller only; acks=all', {
    producer: producer(6000),
    faults: links(1000, 16_000, CONTROLLER),
  }),
  scenario(
    'retry-idempotent',
    'the leader stores what it cannot answer any more, and dies: retries go to the next one',
    {
      producer: producer(800, PATIENT_FOR_5_S),
      consumer: impatient,
      faults: UNANSWERED,
    },
  ),
  scenario('retry-not-idempotent', 'the same without idempotence: what was stored is stored again', {
    producer: producer(800, { 'enable.idempotence': 'false', ...PATIENT_FOR_5_S }),
    consumer: impatient,
    faults: UNANSWERED,
  }),
  scenario('cut-clients', 'the leader is cut off from its clients only, for longer than request.timeout.ms', {
    producer: producer(4000, PATIENT_FOR_5_S),
    consumer: impatient,
    faults: links(2000, 14_000, { clients: true }),
  }),
];
