"""One search: a strategy on a problem with a seed, with any number of workers in simulated time."""

import heapq
import math
import random
import time

import peers


def run(name, problem, seed, trials, workers, program):
    """Regret after each told trial, in the order of tells, and the strategy's CPU seconds a trial.

    With more than one worker each run takes a simulated time drawn from [0.5, 1.5]; a worker that is free asks at once.
    """
    strategy = peers.make(name, problem, seed, trials, program)
    durations, noise = random.Random("durations %d" % seed), random.Random("noise %d" % seed)
    running, asked, best, curve, own, now = [], 0, math.inf, [], 0.0, 0.0
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
            regret = math.inf if failed else problem.function(config)
            told = None if failed else regret + problem.noise * noise.gauss(0, 1)
            heapq.heappush(running, (now + 0.5 + durations.random(), asked, key, told, regret))
            asked += 1
        if not running:
            break
        now, _, key, told, regret = heapq.heappop(running)
        before = time.process_time()
        strategy.tell(key, told)
        own += time.process_time() - before
        best = min(best, regret)
        curve.append(best)
    child = strategy.cpu_seconds()
    strategy.close()
    curve += [best] * (trials - len(curve))
    return {"strategy": name, "problem": problem.name, "seed": seed, "workers": workers, "curve": curve,
            "ms": 1000 * (own if child is None else child) / max(asked, 1)}
