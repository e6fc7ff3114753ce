// A real Kafka cluster on this machine: brokers and a controller of its own on loopback ports, or each on a host of its
// own (`kafka-network.mjs`), in a folder of its own, and nothing left behind.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ask, root, run, stop } from '../tools.mjs';
import { freePort, sleep, until } from './broker.mjs';
import { Network } from './kafka-network.mjs';

export const VERSION = '4.2.1';
const CACHE = join(root, 'target', `kafka-${VERSION}`);
const JARS = join(CACHE, 'jars');
const CLASSES = join(CACHE, 'classes');
const LOGGING = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dorg.slf4j.simpleLogger.showDateTime=true'];
/** What a broker says of its life: when it starts, what becomes of its registration, when it is let in. */
const LIFE = '-Dorg.slf4j.simpleLogger.log.kafka.server.BrokerLifecycleManager=info';
const STARTING = 'is now STARTING';
const UNFENCED = 'has been unfenced';
const REFUSED = 'Unable to register broker';
/** Small, and quick to start: four of them share the machine. */
const SERVER = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', ...LOGGING, LIFE];
export const CONTROLLER = 100;
/** The host of clients, where the cluster has a network of its own. */
export const CLIENTS = 200;

const dependency = (group, artifact, version) =>
  `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>brokerlab</groupId><artifactId>record</artifactId><version>1</version>
  <dependencies>
    ${dependency('org.apache.kafka', 'kafka_2.13', VERSION)}
    ${dependency('org.slf4j', 'slf4j-simple', '1.7.36')}
  </dependencies>
</project>
`;

/** Kafka's jars and what is compiled against them. */
export const CLASSPATH = `${CLASSES}:${JARS}/*`;
const SOURCES = ['KafkaDriver', 'KafkaClasses', 'KafkaInputs', 'KafkaDraws'];

/** Gets Kafka's jars from Maven Central, once, and compiles the driver and what asks its classes. */
export function ensureKafka() {
  const java = /version "(\d+)/.exec(ask('sh', ['-c', 'java -version 2>&1']) ?? '')?.[1] ?? 0;
  if (Number(java) < 17 || ask('javac', ['-version']) === null) {
    stop('Recordings of Kafka need a JDK of version 17 or later: install openjdk-17-jdk-headless.');
  }
  if (!existsSync(JARS)) {
    if (ask('mvn', ['-v']) === null) stop('Recordings of Kafka need Maven to get its jars: install maven.');
    console.log(`· getting Kafka ${VERSION} from Maven Central (45 MB, once)`);
    mkdirSync(CACHE, { recursive: true });
    writeFileSync(join(CACHE, 'pom.xml'), POM);
    const copied = run('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=fetched'], {
      cwd: CACHE,
    });
    if (!copied) stop('Kafka’s jars could not be had from Maven Central: see above.');
    renameSync(join(CACHE, 'fetched'), JARS);
  }
  const sources = SOURCES.map((name) => join(root, 'scripts', 'record', `${name}.java`));
  if (!run('javac', ['-cp', `${JARS}/*`, '-d', CLASSES, ...sources])) {
    stop('What asks Kafka could not be compiled: see above.');
  }
  return `Apache Kafka ${VERSION}`;
}

/** Kafka's clients in a process of their own. */
export class Driver {
  #waiting = new Map();
  #next = 0;

  constructor(servers, log, network) {
    const heap = ['-Xmx256m', '-XX:+UseSerialGC', ...LOGGING];
    const args = [...heap, '-cp', CLASSPATH, 'KafkaDriver', servers];
    const command = network ? network.on(CLIENTS, 'java', args) : ['java', args];
    this.process = spawn(...command, { stdio: ['pipe', 'pipe', log] });
    this.ended = new Promise((done) => this.process.once('exit', done));
    this.process.stdin.on('error', () => {});
    createInterface({ input: this.process.stdout }).on('line', (line) => this.#answered(JSON.parse(line)));
    this.ended.then(() => {
      for (const { refuse } of this.#waiting.values()) refuse(new Error('the driver ended'));
    });
  }

  #answered({ id, error, message, ok }) {
    const { op, done, refuse } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) refuse(Object.assign(new Error(`${op}: ${error}: ${message}`), { kafka: error }));
    else done(ok);
  }

  /** What the driver answers; a refusal is an error with the class that Kafka threw as `kafka`. */
  ask(op, fields = {}) {
    this.#next += 1;
    const id = this.#next;
    return new Promise((done, refuse) => {
      this.#waiting.set(id, { op, done, refuse });
      this.process.stdin.write(`${JSON.stringify({ id, op, ...fields })}\n`);
    });
  }

  /** As `kill -9`: nobody says goodbye. */
  async kill() {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}

/** Three brokers, 1 to 3, and a controller of its own. */
export class Cluster {
  drivers = [];
  all = [];

  /** Starts it with these further settings of all servers; with links that can be cut, or on loopback ports. */
  async start(settings = {}, { links = false } = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'brokerlab-kafka-'));
    this.log = openSync(join(this.folder, 'clients.log'), 'a');
    const id = randomBytes(16).toString('base64url');
    const numbers = [CONTROLLER, 1, 2, 3];
    if (links) {
      this.network = new Network([...numbers, CLIENTS]);
      this.network.start();
    }
    for (const number of numbers) {
      const address = links ? `${this.network.address(number)}:9092` : `127.0.0.1:${await freePort()}`;
      const node = { number, address, folder: join(this.folder, `n${number}`) };
      node.journal = join(this.folder, `n${number}.log`);
      node.log = openSync(node.journal, 'a');
      this.all.push(node);
    }
    const brokers = this.all.slice(1);
    this.servers = brokers.map(({ address }) => address).join(',');
    for (const node of this.all) this.#configure(node, settings);
    for (const node of this.all) await this.#format(node, id);
    for (const node of this.all) this.#spawn(node);
    this.driver = this.client();
    await until('the cluster', () => this.whole(), 120_000, 200);
  }

  /** Another process of clients. */
  client() {
    const driver = new Driver(this.servers, this.log, this.network);
    this.drivers.push(driver);
    return driver;
  }

  #configure(node, settings) {
    const listens = node.number === CONTROLLER ? 'CONTROLLER' : 'PLAINTEXT';
    const lines = Object.entries({
      'process.roles': node.number === CONTROLLER ? 'controller' : 'broker',
      'node.id': node.number,
      'controller.quorum.voters': `${CONTROLLER}@${this.all[0].address}`,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      listeners: `${listens}://${node.address}`,
      'log.dirs': node.folder,
      ...settings,
    }).map(([name, value]) => `${name}=${value}`);
    node.properties = join(this.folder, `n${node.number}.properties`);
    writeFileSync(node.properties, `${lines.join('\n')}\n`);
  }

  #java(node, main, args) {
    const all = [...SERVER, '-cp', `${JARS}/*`, main, ...args];
    const command = this.network ? this.network.on(node.number, 'java', all) : ['java', all];
    const process = spawn(...command, { stdio: ['ignore', node.log, node.log], cwd: this.folder });
    node.process = process;
    node.ended = new Promise((done) => process.once('exit', done));
    process.once('exit', () => {
      if (node.process === process) node.process = null;
    });
  }

  async #format(node, id) {
    this.#java(node, 'kafka.tools.StorageTool', ['format', '-t', id, '-c', node.properties]);
    const code = await node.ended;
    if (code !== 0) throw new Error(`n${node.number} could not be formatted: see ${this.folder}/n${node.number}.log`);
  }

  #spawn(node) {
    this.#java(node, 'kafka.Kafka', [node.properties]);
  }

  node(number) {
    return this.all.find((node) => node.number === number);
  }

  async brokers() {
    return this.driver.ask('cluster.brokers').catch(() => []);
  }

  /** Whether all brokers know what the controller knows: one that was cut off may say what holds no more. */
  async #informed() {
    const lag = await this.driver.ask('cluster.lag').catch(() => ({}));
    return this.all.every(({ number }) => number === CONTROLLER || lag[number] < 10);
  }

  /** Whether all brokers are registered and none is fenced. */
  async whole() {
    const dead = this.all.find((node) => !node.process);
    if (dead) throw new Error(`n${dead.number} ended: see ${this.folder}/n${dead.number}.log`);
    return (await this.brokers()).length === this.all.length - 1;
  }

  /** What a server's journal says since there were `from` bytes of it. */
  #journal(node, from) {
    return readFileSync(node.journal).subarray(from).toString();
  }

  /**
   * Starts a broker and waits until it is in the cluster. Answers how many milliseconds that took, how many until it
   * was at the point of registering, and how often it was refused.
   */
  async up(number) {
    const node = this.node(number);
    const from = readFileSync(node.journal).length;
    const began = performance.now();
    this.#spawn(node);
    const said = (what) => {
      if (!node.process) throw new Error(`broker ${number} did not start: see ${node.journal}`);
      return this.#journal(node, from).includes(what);
    };
    const says = (what) => until(`broker ${number} starts`, () => said(what), 120_000, 10);
    await says(STARTING);
    const boot = performance.now() - began;
    await says(UNFENCED);
    const up = performance.now() - began;
    return { up, boot, refused: this.#journal(node, from).split(REFUSED).length - 1 };
  }

  /** Cuts links, or heals them: `pairs` of hosts, each one way. */
  links(what, pairs) {
    for (const [from, to] of pairs) this.network[what](from, to);
  }

  /** Starts what is down, waits until the cluster is whole, and gives leaderships back. */
  async heal() {
    this.network?.healAll();
    for (const node of this.all) if (!node.process) this.#spawn(node);
    await until('a whole cluster', async () => (await this.#informed()) && (await this.whole()), 120_000, 100);
    await sleep(1000);
    await this.driver.ask('leaders.elect');
  }

  /** As `kill -9`. */
  async kill(number) {
    this.node(number).process?.kill('SIGKILL');
    await this.node(number).ended;
  }

  /** In good order, as `kafka-server-stop.sh` does it. */
  async down(number) {
    this.node(number).process?.kill('SIGTERM');
    await this.node(number).ended;
  }

  signal(number, signal) {
    this.node(number).process?.kill(signal);
  }

  #removing;

  /** Ends all processes and removes the folder; once, whoever asks. */
  remove() {
    this.#removing ??= this.#end();
    return this.#removing;
  }

  async #end() {
    for (const driver of this.drivers) await driver.kill();
    for (const node of this.all) {
      if (!node.process) continue;
      node.process.kill('SIGKILL');
      await node.ended;
    }
    this.network?.remove();
    if (!this.folder || process.env.BROKERLAB_KEEP) return;
    for (const log of [this.log, ...this.all.map((node) => node.log)]) closeSync(log);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
