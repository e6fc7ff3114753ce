"""M/M/1 on SimPy as its own examples write it: a process for each customer, who requests a Resource."""

import json
import random
import sys
import time

import simpy

CUSTOMERS = int(sys.argv[1])


class Model:
    def __init__(self, env):
        self.env = env
        self.server = simpy.Resource(env, capacity=1)
        self.stay = 0.0
        self.arrivals = random.Random(1)
        self.services = random.Random(2)

    def arrive(self):
        for _ in range(CUSTOMERS):
            yield self.env.timeout(self.arrivals.expovariate(0.9))
            self.env.process(self.customer())

    def customer(self):
        since = self.env.now
        with self.server.request() as request:
            yield request
            yield self.env.timeout(self.services.expovariate(1.0))
        self.stay += self.env.now - since


start = time.perf_counter()
env = simpy.Environment()
model = Model(env)
env.process(model.arrive())
env.run()
print(json.dumps({"seconds": time.perf_counter() - start, "mean_stay": model.stay / CUSTOMERS}))
