import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

// The wall: the real WebAssembly package, in Node.
export default defineConfig({
  root: resolve(import.meta.dirname, '..'),
  test: { include: ['www/test/wall/**/*.test.ts'], testTimeout: 60_000 },
});
