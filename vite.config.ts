import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

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

/** Names the engines' first part in the pages, so that it is fetched beside the scripts and not after them. */
function preload(): Plugin {
  return {
    name: 'preload',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle = {}, path }) {
        const engines = Object.keys(bundle).find((name) => /first-[^/]*\.wasm$/.test(name));
        if (engines === undefined || path.includes('example')) return html;
        return [
          {
            tag: 'link',
            attrs: { rel: 'preload', as: 'fetch', crossorigin: '', type: 'application/wasm', href: `./${engines}` },
            injectTo: 'head',
          },
        ];
      },
    },
  };
}

// Relative addresses throughout: dist/ works from any static host and path.
export default defineConfig({
  root: 'www',
  base: './',
  cacheDir: '../node_modules/.vite',
  plugins: [preload(), offline()],
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
