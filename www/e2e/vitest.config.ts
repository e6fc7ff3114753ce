import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

// The built page in a real Chromium.
export default defineConfig({
  root: resolve(import.meta.dirname, '../..'),
  test: { include: ['www/e2e/**/*.test.ts'], testTimeout: 90_000, hookTimeout: 60_000, fileParallelism: false },
});
