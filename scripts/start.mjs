// npm start: installs what is missing, builds in release, serves, opens the browser.
import { buildPage, buildWasm, ensureTools, root } from './tools.mjs';

ensureTools();
await buildWasm();
buildPage();
const { preview } = await import('vite');
const open = !process.env.CI && !process.argv.includes('--no-open');
const server = await preview({ configFile: `${root}/vite.config.ts`, preview: { open, port: 4173 } });
console.log(`Brokerlab is at ${server.resolvedUrls.local[0]}`);
console.log('Ctrl-C ends it.');
