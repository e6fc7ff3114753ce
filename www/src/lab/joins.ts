// Clients that join: named after whom they are like, in both clusters.
import type { Order, Side } from '../engine/engine';
import type { Session } from '../session';
import { words } from '../words';
import type { Command } from './palette';

/** The next free name in the row of a client: after `orders-2` comes `orders-3`. */
export function nextName(session: Session, like: string): string {
  const taken = new Set(([0, 1] as const).flatMap((side) => session.run.picture(side)?.cards ?? []).map((c) => c.name));
  const row = like.replace(/-\d+$/, '');
  let number = 2;
  while (taken.has(`${row}-${number}`)) number += 1;
  return `${row}-${number}`;
}

/** The order that lets one more join, in both clusters. */
export function another(session: Session, like: string, more: Partial<Order> = {}): Order {
  return { order: 'add-client', node: nextName(session, like), like, ...more };
}

/** One command a client. */
export function joinCommands(session: Session, say: (text: string) => void): Command[] {
  const clients = ([0, 1] as const)
    .flatMap((side: Side) => session.run.picture(side)?.cards ?? [])
    .filter(({ role }) => role === 'producer' || role === 'consumer');
  return [...new Set(clients.map(({ name }) => name))].map((name) => ({
    name: `${words.joins.another}: ${name}`,
    run: () => {
      const refused = session.order(another(session, name));
      if (refused) say(refused);
    },
  }));
}
