// Why: a rule's sentence, its defaults, its source, and where the real documentation says it. Loaded when asked for.
import { parse } from 'smol-toml';
import common from '../../../rules/common.toml?raw';
import kafka from '../../../rules/kafka.toml?raw';
import rabbitmq from '../../../rules/rabbitmq.toml?raw';

export interface Rule {
  id: string;
  sentence: string;
  source: string;
  /** The broker's own words: its documentation first, then its source. */
  links: string[];
  defaults: string[];
}

/** All rules, in the order of the catalogue. */
export const rules: ReadonlyMap<string, Rule> = new Map(
  [common, kafka, rabbitmq].flatMap((text) => {
    const { rule } = parse(text) as unknown as { rule: Partial<Rule>[] };
    return rule.map(({ id = '', sentence = '', source = '', links = [], defaults = [] }): [string, Rule] => [
      id,
      { id, sentence, source, links, defaults },
    ]);
  }),
);

/** A rule of the catalogue. */
export function ruleOf(id: string): Rule | undefined {
  return rules.get(id);
}

/** What a link leads to, in a few words: a page of the documentation, or a file of the source. */
export function nameOf(link: string): string {
  const { hostname, pathname, hash } = new URL(link);
  const steps = pathname.split('/').filter(Boolean);
  if (hostname === 'github.com') return steps.at(-1) ?? link;
  const page = steps
    .slice(1)
    .join('/')
    .replace(/^4\.2\//, '');
  const part = /^#[a-z]+configs_(.+)/.exec(hash)?.[1] ?? hash.slice(1).replaceAll('-', ' ');
  return `${hostname.replace('www.', '')}: ${page}${part && `, ${part}`}`;
}

/** The setting that a rule's default is of: `linger.ms` of `linger.ms=5`; undefined if it is put in other words. */
export function settingOf(written: string): string | undefined {
  return /^([a-z][a-z0-9._-]*)=/.exec(written)?.[1];
}
