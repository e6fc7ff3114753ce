// A consumer that is led by hand: what it holds, and what it is told to do with it.
import { html } from 'lit';
import type { HandOut, Order, Side } from '../engine/engine';
import type { Card } from '../gen/Card';
import { Panel } from '../panels/listening';
import type { Session } from '../session';
import { words } from '../words';
import './by-hand.css';
import type { Command } from './palette';

type Held = HandOut['held'][number];

const clusterOf = (side: Side) => (side === 0 ? 'log' : 'queue') as 'log' | 'queue';

/** What a record or delivery is called in an order. */
function placeOf(held: Held): Partial<Order> {
  if (held.tag !== null) return { tag: held.tag };
  return held.partition === null || held.offset === null ? {} : { partition: held.partition, offset: held.offset };
}

/** The consumers of a side, those that are led by hand first. */
function consumers(session: Session, side: Side): { name: string; hand: HandOut }[] {
  return (session.run.picture(side)?.cards ?? [])
    .filter((card) => card.role === 'consumer')
    .flatMap(({ name }) => {
      const hand = session.run.hand(side, name);
      return hand ? [{ name, hand }] : [];
    })
    .sort((a, b) => Number(b.hand.by_hand) - Number(a.hand.by_hand));
}

/** What a consumer can be told by hand, with the words for it. */
function steps(kind: HandOut['kind']): [label: string, why: string, order: Order][] {
  const { byHand } = words;
  if (kind === 'queue')
    return [
      [byHand.ack, byHand.ackWhy, { order: 'ack' }],
      [byHand.ackAll, byHand.ackAllWhy, { order: 'ack', multiple: true }],
      [byHand.nack, byHand.nackWhy, { order: 'nack' }],
      [byHand.drop, byHand.dropWhy, { order: 'reject', requeue: false }],
      [byHand.get, byHand.getWhy, { order: 'get' }],
    ];
  if (kind === 'share')
    return [
      [byHand.poll, byHand.pollWhy, { order: 'poll' }],
      [byHand.accept, byHand.acceptWhy, { order: 'accept' }],
      [byHand.release, byHand.releaseWhy, { order: 'release' }],
      [byHand.reject, byHand.rejectWhy, { order: 'reject' }],
    ];
  return [
    [byHand.poll, byHand.pollWhy, { order: 'poll' }],
    [byHand.commit, byHand.commitWhy, { order: 'commit' }],
  ];
}

/** Commands for all consumers: steps by hand, and taking them in hand. */
export function handCommands(session: Session, say: (text: string) => void): Command[] {
  return ([0, 1] as const).flatMap((side: Side) => {
    const cluster = clusterOf(side);
    const where = side === 0 ? words.log : words.queue;
    return consumers(session, side).flatMap(({ name: node, hand }) => {
      const make = (label: string, order: Order): Command => ({
        name: `${label}: ${node}, ${where}`,
        run: () => {
          const refused = session.order({ cluster, node, ...order });
          if (refused) say(refused);
        },
      });
      if (!hand.by_hand) return [make(words.byHand.take, { order: 'take-in-hand' })];
      return [
        ...steps(hand.kind).map(([label, , order]) => make(label, order)),
        make(words.byHand.letGo, { order: 'let-go' }),
      ];
    });
  });
}

/** The keys of a lesson: for the node whose menu is open, else for the first that fits. True if it is such a key. */
export function handKey(
  session: Session,
  key: string,
  chosen: { side: Side; card?: Card } | undefined,
  say: (text: string) => void,
): boolean {
  if (!['m', 'a', 'x', 'g', 'c'].includes(key)) return false;
  if (key === 'm') {
    const producers = ([0, 1] as const).flatMap((side) => session.run.picture(side)?.cards ?? []);
    const node =
      chosen?.card?.role === 'producer'
        ? chosen.card.name
        : producers.find((card) => card.role === 'producer' && card.health === 'running')?.name;
    const refused = node ? session.order({ order: 'publish-one', node }) : words.byHand.noProducer;
    if (refused) say(refused);
    return true;
  }
  const sides: Side[] =
    key === 'c' ? [0] : key === 'g' ? (chosen ? [chosen.side] : [0]) : chosen?.side === 0 ? [0] : [1];
  for (const side of sides) {
    const led = consumers(session, side).filter(({ hand }) => hand.by_hand);
    const one = led.find(({ name }) => name === chosen?.card?.name) ?? led[0];
    if (!one) {
      say(words.byHand.nobody);
      continue;
    }
    const verb =
      key === 'c'
        ? 'commit'
        : key === 'g'
          ? side === 0
            ? 'poll'
            : 'get'
          : one.hand.kind === 'share'
            ? key === 'a'
              ? 'accept'
              : 'release'
            : key === 'a'
              ? 'ack'
              : 'nack';
    const refused = session.order({ order: verb, cluster: clusterOf(side), node: one.name });
    if (refused) say(refused);
  }
  return true;
}

export class BlByHand extends Panel {
  static override properties = {
    ...Panel.properties,
    side: { type: Number },
    card: { attribute: false },
    refused: { state: true },
  };
  declare side: Side;
  declare card: Card | undefined;
  declare refused: string | undefined;

  private order(order: Order) {
    this.refused = this.session?.order({ cluster: clusterOf(this.side), node: this.card?.name ?? '', ...order });
    this.requestUpdate();
  }

  private button(label: string, why: string, order: Order, what = '') {
    return html`<button title=${why} aria-label=${what ? `${label} ${what}` : label} @click=${() => this.order(order)}>${label}</button>`;
  }

  private one(held: Held, kind: HandOut['kind']) {
    const { byHand } = words;
    const place = held.tag === null ? `${held.topic}-${held.partition} @ ${held.offset}` : `#${held.tag}`;
    const at = placeOf(held);
    const buttons = held.unfinished
      ? html`<span class="quiet">${byHand.works}</span>`
      : kind === 'queue'
        ? [
            this.button(byHand.ack, byHand.ackWhy, { order: 'ack', ...at }, place),
            this.button(byHand.nack, byHand.nackWhy, { order: 'nack', ...at }, place),
            this.button(byHand.drop, byHand.dropWhy, { order: 'reject', requeue: false, ...at }, place),
          ]
        : kind === 'share'
          ? [
              this.button(byHand.accept, byHand.acceptWhy, { order: 'accept', ...at }, place),
              this.button(byHand.release, byHand.releaseWhy, { order: 'release', ...at }, place),
              this.button(byHand.reject, byHand.rejectWhy, { order: 'reject', ...at }, place),
            ]
          : '';
    return html`<li><span class="what">${held.name} <code>${held.tag === null ? place : `${byHand.tag} ${held.tag}`}</code></span><span class="steps">${buttons}</span></li>`;
  }

  private whole(hand: HandOut) {
    const { byHand } = words;
    if (hand.kind === 'queue')
      return html`${this.button(byHand.ackAll, byHand.ackAllWhy, { order: 'ack', multiple: true })}${this.button(byHand.get, byHand.getWhy, { order: 'get' })}`;
    const poll = html`<form @submit=${(event: SubmitEvent) => {
      event.preventDefault();
      const field = event.target instanceof HTMLFormElement ? event.target.elements.namedItem('most') : null;
      const most = field instanceof HTMLInputElement ? Number(field.value) : 0;
      this.order(most > 0 ? { order: 'poll', count: most } : { order: 'poll' });
    }}><button title=${byHand.pollWhy}>${byHand.poll}</button><label>${byHand.most} <input name="most" type="number" min="1" max="65535" placeholder="500" /></label></form>`;
    return hand.kind === 'log'
      ? html`${poll}${this.button(byHand.commit, byHand.commitWhy, { order: 'commit' })}`
      : poll;
  }

  override render() {
    const { byHand } = words;
    const hand = this.session?.run.hand(this.side, this.card?.name ?? '');
    if (!hand) return html``;
    const refused = this.refused === undefined ? '' : html`<p class="refused" role="alert">${this.refused}</p>`;
    if (!hand.by_hand) return html`${this.button(byHand.take, byHand.takeWhy, { order: 'take-in-hand' })}${refused}`;
    const count = `${hand.held.length} ${hand.kind === 'log' ? byHand.uncommitted : byHand.held}`;
    return html`<h4>${byHand.title}: <span class="count">${count}</span></h4>
      ${hand.polls ? html`<p>${byHand.polls}</p>` : hand.held.length === 0 ? html`<p>${byHand.nothing}</p>` : ''}
      <ul class="held">${hand.held.slice(0, 20).map((held) => this.one(held, hand.kind))}</ul>
      <div class="whole">${this.whole(hand)}${this.button(byHand.letGo, byHand.letGoWhy, { order: 'let-go' })}</div>${refused}`;
  }
}

customElements.define('bl-by-hand', BlByHand);
