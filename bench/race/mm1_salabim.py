"""M/M/1 on salabim: a component for the arrivals and one for the server, with a plain line between them."""

import json
import random
import sys
import time
from collections import deque

import salabim as sim

CUSTOMERS = int(sys.argv[1])


class Arrivals(sim.Component):
    def process(self):
        dice = random.Random(1)
        for _ in range(CUSTOMERS):
            yield self.hold(dice.expovariate(0.9))
            line.append(env.now())
            if server.ispassive():
                server.activate()


class Server(sim.Component):
    def process(self):
        dice = random.Random(2)
        self.stay = 0.0
        served = 0
        while served < CUSTOMERS:
            while not line:
                yield self.passivate()
            since = line.popleft()
            yield self.hold(dice.expovariate(1.0))
            self.stay += env.now() - since
            served += 1


start = time.perf_counter()
# Processes that yield are its faster mode; the other one needs greenlets.
env = sim.Environment(trace=False, yieldless=False)
line = deque()
server = Server()
Arrivals()
env.run()
print(json.dumps({"seconds": time.perf_counter() - start, "mean_stay": server.stay / CUSTOMERS}))
