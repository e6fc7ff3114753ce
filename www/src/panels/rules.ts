// Why: a rule's sentence, its defaults, its source, and where the real documentation says it. Loaded when asked for.
import { parse } from 'smol-toml';
import common from '../../../rules/common.toml?raw';
import kafka from '../../../rules/kafka.toml?raw';
import rabbitmq from '../../../rules/rabbitmq.toml?raw';

export interface Rule {
  id: string;
  sentence: string;
  source: string;
  defaults: string[];
}

const rules = new Map<string, Rule>();
for (const text of [common, kafka, rabbitmq]) {
  const { rule } = parse(text) as unknown as { rule: Partial<Rule>[] };
  for (const { id = '', sentence = '', source = '', defaults = [] } of rule)
    rules.set(id, { id, sentence, source, defaults });
}

/** A rule of the catalogue. */
export function ruleOf(id: string): Rule | undefined {
  return rules.get(id);
}

/** Where the brokers' own documentation or source is to be found; undefined where there is no single place. */
export function documentation(rule: Rule): string | undefined {
  const page = /docs\/([a-z0-9-]+)/.exec(rule.source)?.[1];
  if (rule.id.startsWith('R') && page) return `https://www.rabbitmq.com/docs/${page}`;
  const file = /([A-Za-z_]+\.(?:java|erl))/.exec(rule.source)?.[1];
  const repository = rule.id.startsWith('R') ? 'rabbitmq/rabbitmq-server' : 'apache/kafka';
  if (file) return `https://github.com/search?type=code&q=${encodeURIComponent(`repo:${repository} path:${file}`)}`;
  return rule.id.startsWith('K') ? 'https://kafka.apache.org/42/documentation.html' : undefined;
}
