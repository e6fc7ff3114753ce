// What the command palette offers, made anew from the run as it stands.
import type { Side } from '../engine/engine';
import { linkOrders } from '../panels/applies';
import type { Session } from '../session';
import { BlStage } from '../stage/stage';
import { deeds, words } from '../words';
import { titleOf } from './about';
import { handCommands } from './by-hand';
import { gallery } from './gallery';
import { joinCommands } from './joins';
import type { Command } from './palette';
import { presets } from './presets';

/** What the page does for commands beside what the session can. */
export interface Deeds {
  open(text: string): void;
  tab(
    name: 'verdict' | 'charts' | 'space-time' | 'message' | 'events' | 'tape' | 'settings' | 'topology' | 'inspector',
  ): void;
  share(): void;
  theme(): void;
  language(): void;
  shortcuts(): void;
  breakIt(): void;
  waits(): void;
  figure(): void;
  /** Says something to the reader for a while. */
  say(text: string): void;
}

const NODE_DEEDS = [
  'kill',
  'power-off',
  'pause',
  'resume',
  'stop',
  'start',
  'cut',
  'heal',
  'slow-disk',
  'slow-network',
];

function nodeCommands(session: Session, say: (text: string) => void): Command[] {
  return ([0, 1] as const).flatMap((side: Side) =>
    (session.run.picture(side)?.cards ?? []).flatMap((card) =>
      deeds
        .filter((deed) => NODE_DEEDS.includes(deed.order))
        .map((deed) => ({
          name: `${deed.label} ${card.name}, ${side === 0 ? words.log : words.queue}`,
          run: () => {
            const links = deed.order === 'cut' || deed.order === 'heal';
            const refused = session.order({
              order: deed.order,
              cluster: side === 0 ? 'log' : 'queue',
              ...(links ? { from: [card.name] } : { node: card.name }),
              ...(deed.order.startsWith('slow') ? { percent: 1000 } : {}),
            });
            if (refused) say(refused);
          },
        })),
    ),
  );
}

function linkCommands(session: Session, say: (text: string) => void): Command[] {
  return ([0, 1] as const).flatMap((side: Side) => {
    const cluster = side === 0 ? words.log : words.queue;
    return (session.run.picture(side)?.links ?? []).flatMap(({ from, to }) =>
      linkOrders(side, from, to).map(({ name, order }) => ({
        name: `${name}${order.one_way ? '' : `: ${from} – ${to}`}, ${cluster}`,
        run: () => {
          const refused = session.order(order);
          if (refused) say(refused);
        },
      })),
    );
  });
}

function focusCommands(session: Session): Command[] {
  return ([0, 1] as const).flatMap((side: Side) => {
    const focuses = session.run.focuses(side);
    const cluster = side === 0 ? words.log : words.queue;
    const bring = (focus: (typeof focuses)[number] | undefined) => {
      const stage = document.querySelectorAll('bl-stage');
      for (const one of stage) if (one instanceof BlStage && one.side === side) one.bring(focus);
    };
    if (focuses.length < 2) return [];
    return [
      ...focuses.map((focus) => ({
        name: `${words.zoom.focus}: ${focus.kind} ${focus.name}, ${cluster}`,
        run: () => bring(focus),
      })),
      { name: `${words.zoom.focus}: ${words.zoom.all}, ${cluster}`, run: () => bring(undefined) },
    ];
  });
}

/** All commands. */
export function commandsOf(session: Session, page: Deeds): Command[] {
  const { at } = session.transport;
  const tabs = [
    ['verdict', words.verdict, '1'],
    ['charts', words.panels.charts, '2'],
    ['space-time', words.panels.spaceTime, '3'],
    ['message', words.panels.message, '4'],
    ['events', words.events, '5'],
    ['tape', words.panels.tape, '6'],
    ['settings', words.panels.settings, '7'],
    ['topology', words.panels.topology, '8'],
    ['inspector', words.panels.inspector, '9'],
  ] as const;
  return [
    { name: `${words.play} / ${words.pause}`, key: 'Space', run: () => session.act({ do: 'toggle' }) },
    { name: words.step, key: '→', run: () => session.step() },
    { name: words.stepBack, key: '←', run: () => session.act({ do: 'seek', to: at - 0.25e9 }) },
    { name: words.next, key: 'N', run: () => void session.jump(1, 'all') },
    { name: words.previous, key: 'P', run: () => void session.jump(-1, 'all') },
    { name: words.loop, key: 'L', run: () => session.toggleLoop() },
    { name: words.breakIt, key: 'B', run: page.breakIt },
    { name: words.waits.title, key: 'W', run: page.waits },
    { name: words.undo, key: 'Z', run: () => void session.undo() },
    { name: words.redo, key: 'Y', run: () => void session.redo() },
    ...presets.map((preset) => ({
      name: `${words.presets.title}: ${preset.name()}`,
      run: () => {
        const refused = session.add(preset.orders(session));
        if (refused) page.say(refused);
        else session.act({ do: 'play' });
      },
    })),
    ...tabs.map(([tab, name, key]) => ({ name, key, run: () => page.tab(tab) })),
    { name: words.share, run: page.share },
    { name: words.figure, run: page.figure },
    { name: words.theme, run: page.theme },
    { name: `${words.language.title}: ${words.language.otherName}`, run: page.language },
    { name: words.shortcuts, key: '?', run: page.shortcuts },
    ...focusCommands(session),
    ...handCommands(session, page.say),
    ...joinCommands(session, page.say),
    ...nodeCommands(session, page.say),
    ...linkCommands(session, page.say),
    { name: words.links.heal, run: () => void session.order({ order: 'heal-all' }) },
    ...gallery.map((example) => ({
      name: `${words.presets.open}: ${titleOf(example)}`,
      run: () => void example.text().then(page.open),
    })),
  ];
}
