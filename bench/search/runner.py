"""One search: a strategy on a problem with a seed, with any number of workers in simulated time."""

import heapq
import math
import random
import time

import peers
from problems import hypervolume


def run(name, problem, seed, trials, workers, program):
    """Regret after each told trial, in the order of tells, and the strategy's CPU seconds a trial.

    With more than one worker each run takes a simulated time drawn from [0.5, 1.5]; a worker that is free asks at once.
    """
    strategy = peers.make(name, problem, seed, trials, program)
    try:
        return search(strategy, name, problem, seed, trials, workers)
    finally:
        strategy.close()


class Judge:
    """The best regret so far. With several objectives it is the part of the greatest hypervolume that is not yet dominated."""

    def __init__(self, problem):
        self.problem, self.best, self.points = problem, math.inf, []

    def add(self, value):
        if self.problem.reference and value is not None:
            self.points.append(value)
            value = max(0.0, 1 - hypervolume(self.points, self.problem.reference) / self.problem.volume)
        if value is not None:
            self.best = min(self.best, value)
        return self.best


def search(strategy, name, problem, seed, trials, workers):
    durations, noise = random.Random("durations %d" % seed), random.Random("noise %d" % seed)
    running, asked, judge, curve, own, now = [], 0, Judge(problem), [], 0.0, 0.0
    while len(curve) < trials:
        while asked < trials and len(running) < workers:
            before = time.process_time()
            given = strategy.ask()
            own += time.process_time() - before
            if given is None:  # nothing is left of a finite space
                asked = trials
                break
            key, config = given
            failed = problem.fails and problem.fails(config)
            value = None if failed else problem.function(config)
            told = value if failed or not problem.noise else value + problem.noise * noise.gauss(0, 1)
            heapq.heappush(running, (now + 0.5 + durations.random(), asked, key, told, value))
            asked += 1
        if not running:
            break
        now, _, key, told, value = heapq.heappop(running)
        before = time.process_time()
        strategy.tell(key, told)
        own += time.process_time() - before
        curve.append(judge.add(value))
    child = strategy.cpu_seconds()
    curve += [judge.best] * (trials - len(curve))
    return {"strategy": name, "problem": problem.name, "seed": seed, "workers": workers, "curve": curve,
            "ms": 1000 * (own if child is None else child) / max(asked, 1)}
