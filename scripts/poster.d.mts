/** The pictures by their names in the page, what each says over its stage in each language, and their size in pixels. */
export function posters(): Promise<{
  pictures: Record<string, string>;
  captions: Record<'en' | 'de', Record<'log' | 'queue', string>>;
  size: [number, number];
}>;
