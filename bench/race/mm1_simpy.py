"""M/M/1 on SimPy: a process for the arrivals and one for the server, with a plain line between them.

SimPy's own Store would cost two more events a customer; the leaner form is raced, in SimPy's favour.
"""

import json
import random
import sys
import time
from collections import deque

import simpy

CUSTOMERS = int(sys.argv[1])


class Model:
    def __init__(self, env):
        self.env = env
        self.line = deque()
        self.idle = None
        self.stay = 0.0
        self.arrivals = random.Random(1)
        self.services = random.Random(2)

    def arrive(self):
        for _ in range(CUSTOMERS):
            yield self.env.timeout(self.arrivals.expovariate(0.9))
            self.line.append(self.env.now)
            if self.idle is not None:
                self.idle.succeed()
                self.idle = None

    def serve(self):
        for _ in range(CUSTOMERS):
            if not self.line:
                self.idle = self.env.event()
                yield self.idle
            since = self.line.popleft()
            yield self.env.timeout(self.services.expovariate(1.0))
            self.stay += self.env.now - since


start = time.perf_counter()
env = simpy.Environment()
model = Model(env)
env.process(model.arrive())
env.process(model.serve())
env.run()
print(json.dumps({"seconds": time.perf_counter() - start, "mean_stay": model.stay / CUSTOMERS}))
