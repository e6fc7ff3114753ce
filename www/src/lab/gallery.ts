// The scenarios that come with the page. Their titles and the first one's text are in it; other texts come when asked for.
import first from '../../../scenarios/one-node-lost.json?raw';

const folder = '../../../scenarios/';
const titles = import.meta.glob(['../../../scenarios/*.json', '!../../../scenarios/digests.json'], {
  import: 'title',
  eager: true,
}) as Record<string, string>;
const texts = import.meta.glob(
  ['../../../scenarios/*.json', '!../../../scenarios/digests.json', '!../../../scenarios/one-node-lost.json'],
  { query: '?raw', import: 'default' },
) as Record<string, () => Promise<string>>;

export interface Example {
  /** The file's name without its ending. */
  name: string;
  title: string;
  text: () => Promise<string>;
}

/** The one to open with. */
export const opening: string = first;

/** All of them, the one to open with first. */
export const gallery: readonly Example[] = Object.entries(titles)
  .map(([path, title]) => ({
    name: path.slice(folder.length, -'.json'.length),
    title,
    text: texts[path] ?? (() => Promise.resolve(first)),
  }))
  .sort(
    (a, b) => Number(b.name === 'one-node-lost') - Number(a.name === 'one-node-lost') || a.title.localeCompare(b.title),
  );
