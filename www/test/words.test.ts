// Every language has every word, and a sentence for every code of the engines, with the same places.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MarkOut } from '../src/gen/MarkOut';
import type { Report } from '../src/gen/Report';
import { log, mark, orders, queue, verdict } from '../src/sentences.de';
import { words } from '../src/words';
import { catalogue } from '../src/words.de';

const crates = resolve(import.meta.dirname, '../../crates');

/** The tables of an engine's file: code and template. */
function tableOf(crate: string): Record<string, string> {
  const text = readFileSync(`${crates}/${crate}/src/words.rs`, 'utf8').split('#[cfg(test)]')[0] ?? '';
  return Object.fromEntries([...text.matchAll(/\("([a-z-]+)", "([^"]*)"\)/g)].map(([, code, text]) => [code, text]));
}

const places = (template = '') => [...template.matchAll(/\{\d\}/g)].map(([place]) => place).sort();

/** Each text with its path. */
function leaves(tree: object, path = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string' ? [[`${path}${key}`, value] as [string, string]] : leaves(value, `${path}${key}/`),
  );
}

describe('the German catalogue', () => {
  it('has every word, and none is empty', () => {
    expect(leaves(catalogue.words).map(([path]) => path)).toEqual(leaves(words).map(([path]) => path));
    expect(leaves(catalogue.words).filter(([, text]) => text.trim() === '')).toEqual([]);
  });

  it.each([
    ['player', orders],
    ['log-cluster', log],
    ['queue-cluster', queue],
  ])('has a sentence for every code of %s, with the same places', (crate, german) => {
    const english = tableOf(crate);
    expect(Object.keys(english).length).toBeGreaterThan(20);
    expect(Object.keys(german).sort()).toEqual(Object.keys(english).sort());
    for (const [code, template] of Object.entries(english))
      expect([code, places(german[code])]).toEqual([code, places(template)]);
  });

  it('says a mark in the words of its cluster', () => {
    const told = (rule: string, code: string, values: string[]): string =>
      mark({ at: 0, cluster: '', kind: 'election', what: '?', node: '', rule, code, values } as MarkOut);
    expect(told('R-U1', 'leader-elected', ['orders', 'rabbit-2', '3'])).toBe('orders: rabbit-2 führt, Term 3');
    expect(told('K-E2', 'leader-elected', ['orders-0', 'broker-2', '3'])).toBe('orders-0: broker-2 führt, Epoche 3');
    expect(told('X-1', 'cut', ['broker-1', 'all others'])).toBe('broker-1 wird abgetrennt von: allen anderen');
    expect(told('X-1', 'no-such-code', [])).toBe('?');
  });

  it('gives the verdict from its numbers', () => {
    const none = { produced: 9, acknowledged: 9, lost: 0, gone: 0, dropped: 0, duplicated: 0, reordered: 0 };
    const rest = { outstanding: 0, refused: 0, dead_lettered: 0, aborted: 0, latency_ms: { p50: 1, p99: null } };
    const said = (numbers: object) => {
      const { verdict: sentence, notes } = verdict('log', {
        ...none,
        ...rest,
        ...numbers,
      } as Report['clusters'][string]);
      return [sentence, ...notes];
    };
    expect(said({})).toEqual(['Alle 9 bestätigten Nachrichten sind sicher.']);
    expect(said({ lost: 2, dropped: 1 })).toEqual([
      '2 von 9 Nachrichten sind trotz Bestätigung verloren.',
      '1 Nachricht hat eine Regel verworfen',
    ]);
    expect(said({ dropped: 3 })).toEqual([
      'Keine bestätigte Nachricht ist verloren; 3 Nachrichten hat eine Regel verworfen.',
    ]);
    expect(said({ acknowledged: 0, gone: 1 })).toEqual(['Nichts wurde bestätigt, und 1 Nachricht ist fort.']);
    expect(said({ produced: 0, acknowledged: 0 })).toEqual(['Noch wurde nichts erzeugt.']);
  });
});
