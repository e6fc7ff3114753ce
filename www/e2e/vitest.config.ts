import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { Told } from './report.ts';

// The built page in a real Chromium.
export default defineConfig({
  root: resolve(import.meta.dirname, '../..'),
  // A browser on a busy machine may come late once: the second attempt is told, so that it is looked into.
  test: {
    retry: 1,
    reporters: ['default', new Told()],
    include: ['www/e2e/**/*.test.ts'],
    testTimeout: 90_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
});
