// npm run build: makes dist/, which any static host serves from any path.
import { buildPage, buildWasm, ensureTools } from './tools.mjs';

ensureTools();
await buildWasm();
buildPage();
console.log('dist/ is ready: copy it to any static host.');
