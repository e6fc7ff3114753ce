/** The pictures by their names in the page, what each says over its stage, and their size in pixels. */
export function posters(): Promise<{
  pictures: Record<string, string>;
  captions: Record<'log' | 'queue', string>;
  title: string;
  size: [number, number];
}>;
