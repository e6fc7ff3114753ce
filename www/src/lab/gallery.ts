// The scenarios that come with the page, as text.
const files = import.meta.glob(['../../../scenarios/*.json', '!../../../scenarios/digests.json'], {
  query: '?raw',
  import: 'default',
  eager: true,
}) as Record<string, string>;

export interface Example {
  /** The file's name without its ending. */
  name: string;
  title: string;
  text: string;
}

/** All of them, the one to open with first. */
export const gallery: readonly Example[] = Object.entries(files)
  .map(([path, text]) => {
    const name = path.replace(/^.*\/|\.json$/g, '');
    const title = (JSON.parse(text) as { title?: string }).title ?? name;
    return { name, title, text };
  })
  .sort(
    (a, b) => Number(b.name === 'one-node-lost') - Number(a.name === 'one-node-lost') || a.title.localeCompare(b.title),
  );

export function opening(): Example {
  const [first] = gallery;
  if (!first) throw new Error('The gallery is empty.');
  return first;
}
