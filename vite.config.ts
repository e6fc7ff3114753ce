import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const page = (name: string) => resolve(import.meta.dirname, 'www', name);

/** Emits the service worker with the list of all files, so that the page works offline after the first visit. */
function offline(): Plugin {
  return {
    name: 'offline',
    apply: 'build',
    generateBundle(_, bundle) {
      const kept = readdirSync(page('public')).concat(Object.keys(bundle));
      const hash = createHash('sha256').update(kept.join()).digest('hex').slice(0, 12);
      const source = readFileSync(page('src/offline.js'), 'utf8');
      const files = JSON.stringify(['./', ...kept.filter((file) => file !== 'example.html').map((file) => `./${file}`)]);
      this.emitFile({ type: 'asset', fileName: 'offline.js', source: source.replace('VERSION', `'${hash}'`).replace('FILES', files) });
    },
  };
}

// Relative addresses throughout: dist/ works from any static host and path.
export default defineConfig({
  root: 'www',
  base: './',
  plugins: [offline()],
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
