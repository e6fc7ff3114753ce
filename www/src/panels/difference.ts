// Two outcomes side by side, cluster by cluster, and what differs between them.
import { html } from 'lit';
import type { Report } from '../engine/engine';
import { count, millis } from '../format';
import { words } from '../words';
import './difference.css';

export interface Outcome {
  name: string;
  report: Report;
}

export type Cluster = Report['clusters'][string];

/** What of an outcome is compared: its name, and its figure in words. */
export const figures = (): [string, (cluster: Cluster) => string][] => [
  [words.acknowledged, (cluster) => count(cluster.acknowledged)],
  [words.processed, (cluster) => count(cluster.processed)],
  [words.lost, (cluster) => count(cluster.lost)],
  [words.twice, (cluster) => count(cluster.duplicated)],
  [words.reordered, (cluster) => count(cluster.reordered)],
  [words.waiting, (cluster) => count(cluster.outstanding)],
  [words.p99, (cluster) => millis(cluster.latency_ms.p99)],
];

/** A table for each cluster that both have. */
export function difference(here: Outcome, there: Outcome) {
  return Object.entries(here.report.clusters).map(([key, cluster]) => {
    const other = there.report.clusters[key];
    if (!other) return '';
    const row = (name: string, one: string, two: string) => {
      const differs = one !== two;
      return html`<tr class=${differs ? 'differs' : ''}><th scope="row">${name}</th><td>${one}</td><td>${two}${differs ? ' ≠' : ''}</td></tr>`;
    };
    return html`<table class="difference ${key}-side"><caption>${key === 'log' ? words.log : words.queue}</caption>
      <thead><tr><th scope="col">${words.branches.atEnd}</th><th scope="col">${here.name}</th><th scope="col">${there.name}</th></tr></thead>
      <tbody>${row(words.verdict, cluster.verdict, other.verdict)}
      ${figures().map(([name, figure]) => row(name, figure(cluster), figure(other)))}</tbody></table>`;
  });
}
