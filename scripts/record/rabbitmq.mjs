// npm run record:rabbitmq [-- NAME…]: records transcripts of a real RabbitMQ, or only those of these names. A name is
// a recording's or a whole file's.
import { ensurePackages } from '../tools.mjs';

// What follows needs the npm packages as it is loaded.
ensurePackages();
await import('./record.mjs');
