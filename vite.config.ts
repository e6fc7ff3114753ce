import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { posters } from './scripts/poster.mjs';
import { NO_PHONE, PHONE } from './www/src/phone.ts';

const page = (name: string) => resolve(import.meta.dirname, 'www', name);

/** Emits the service worker with the list of all files, so that the page works offline after the first visit. */
function offline(): Plugin {
  return {
    name: 'offline',
    apply: 'build',
    // After everything is written: what the bundler takes back at the end must not be on the list.
    writeBundle({ dir = '' }) {
      const all = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      const names = all.map((entry) => relative(dir, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
      const kept = names.filter((name) => name !== 'example.html' && name !== 'offline.js').sort();
      const hash = createHash('sha256');
      for (const name of kept) hash.update(name).update(readFileSync(join(dir, name)));
      const source = readFileSync(page('src/offline.js'), 'utf8')
        .replace('VERSION', `'${hash.digest('hex').slice(0, 12)}'`)
        .replace('FILES', JSON.stringify(['./', ...kept.map((name) => `./${name}`)]));
      writeFileSync(join(dir, 'offline.js'), source);
    },
  };
}

/** Names the engines' first part and the lab's scripts in the pages, so that all are fetched at once. */
function preload(): Plugin {
  return {
    name: 'preload',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle = {}, path }) {
        const engines = Object.keys(bundle).find((name) => /first-[^/]*\.wasm$/.test(name));
        if (engines === undefined || path.includes('example')) return html;
        const all = Object.values(bundle).filter((part) => part.type === 'chunk');
        const lab = all.find((chunk) => chunk.facadeModuleId?.endsWith('/lab/lab.ts'));
        const scripts = new Set(path.includes('embed') || !lab ? [] : [lab]);
        const styles = new Set<string>();
        // A set is gone through as it grows.
        for (const chunk of scripts) {
          for (const name of chunk.imports) for (const one of all) if (one.fileName === name) scripts.add(one);
          for (const style of chunk.viteMetadata?.importedCss ?? []) styles.add(style);
        }
        const isNew = (name: string) => !html.includes(name);
        const link = (attrs: Record<string, string>) => ({ tag: 'link', attrs, injectTo: 'head' as const });
        // A phone fetches them when its picture stands: see boot.ts.
        const media: Record<string, string> = path.includes('embed') ? {} : { media: NO_PHONE };
        return [
          ...[...scripts]
            .map(({ fileName }) => fileName)
            .filter(isNew)
            .map((name) => link({ rel: 'modulepreload', crossorigin: '', href: `./${name}`, ...media })),
          ...[...styles].filter(isNew).map((name) => link({ rel: 'stylesheet', crossorigin: '', href: `./${name}` })),
          link({
            rel: 'preload',
            as: 'fetch',
            crossorigin: '',
            type: 'application/wasm',
            href: `./${engines}`,
            ...media,
          }),
        ];
      },
    },
  };
}

/** The keys of shell.json. */
type Text = 'name' | 'title' | 'what' | 'log' | 'queue' | 'play' | 'loading';

/** Puts into the page what stands before the lab does: its name, and for phones the pictures of scripts/poster.mjs. */
function shell(): Plugin {
  let shown: Awaited<ReturnType<typeof posters>>;
  return {
    name: 'shell',
    apply: 'build',
    async buildStart() {
      shown = await posters();
    },
    transformIndexHtml: {
      order: 'pre',
      handler(html) {
        const { captions, size } = shown;
        const texts = JSON.parse(readFileSync(page('src/shell.json'), 'utf8')) as Record<
          'en' | 'de',
          Record<Text, string>
        >;
        const both = (en: string, de: string) => `data-en="${en}" data-de="${de}"`;
        const text = (tag: string, key: Text, more = '') =>
          `<${tag} ${both(texts.en[key], texts.de[key])}${more}>${texts.en[key]}</${tag}>`;
        const poster = (
          key: 'log' | 'queue',
        ) => `<figure class="${key}-side"><figcaption>${text('strong', key)}<span ${both(captions.en[key], captions.de[key])}>${captions.en[key]}</span></figcaption>
          <picture><source media="(prefers-color-scheme: light)" srcset="./poster/${key}-light.svg" /><img loading="lazy" width="${size[0]}" height="${size[1]}" alt="${captions.en[key]}" src="./poster/${key}-dark.svg" /></picture></figure>`;
        const stands = `<div class="shell"><header class="top"><h1>${texts.en.name}</h1>${text('span', 'what', ' class="what"')}</header>
      <main class="posters">${text('h2', 'title', ' class="scenario"')}${poster('log')}${poster('queue')}
        <button class="start filled">▶ ${text('span', 'play', ' class="play"')}${text('span', 'loading', ' class="loading"')}</button></main></div>`;
        return {
          html: html.replace('<!-- shell -->', stands),
          tags: ['dark', 'light'].map((theme) => ({
            tag: 'link',
            attrs: {
              rel: 'preload',
              as: 'image',
              fetchpriority: 'high',
              media: `${PHONE} and (prefers-color-scheme: ${theme})`,
              href: `./poster/log-${theme}.svg`,
            },
            injectTo: 'head' as const,
          })),
        };
      },
    },
    writeBundle({ dir = '' }) {
      mkdirSync(join(dir, 'poster'), { recursive: true });
      for (const [name, picture] of Object.entries(shown.pictures)) writeFileSync(join(dir, 'poster', name), picture);
    },
  };
}

// Relative addresses throughout: dist/ works from any static host and path.
export default defineConfig({
  root: 'www',
  base: './',
  cacheDir: '../node_modules/.vite',
  plugins: [shell(), preload(), offline()],
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: { input: { index: page('index.html'), embed: page('embed.html'), example: page('example.html') } },
  },
  test: { include: ['test/**/*.test.ts'], exclude: ['test/wall/**'] },
});
