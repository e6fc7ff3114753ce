// What can be done to a node, as a menu beside it.
import { html, LitElement } from 'lit';
import type { Order, Side } from '../engine/engine';
import type { Card } from '../gen/Card';
import { focusesOf } from '../panels/applies';
import { FocusAsked, InspectAsked } from '../panels/listening';
import type { Session } from '../session';
import { type DeedName, deeds, queueDeeds, words } from '../words';
import './by-hand';
import { another } from './joins';
import './node-menu.css';

/**
 * A policy as `rabbitmqctl set_policy` takes it: `ttl ^orders$ {"message-ttl":5000}`, and before that `--priority 5` and
 * `--apply-to quorum_queues`. What is missing is left for the engine to refuse in its words.
 *
 * @throws {SyntaxError} where the definition is no JSON.
 */
function policyOf(text: string): NonNullable<Order['policy']> {
  const options: Record<string, string> = {};
  const rest = text.replace(/--(priority|apply-to)[ =](\S+)/g, (_all, name: string, value: string) => {
    options[name] = value;
    return '';
  });
  const [, name = '', pattern = '', written = ''] = /^\s*(\S+)\s+(\S+)\s*(.*)$/s.exec(rest) ?? [];
  const definition = JSON.parse(written.trim().replace(/^'(.*)'$/s, '$1') || '{}') as Record<string, unknown>;
  return {
    name,
    pattern,
    definition,
    ...(options.priority === undefined ? {} : { priority: Number(options.priority) }),
    ...(options['apply-to'] === undefined ? {} : { 'apply-to': options['apply-to'] }),
  };
}

/** A setting as `kafka-configs --add-config` takes it. */
function brokerConfig(node: string, written: string): Order {
  const [setting = '', ...rest] = written.split('=');
  return { order: 'set-broker-config', node, setting: setting.trim(), value: rest.join('=').trim() };
}

/** What Kafka's tools ask of a broker; `orders-0 4,2,3` moves a partition, without brokers the move is given up. */
function brokerForm(node: string): [string, string, (value: string) => Order][] {
  const broker = Number(node.replace(/.*-/, ''));
  return [
    [
      'kafka-reassign-partitions',
      'orders-0 4,2,3',
      (value) => {
        const [partition = '', brokers = ''] = value.trim().split(/\s+/, 2);
        const at = partition.lastIndexOf('-');
        const replicas = brokers.split(',').filter(Boolean).map(Number);
        return {
          order: 'reassign',
          node,
          topic: partition.slice(0, at),
          partition: Number(partition.slice(at + 1)),
          replicas,
        };
      },
    ],
    [
      'kafka-topics --alter --partitions',
      'orders 6',
      (value) => {
        const [topic = '', count = ''] = value.trim().split(/\s+/, 2);
        return { order: 'add-partitions', node, topic, count: Number(count) };
      },
    ],
    ['kafka-configs --entity-default --alter', 'log.retention.ms=60000', (value) => brokerConfig(node, value)],
    [
      `kafka-configs --entity-name ${broker} --alter`,
      'message.max.bytes=2000000',
      (value) => ({ ...brokerConfig(node, value), broker }),
    ],
    [words.forms.preferred, 'orders', (topic) => ({ order: 'elect-preferred', node, topic })],
    [words.forms.unclean, 'orders', (topic) => ({ order: 'elect-unclean', node, topic })],
  ];
}

export class BlNodeMenu extends LitElement {
  static override properties = {
    session: { attribute: false },
    side: { type: Number },
    card: { attribute: false },
    face: { attribute: false },
    refused: { state: true },
  };
  declare session: Session | undefined;
  declare side: Side;
  declare card: Card | undefined;
  /** The partition or queue on the card's face that is meant; empty or undefined if it is the node alone. */
  declare face: string | undefined;
  declare refused: string | undefined;

  protected override createRenderRoot() {
    return this;
  }

  private order(order: Order) {
    this.refused = this.session?.order({ cluster: this.side === 0 ? 'log' : 'queue', ...order });
    // Who publishes one by one wants to go on.
    if (this.refused === undefined && order.order !== 'publish-one') this.leave();
  }

  private readonly leave = () => this.dispatchEvent(new CustomEvent('menu-closed', { bubbles: true }));

  /** Asks for something elsewhere on the page, and makes room for it. */
  private ask(event: Event) {
    this.dispatchEvent(event);
    this.leave();
  }

  private deed(name: DeedName, node: string) {
    switch (name) {
      case 'cut':
      case 'heal':
        return this.order({ order: name, from: [node] });
      case 'slow-disk':
      case 'slow-network':
        return this.order({ order: name, node, percent: 1000 });
      default:
        return this.order({ order: name, node });
    }
  }

  private more(like: string) {
    const { session } = this;
    if (!session) return;
    this.refused = session.order(another(session, like));
    if (this.refused === undefined) this.leave();
  }

  /** Which deeds make sense for how the node is. */
  private fits(name: DeedName, card: Card): boolean {
    const alive = card.health === 'running' || card.health === 'stopping';
    switch (name) {
      case 'start':
        return ['killed', 'powered-off', 'stopped'].includes(card.health);
      case 'resume':
        return card.health === 'paused';
      case 'kill':
      case 'power-off':
        return alive || card.health === 'paused';
      case 'pause':
      case 'stop':
        return alive;
      case 'publish-one':
        return card.role === 'producer' && alive;
      case 'commit-transaction':
      case 'abort-transaction':
        return this.side === 0 && card.role === 'producer' && alive && card.does === 'transacts';
      default:
        return !queueDeeds.includes(name) || (this.side === 1 && card.role === 'server' && alive);
    }
  }

  /** What a server can be told beside: a broker, what tools ask of it; a queue server, members and its watermark. */
  private serverForm(card: Card): [string, string, (value: string) => Order][] {
    if (this.side === 0 && card.name.startsWith('broker-')) return brokerForm(card.name);
    if (this.side !== 1 || card.role !== 'server') return [];
    return [
      [
        'set_policy',
        'ttl ^orders$ {"message-ttl":5000}',
        (value) => ({ order: 'set-policy', node: card.name, policy: policyOf(value) }),
      ],
      ['clear_policy', 'ttl', (value) => ({ order: 'clear-policy', node: card.name, value })],
      ['add_member', 'queue', (queue) => ({ order: 'add-member', node: card.name, queue })],
      ['delete_member', 'queue', (queue) => ({ order: 'delete-member', node: card.name, queue })],
      [
        words.forms.watermark,
        '40',
        (percent) => ({ order: 'set-memory-watermark', node: card.name, percent: Number(percent) }),
      ],
    ];
  }

  /** What can be done with the partition or queue that was clicked on the node's face. */
  private faceOf(name: string) {
    const { session, side } = this;
    const kind = side === 0 ? 'partition' : 'queue';
    const focuses = session ? focusesOf(session, side, kind, name).filter((focus) => focus.kind !== 'group') : [];
    return html`<p class="more"><button @click=${() => this.ask(new InspectAsked({ kind, side, name }, true))}>${words.inspector.open}: ${name}</button>${focuses
      .slice(0, 1)
      .map(
        (focus) =>
          html`<button @click=${() => this.ask(new FocusAsked(side, focus))}>${words.zoom.bring}: ${focus.name}</button>`,
      )}</p>`;
  }

  private form(card: Card) {
    const producer = card.role === 'producer';
    const server = card.role !== 'producer' && card.role !== 'consumer';
    const { session } = this;
    const more = (name: string, field: 'group' | 'queue'): [string, string, (value: string) => Order] => [
      name,
      'audit',
      // In both clusters: the cluster of this menu is not meant.
      (value) => ({
        ...(session ? another(session, card.name, { [field]: value }) : { order: '' }),
        cluster: undefined,
      }),
    ];
    const fields: [string, string, (value: string) => Order][] = server
      ? this.serverForm(card)
      : producer
        ? [[words.forms.rate, '20/s', (rate) => ({ order: 'set-rate', node: card.name, rate })]]
        : [
            [
              words.forms.processing,
              '100ms',
              (processing) => ({ order: 'set-processing', node: card.name, processing }),
            ],
            [
              this.side === 0 ? 'max.poll.records' : 'prefetch',
              '10',
              (count) => ({ order: 'set-prefetch', node: card.name, count: Number(count) }),
            ],
            [
              words.forms.failsOn,
              '7',
              (key) => ({ order: 'fail-on', node: card.name, key: Number(key), cluster: undefined }),
            ],
            this.side === 0 ? more(words.joins.inGroup, 'group') : more(words.joins.onQueue, 'queue'),
          ];
    const forms = fields.map(
      ([name, example, make]) =>
        html`<form class="form" @submit=${(event: SubmitEvent) => {
          event.preventDefault();
          const input = event.target instanceof HTMLFormElement ? event.target.elements.namedItem('value') : null;
          if (!(input instanceof HTMLInputElement)) return;
          try {
            this.order(make(input.value.trim()));
          } catch (error) {
            this.refused = error instanceof Error ? error.message : String(error);
          }
        }}><label class=${example.length > 16 ? 'long' : ''}>${name} <input name="value" placeholder=${example} aria-label=${name} required /></label><button>${words.forms.set}</button></form>`,
    );
    // A server's many would hide the stage that they are about.
    if (!server || forms.length === 0) return forms;
    return html`<details @toggle=${() => this.dispatchEvent(new CustomEvent('menu-grown', { bubbles: true }))}>
      <summary>${words.forms.more}</summary>${forms}</details>`;
  }

  override render() {
    const { card } = this;
    if (!card) return html``;
    const client = card.role === 'producer' || card.role === 'consumer';
    const led = card.role === 'consumer' && this.session?.run.hand(this.side, card.name)?.by_hand === true;
    const focuses = this.session ? focusesOf(this.session, this.side, 'node', card.name) : [];
    const byHand =
      card.role === 'consumer'
        ? html`<bl-by-hand .session=${this.session} .side=${this.side} .card=${card}></bl-by-hand>`
        : '';
    return html`<h3>${card.name}<button aria-label=${words.close} @click=${this.leave}>✕</button></h3>
      <p tabindex="0">${card.says}</p>
      ${this.face ? this.faceOf(this.face) : ''}${led ? byHand : ''}<ul>${deeds
        .filter(({ order }) => this.fits(order, card))
        .map(({ order, label, hint }) => {
          const leaves = client && order === 'stop';
          return html`<li><button title=${leaves ? words.joins.leaveWhy : hint} @click=${() => this.deed(order, card.name)}>${leaves ? words.joins.leave : label}</button></li>`;
        })}${client ? html`<li><button title=${words.joins.anotherWhy} @click=${() => this.more(card.name)}>${words.joins.another}</button></li>` : ''}</ul>
      ${led ? '' : byHand}${this.form(card)}
      <p class="more"><button @click=${() => this.ask(new InspectAsked({ kind: 'node', side: this.side, name: card.name }, true))}>${words.inspector.open}</button>${focuses
        .slice(0, 3)
        .map(
          (focus) =>
            html`<button @click=${() => this.ask(new FocusAsked(this.side, focus))}>${words.zoom.bring}: ${focus.name}</button>`,
        )}</p>
      ${this.refused === undefined ? '' : html`<p class="refused" role="alert">${this.refused}</p>`}`;
  }
}

customElements.define('bl-node-menu', BlNodeMenu);
