import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

const page = (name: string) => resolve(import.meta.dirname, 'www', name);

// Relative addresses throughout: dist/ works from any static host and path.
export default defineConfig({
  root: 'www',
  base: './',
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
