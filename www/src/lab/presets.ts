// Faults that engineers ask about, made of plain orders, from the playhead on.
import type { Side } from '../engine/engine';
import type { Session, TapeLine } from '../session';
import { words } from '../words';

export interface Preset {
  name(): string;
  /** The orders, with their times. */
  orders(session: Session): TapeLine[];
}

const sides = (session: Session) => ([0, 1] as const).filter((side) => session.run.picture(side) !== null);
const clusterOf = (side: Side) => (side === 0 ? 'log' : 'queue');
const servers = (session: Session, side: Side) =>
  session.run
    .picture(side)
    ?.cards.filter((card) => card.role === 'server')
    .map((card) => card.name) ?? [];
const at = (session: Session, seconds: number) => `${Math.round(session.transport.at / 1e6 + seconds * 1000)}ms`;

/** One after the other is stopped in good order, and started when it is down. */
const rolling: Preset = {
  name: () => words.presets.rolling,
  orders: (session) =>
    sides(session).flatMap((side) =>
      servers(session, side).flatMap((node, place) => [
        { at: at(session, 0.1 + place * 8), order: 'stop', node, cluster: clusterOf(side) },
        { at: at(session, 4.1 + place * 8), order: 'start', node, cluster: clusterOf(side) },
      ]),
    ),
};

/** As many as a cluster of this size is meant to survive lose power together: the leader's among them. */
const rack: Preset = {
  name: () => words.presets.rack,
  orders: (session) =>
    sides(session).flatMap((side) => {
      const all = servers(session, side);
      const first = session.leader(side) ?? all[0] ?? '';
      const others = all.filter((node) => node !== first);
      const rack = [first, ...others.slice(0, Math.max(0, Math.floor((all.length - 1) / 2) - 1))];
      return rack.map((node) => ({ at: at(session, 0.1), order: 'power-off', node, cluster: clusterOf(side) }));
    }),
};

const leader: Preset = {
  name: () => words.presets.leader,
  orders: (session) =>
    sides(session).flatMap((side) => {
      const node = session.leader(side);
      return node ? [{ at: at(session, 0.1), order: 'kill', node, cluster: clusterOf(side) }] : [];
    }),
};

/** The link between two servers goes down and comes back, five times. */
const flapping: Preset = {
  name: () => words.presets.flapping,
  orders: (session) =>
    sides(session).flatMap((side) => {
      const from = session.leader(side);
      const to = servers(session, side).find((node) => node !== from);
      if (!from || !to) return [];
      return [0, 1, 2, 3, 4].flatMap((time) => [
        { at: at(session, 0.1 + time * 3), order: 'cut', from: [from], to: [to], cluster: clusterOf(side) },
        { at: at(session, 1.6 + time * 3), order: 'heal', from: [from], to: [to], cluster: clusterOf(side) },
      ]);
    }),
};

const slow: Preset = {
  name: () => words.presets.slow,
  orders: (session) => {
    const document = session.parsed();
    const first = document.workload?.consumers?.[0]?.name;
    return first ? [{ at: at(session, 0.1), order: 'set-processing', node: first, processing: '2s' }] : [];
  },
};

/** Delay and loss between the leader and everyone else. */
const lossy: Preset = {
  name: () => words.presets.lossy,
  orders: (session) =>
    sides(session).flatMap((side) => {
      const from = session.leader(side);
      return from
        ? [
            {
              at: at(session, 0.1),
              order: 'slow-link',
              from: [from],
              delay: '80ms',
              loss_percent: 5,
              cluster: clusterOf(side),
            },
          ]
        : [];
    }),
};

/** A key that no stream of the workload comes to by itself, unless it has that many. */
const POISON = 65_535;

/** One message that no application can process: queues get it back again and again, a plain group loses its members. */
const poison: Preset = {
  name: () => words.presets.poison,
  orders: (session) => {
    const { producers = [], consumers = [] } = session.parsed().workload ?? {};
    const [producer] = producers;
    if (!producer) return [];
    return [
      ...consumers.map(({ name }) => ({ at: at(session, 0.1), order: 'fail-on', node: name, key: POISON })),
      { at: at(session, 0.2), order: 'publish-one', node: producer.name, key: POISON },
    ];
  },
};

export const presets: readonly Preset[] = [leader, rack, rolling, flapping, lossy, slow, poison];
