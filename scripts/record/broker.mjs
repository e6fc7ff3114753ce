// Real RabbitMQ nodes on this machine: loopback ports, a data folder, a cookie and a port mapper of their own, and
// nothing left behind.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ask, run, stop } from '../tools.mjs';

const BIN = '/usr/lib/rabbitmq/bin';
const POLICY = '/usr/sbin/policy-rc.d';

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Installs RabbitMQ if that can be done without asking; its service is not started. Answers its version. */
export function ensureRabbit() {
  if (!existsSync(join(BIN, 'rabbitmq-server')) && existsSync('/etc/debian_version') && process.getuid?.() === 0) {
    console.log('· installing RabbitMQ (about 1 min, once)');
    const own = !existsSync(POLICY);
    if (own) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'rabbitmq-server']);
    if (own) rmSync(POLICY);
    if (existsSync('/run/systemd/system')) run('systemctl', ['disable', '--now', 'rabbitmq-server', 'epmd.socket']);
  }
  const status = ask('dpkg-query', ['-s', 'rabbitmq-server']) ?? '';
  return (
    /^Version: ([^-\n]+)/m.exec(status)?.[1] ??
    stop('Recordings need RabbitMQ as Debian packages it: install rabbitmq-server.')
  );
}

export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Until `test` holds; gives up with an error after `ms`. */
export async function until(what, test, ms = 90_000, every = 50) {
  const end = performance.now() + ms;
  while (!(await test())) {
    if (performance.now() > end) throw new Error(`gave up waiting: ${what}`);
    await sleep(every);
  }
}

function accepts(port) {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(false));
  });
}

// Evaluates what it reads, a node and an expression a line, on that node, and answers in JSON.
const CONTROL = `
Loop = fun Loop() ->
  case io:get_line("") of
    eof -> halt();
    Line ->
      Answer = try
        [Name, Text] = string:split(string:trim(Line), " "),
        Node = list_to_atom(Name),
        {ok, Tokens, _} = erl_scan:string(Text),
        {ok, Expressions} = erl_parse:parse_exprs(Tokens),
        {value, Value, _} = rpc:call(Node, erl_eval, exprs, [Expressions, []], 30000),
        Json = rpc:call(Node, rabbit_json, encode, [Value], 30000),
        true = is_binary(Json),
        ["ok ", Json]
      catch _:Why -> io_lib:format("no ~0p", [Why]) end,
      io:format("~ts~n", [Answer]),
      Loop()
  end
end,
Loop().`;

/** Some nodes that are one cluster. */
export class Nodes {
  /** Starts `count` nodes, r1@localhost and so on, with these plugins and these further lines of configuration. */
  async start(count, { plugins = [], configuration = [] } = {}) {
    await this.#prepare(count, plugins, configuration);
    for (const node of this.all) await this.up(node.number);
    await until('the cluster', async () => (await this.running(1)) === count);
  }

  #pending = [];

  async #prepare(count, plugins, configuration) {
    this.folder = mkdtempSync(join(tmpdir(), 'brokerlab-rabbitmq-'));
    const cookie = join(this.folder, '.erlang.cookie');
    writeFileSync(cookie, randomBytes(20).toString('hex').toUpperCase());
    chmodSync(cookie, 0o400);
    writeFileSync(join(this.folder, 'plugins'), `[${plugins.join(',')}].\n`);
    this.env = { ...process.env, HOME: this.folder, ERL_EPMD_ADDRESS: '127.0.0.1' };
    this.env.ERL_EPMD_PORT = String(await freePort());
    // A port mapper in the foreground is a child that ends with the others.
    this.mapper = spawn('epmd', ['-port', this.env.ERL_EPMD_PORT, '-address', '127.0.0.1'], { env: this.env });
    await until('the port mapper', () => accepts(Number(this.env.ERL_EPMD_PORT)), 10_000);
    this.all = [];
    for (let number = 1; number <= count; number++) {
      const node = { number, name: `r${number}@localhost`, port: await freePort(), dist: await freePort() };
      node.folder = join(this.folder, `r${number}`);
      mkdirSync(node.folder);
      this.all.push(node);
    }
    for (const node of this.all) this.#configure(node, configuration);
    const args = ['-noshell', '-hidden', '-sname', 'control@localhost', '-eval', CONTROL];
    this.control = spawn('erl', ['-kernel', 'inet_dist_use_interface', '{127,0,0,1}', ...args], { env: this.env });
    createInterface({ input: this.control.stdout }).on('line', (line) => this.#pending.shift()?.(line));
  }

  #configure(node, configuration) {
    const peers = this.all.map((peer, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${peer.name}`);
    const lines = [
      `listeners.tcp.1 = 127.0.0.1:${node.port}`,
      'log.console = false',
      'log.file.level = info',
      'disk_free_limit.absolute = 50MB',
      ...(this.all.length > 1 ? ['cluster_formation.peer_discovery_backend = classic_config', ...peers] : []),
      ...configuration,
    ];
    writeFileSync(join(node.folder, 'rabbitmq.conf'), `${lines.join('\n')}\n`);
  }

  node(number) {
    return this.all[number - 1];
  }

  /** Starts a node and waits until clients can connect; answers how many milliseconds that took. */
  async up(number) {
    const node = this.node(number);
    const began = performance.now();
    const env = {
      ...this.env,
      RABBITMQ_NODENAME: node.name,
      RABBITMQ_CONF_ENV_FILE: '/nonexistent',
      RABBITMQ_CONFIG_FILE: join(node.folder, 'rabbitmq.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(this.folder, 'plugins'),
      RABBITMQ_MNESIA_BASE: join(node.folder, 'data'),
      RABBITMQ_LOG_BASE: join(node.folder, 'log'),
      RABBITMQ_PID_FILE: join(node.folder, 'pid'),
      RABBITMQ_DIST_PORT: String(node.dist),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
      // So that the process that is started becomes the node itself and can be killed as such.
      RUNNING_UNDER_SYSTEMD: 'true',
    };
    node.process = spawn(join(BIN, 'rabbitmq-server'), [], { env, stdio: 'ignore', cwd: node.folder });
    node.ended = new Promise((done) => node.process.once('exit', done));
    node.process.once('exit', () => {
      node.process = null;
    });
    await until(`${node.name} starts`, () => !node.process || accepts(node.port), 120_000, 20);
    if (!node.process) throw new Error(`${node.name} did not start: see ${node.folder}/log`);
    return performance.now() - began;
  }

  /** As `kill -9`. */
  async kill(number) {
    const node = this.node(number);
    node.process?.kill('SIGKILL');
    await node.ended;
  }

  /** As `rabbitmqctl stop`. */
  async down(number) {
    const node = this.node(number);
    await this.ask(number, 'spawn(fun() -> rabbit:stop_and_halt() end), true');
    await node.ended;
  }

  signal(number, signal) {
    this.node(number).process?.kill(signal);
  }

  /** Evaluates an Erlang expression on a node. */
  async ask(number, expression) {
    const text = expression.replace(/\s+/g, ' ').trim();
    const answer = new Promise((done) => this.#pending.push(done));
    this.control.stdin.write(`${this.node(number).name} ${text}.\n`);
    const line = await answer;
    if (!line.startsWith('ok ')) throw new Error(`${text}: ${line}`);
    return JSON.parse(line.slice(3));
  }

  /** How many nodes are running, as this one sees it. */
  async running(number) {
    try {
      return await this.ask(number, 'length([N || N <- rabbit_mnesia:cluster_nodes(running), rabbit:is_running(N)])');
    } catch {
      return 0;
    }
  }

  /** Ends all processes and removes the folder. */
  async remove() {
    for (const node of this.all ?? []) {
      if (node.process) {
        node.process.kill('SIGCONT');
        node.process.kill('SIGKILL');
        await node.ended;
      }
    }
    for (const child of [this.control, this.mapper]) {
      if (!child || child.exitCode !== null) continue;
      const ended = new Promise((done) => child.once('exit', done));
      child.kill('SIGKILL');
      await ended;
    }
    if (this.folder && !process.env.BROKERLAB_KEEP) rmSync(this.folder, { recursive: true, force: true });
  }
}
