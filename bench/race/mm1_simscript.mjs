// M/M/1 on SimScript: an entity per customer, one queue for the line and one of capacity 1 for the server.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [customers, folder] = [Number(process.argv[2]), process.argv[3]];
const { Simulation, Entity, Queue, Exponential } = createRequire(join(folder, 'package.json'))('simscript');
// It gives the browser a frame now and then; outside of one there is nobody to give it to.
globalThis.requestAnimationFrame = (then) => setImmediate(then);

let stay = 0;

class Customer extends Entity {
  async script() {
    const { line, server, service } = this.simulation;
    const since = this.simulation.timeNow;
    await this.enterQueue(line);
    await this.enterQueue(server);
    this.leaveQueue(line);
    await this.delay(service.sample());
    this.leaveQueue(server);
    stay += this.simulation.timeNow - since;
  }
}

class Model extends Simulation {
  line = new Queue('line');
  server = new Queue('server', 1);
  service = new Exponential(1, 2);

  onStarting() {
    super.onStarting();
    this.generateEntities(Customer, new Exponential(1 / 0.9, 1), customers);
  }
}

const from = performance.now();
const model = new Model();
model.finished.addEventListener(() => {
  const seconds = (performance.now() - from) / 1000;
  console.log(JSON.stringify({ seconds, mean_stay: stay / customers }));
});
model.start();
