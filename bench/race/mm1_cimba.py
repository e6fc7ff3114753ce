"""M/M/1 on Cimba (its Python package): two compiled processes, a store of arrival times between them."""

import json
import sys
import time

import cimba as cb
from cimba import inputs

CUSTOMERS = int(sys.argv[1])


class MM1(cb.Model):
    customers: cb.Param[int] = CUSTOMERS
    gap: cb.Input[float] = inputs.dist.exponential(mean=1 / 0.9)
    service: cb.Input[float] = inputs.dist.exponential(mean=1)
    line: cb.Store[float]
    mean_stay: cb.Output[float]

    @cb.process
    def arrive(self):
        for _ in range(self.customers):
            cb.hold(self.gap.next())
            self.line.put(cb.now())

    @cb.process
    def serve(self):
        stay = 0.0
        for _ in range(self.customers):
            since = self.line.get()
            cb.hold(self.service.next())
            stay += cb.now() - since
        self.mean_stay = stay / self.customers


def play(customers):
    model = MM1()
    model.customers = customers
    experiment = cb.Experiment(model, replications=1, window=cb.Window.until_idle(), seed=1)
    start = time.perf_counter()
    results = experiment.run(workers=1)
    return time.perf_counter() - start, float(results[model].mean_stay.values.item())


# The first run compiles; what is measured is the second.
play(100)
seconds, mean_stay = play(CUSTOMERS)
print(json.dumps({"seconds": seconds, "mean_stay": mean_stay}))
