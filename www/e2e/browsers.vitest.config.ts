import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { Told } from './report.ts';

// The built page in the browsers that are not Chromium.
export default defineConfig({
  root: resolve(import.meta.dirname, '../..'),
  // As in Chromium: a second attempt is told, so that it is looked into.
  test: {
    retry: 1,
    reporters: ['default', new Told()],
    include: ['www/e2e/*.browsers.ts'],
    testTimeout: 120_000,
    hookTimeout: 90_000,
  },
});
