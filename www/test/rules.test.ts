// The catalogue's links: where they lead, and that what is named as a source can be read.
import { describe, expect, it } from 'vitest';
import { nameOf, rules, settingOf } from '../src/panels/rules';

const FORMS = [
  /^https:\/\/kafka\.apache\.org\/42\/[a-z-]+\/[a-z-]+\/(#(producer|consumer|broker|topic)configs_[a-z.]+)?$/,
  /^https:\/\/github\.com\/apache\/kafka\/blob\/4\.2\.0\/[a-z/-]+\/src\/main\/(java|scala)\/[A-Za-z/]+\.(java|scala)$/,
  /^https:\/\/github\.com\/confluentinc\/librdkafka\/blob\/master\/src\/[a-z_]+\.c$/,
  /^https:\/\/cwiki\.apache\.org\/confluence\/display\/KAFKA\/KIP-\d+/,
  /^https:\/\/www\.rabbitmq\.com\/(docs\/((3\.13|4\.2)\/)[a-z0-9-]+|client-libraries\/[a-z-]+)(#[a-z-]+)?$/,
  /^https:\/\/github\.com\/rabbitmq\/(rabbitmq-server\/(blob|tree)\/v[\d.]+|ra\/blob\/main)\/[a-z0-9_/]+(\.erl)?$/,
  /^https:\/\/github\.com\/rabbitmq\/osiris$/,
];

describe('the rules', () => {
  it('each lead to the documentation or the source, but for those of this simulator', () => {
    expect(rules.size).toBeGreaterThan(150);
    for (const rule of rules.values()) {
      if (rule.id.startsWith('X')) continue;
      expect(rule.links, rule.id).not.toHaveLength(0);
      expect(new Set(rule.links).size, rule.id).toBe(rule.links.length);
      for (const link of rule.links) {
        expect(
          FORMS.some((form) => form.test(link)),
          `${rule.id}: ${link}`,
        ).toBe(true);
        expect(nameOf(link).length, link).toBeGreaterThan(3);
      }
    }
  });

  it('names a page and the part of it', () => {
    expect(nameOf('https://www.rabbitmq.com/docs/4.2/confirms#when-publishes-are-confirmed')).toBe(
      'rabbitmq.com: confirms, when publishes are confirmed',
    );
    expect(nameOf('https://kafka.apache.org/42/configuration/producer-configs/#producerconfigs_linger.ms')).toBe(
      'kafka.apache.org: configuration/producer-configs, linger.ms',
    );
  });

  it('have every file that is named as their source', () => {
    for (const rule of rules.values())
      for (const file of rule.source.match(/[A-Za-z_]+\.(java|scala|erl)/g) ?? [])
        expect(
          rule.links.some((link) => link.endsWith(`/${file}`)),
          `${rule.id}: ${file}`,
        ).toBe(true);
  });

  it('name their settings so that a form can be found', () => {
    expect(['linger.ms=5', 'x-overflow=drop-head', 'timeout 30 s'].map(settingOf)).toEqual([
      'linger.ms',
      'x-overflow',
      undefined,
    ]);
  });
});
