// A network of its own for a cluster on this machine, of which links can be cut: each host is a network namespace, and
// a switch in another one joins them. Nothing of it is seen by the machine's own network.
import { existsSync } from 'node:fs';
import { ask, run, stop } from '../tools.mjs';

/** Nobody has this address: what is sent to it goes nowhere, and nobody says so. */
const NOWHERE = '02:00:00:00:ff:ff';

const mac = (number) => `02:00:00:00:00:${number.toString(16).padStart(2, '0')}`;

/** Sees to it that this machine can do that. */
export function ensureNamespaces() {
  if (process.getuid?.() !== 0) stop('Recordings of cut links need network namespaces: run this as root.');
  if (ask('ip', ['-V']) === null && existsSync('/etc/debian_version')) {
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'iproute2']);
  }
  if (ask('ip', ['-V']) === null) stop('Recordings of cut links need the command ip: install iproute2.');
}

function ip(...args) {
  if (ask('ip', args) === null) throw new Error(`this machine refused: ip ${args.join(' ')}`);
}

/** Hosts by number, each with an address. */
export class Network {
  #prefix = `brokerlab-${process.pid}`;
  #made = [];

  constructor(hosts) {
    this.hosts = hosts;
  }

  start() {
    const hub = this.#namespace('hub');
    ip('-n', hub, 'link', 'add', 'switch', 'type', 'bridge');
    ip('-n', hub, 'link', 'set', 'switch', 'up');
    for (const host of this.hosts) {
      const space = this.#namespace(host);
      const port = `port${host}`;
      ip('link', 'add', port, 'netns', hub, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
      ip('-n', hub, 'link', 'set', port, 'master', 'switch', 'up');
      ip('-n', space, 'link', 'set', 'lo', 'up');
      ip('-n', space, 'link', 'set', 'eth0', 'address', mac(host), 'up');
      ip('-n', space, 'address', 'add', `${this.address(host)}/24`, 'dev', 'eth0');
    }
    this.healAll();
  }

  #namespace(host) {
    const name = this.space(host);
    ip('netns', 'add', name);
    this.#made.push(name);
    return name;
  }

  space(host) {
    return `${this.#prefix}-${host}`;
  }

  address(host) {
    return `10.77.0.${host}`;
  }

  /** A command as it runs on a host. */
  on(host, command, args) {
    return ['ip', ['netns', 'exec', this.space(host), command, ...args]];
  }

  /** What `from` sends to `to` gets lost, without a word to either. */
  cut(from, to) {
    this.#point(from, to, NOWHERE);
  }

  heal(from, to) {
    this.#point(from, to, mac(to));
  }

  #point(from, to, where) {
    const neighbour = [this.address(to), 'lladdr', where, 'nud', 'permanent', 'dev', 'eth0'];
    ip('-n', this.space(from), 'neighbour', 'replace', ...neighbour);
  }

  healAll() {
    for (const from of this.hosts) for (const to of this.hosts) if (from !== to) this.heal(from, to);
  }

  /** Removes all of it; the devices go with the namespaces. */
  remove() {
    for (const name of this.#made.splice(0)) ask('ip', ['netns', 'del', name]);
  }
}
