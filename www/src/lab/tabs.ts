// The panels by their names, and what of the lab is loaded when it is first wanted.
import { words } from '../words';
import type { Deeds } from './commands';

export type Tab = Parameters<Deeds['tab']>[0];

/** Panels that are loaded when they are first wanted. */
export const later: Partial<Record<Tab, () => Promise<unknown>>> = {
  charts: () => import('../panels/charts'),
  'space-time': () => import('../panels/space-time'),
  message: () => import('../panels/message'),
  events: () => import('../panels/events'),
  tape: () => import('../panels/tape'),
  settings: () => import('../panels/settings'),
  topology: () => import('../panels/topology'),
  inspector: () => import('../panels/inspector'),
};

/** Menus and dialogs: not for the first picture, but at hand soon after it. */
export const dialogs = () =>
  Promise.all([
    import('./node-menu'),
    import('./link-menu'),
    import('./palette'),
    import('./shortcuts'),
    import('./commands'),
    import('./why'),
    import('./waits'),
    import('../panels/edge'),
  ]);

// A function, as are all lists of words that the first load has: the language is known later than they are read.
export const tabs = (): [Tab, string][] => [
  ['verdict', words.verdict],
  ['charts', words.panels.charts],
  ['space-time', words.panels.spaceTime],
  ['message', words.panels.message],
  ['events', words.events],
  ['tape', words.panels.tape],
  ['settings', words.panels.settings],
  ['topology', words.panels.topology],
  ['inspector', words.panels.inspector],
];
