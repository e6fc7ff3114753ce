// What Kafka's own classes answer to inputs by a seed: lines of the forms of transcripts/kafka.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stop } from '../tools.mjs';
import { CLASSPATH } from './kafka-nodes.mjs';

const seeds = (first, count) => Array.from({ length: count }, (_, at) => first + at);

/** The seeds of what is kept: few, of which some made the engine answer otherwise once. */
const KEPT = {
  'adaptive-partitioner': seeds(1, 80),
  'client-assignors': [1830, 2071, 2561, 1470, 2575, 2655, 1678, 1910],
  'leader-election-elr': [1000, 1001, 1002, 1003],
  murmur2: seeds(1, 60),
  'server-assignors': [1566, 2145, 2146, 1787, 1592, 1564, 1398],
};

const LOGGING = '-Dorg.slf4j.simpleLogger.defaultLogLevel=off';

/** Writes what is kept into a folder, or so many lines of each kind from a seed on. */
export function recordClasses(folder, seed, lines) {
  mkdirSync(folder, { recursive: true });
  for (const [kind, kept] of Object.entries(KEPT)) {
    const which = seed === undefined ? kept : [`${seed}..`, lines];
    const args = [LOGGING, '-cp', CLASSPATH, 'KafkaClasses', kind, ...which.map(String)];
    const { status, stdout, stderr } = spawnSync('java', args, { encoding: 'utf8', maxBuffer: 2 ** 31 - 1 });
    if (status !== 0) stop(`Kafka's classes could not be asked: ${stderr}`);
    const file = join(folder, `own-${kind}.jsonl`);
    writeFileSync(file, stdout);
    console.log(`· ${file}: ${stdout.split('\n').length - 1} lines`);
  }
}
