#!/usr/bin/env python3
"""The search benchmark judges by true values: its problems at their known optima, its simulation of workers, its ranks. No peer is needed."""

import math
import os
import pathlib
import random
import struct
import sys
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["TRAWL_BUILD_DIR"])
SOURCE = pathlib.Path(os.environ["TRAWL_SOURCE_DIR"])
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "bench" / "search"))

import peers  # noqa: E402
import problems  # noqa: E402
import runner  # noqa: E402
import tables  # noqa: E402

TRAWL = str(BUILD / "bin" / "trawl")


def listed(values):
    return {"x%02d" % i: value for i, value in enumerate(values)}


def moved(values, count, width, seed):
    return listed(a + b for a, b in zip(values, problems.shifts(count, width, seed)))


HARTMANN6 = (0.20168951, 0.15001069, 0.47687397, 0.27533243, 0.31165162, 0.65730053)
OPTIMA = {  # name: (a configuration, its greatest regret; a function is flat at its optimum, so eight digits of x give fifteen of f)
    "branin": ({"x0": math.pi, "x1": 2.275}, 1e-12),
    "hartmann3": (listed((0.11458889, 0.55564889, 0.85254698)), 1e-12),
    "hartmann6": (listed(HARTMANN6), 1e-12),
    "hartmann6-noise": (listed(HARTMANN6), 1e-12),
    "hartmann6-fails": (listed(HARTMANN6), 1e-12),
    "hartmann6-of-50": (listed(HARTMANN6[(i - 3) // 8] if i % 8 == 3 and i < 48 else 0.9 for i in range(50)), 1e-12),
    "rosenbrock10": (listed([1.0] * 10), 0),
    "ackley20": (listed([0.0] * 20), 1e-12),
    "ackley100": (listed([0.0] * 100), 1e-12),
    "levy8": (moved([1.0] * 8, 8, 3, 1), 1e-12),
    "levy8-noise": (moved([1.0] * 8, 8, 3, 1), 1e-12),
    "griewank6": (moved([0.0] * 6, 6, 20, 2), 1e-12),
    "michalewicz5": (listed((2.20290552, 1.57079633, 1.28499157, 1.92305847, 1.72046977)), 1e-8),
    "styblinski8": (listed([-2.903534028] * 8), 1e-10),
    "rastrigin5": (moved([0.0] * 5, 5, 2, 3), 1e-12),
    "rastrigin5-turned": (moved([0.0] * 5, 5, 2, 10), 1e-12),
    "ellipsoid8": (moved([0.0] * 8, 8, 2, 4), 1e-12),
    "ellipsoid8-turned": (moved([0.0] * 8, 8, 2, 8), 1e-12),
    "ridge6": (moved([0.0] * 6, 6, 2, 5), 1e-12),
    "step7": (moved([0.0] * 7, 7, 2, 6), 1e-12),
    "schwefel4": (listed([420.968746] * 4), 1e-9),
    "mixed8": ({"lr": 10**-0.8, "wd": 10**-4.25, "drop": 0.225, "layers": 7, "width": 128, "batch": "64", "opt": "sgd", "act": "gelu"}, 1e-12),
    "cond": ({"algo": "mlp", "lr": 1e-3, "nlayers": 2, "units0": 128, "units1": 64}, 1e-12),
    "augment": ({"policy": "all", "strength": 0.3, "holes": 3, "lr": 10**-1.84, "warmup": 8, "schedule": "cosine", "cycles": 2}, 1e-12),
    "integers": ({"a": 3, "b": 42, "c": 316, "d": 0.112512806, "e": "r"}, 1e-12),
}


class Echo:
    """Asks for a running number; records the order of asks and tells."""

    def __init__(self):
        self.events, self.count = [], 0

    def ask(self):
        self.count += 1
        self.events.append(("ask", self.count))
        return self.count, {"x": self.count}

    def tell(self, key, value):
        self.events.append(("tell", key, value))

    def cpu_seconds(self):
        return 0.0

    def close(self):
        self.events.append(("close",))


class Problems(unittest.TestCase):
    def test_problem_is_zero_when_at_its_known_optimum(self):
        known = problems.every_problem()
        self.assertEqual(set(OPTIMA), {name for name, p in known.items() if p.group == "function"})
        for name, (config, most) in OPTIMA.items():
            with self.subTest(name):
                self.assertLessEqual(abs(known[name].function(config)), most)

    def test_problem_is_above_its_least_value_when_near_its_optimum(self):
        draw, known = random.Random(1), problems.every_problem()
        for name, (config, most) in OPTIMA.items():
            for scale in (1e-4, 1e-2, 0.3):
                for _ in range(100):
                    near = {k: v if isinstance(v, (str, int)) else v + scale * draw.gauss(0, 1) * (abs(v) if v and name in ("mixed8", "cond", "augment")
                            else 1) for k, v in config.items()}
                    if all(not isinstance(v, float) or v > 0 for k, v in near.items() if k in ("lr", "wd")):
                        self.assertGreaterEqual(known[name].function(near), -most - 1e-12, name)

    def test_problem_has_reference_values_when_away_from_its_optimum(self):
        known = problems.every_problem()
        self.assertAlmostEqual(known["branin"].function({"x0": 0.0, "x1": 0.0}) + 0.39788735772973816, 55.602112642270262, 9)
        self.assertAlmostEqual(known["rosenbrock10"].function(listed([0.0] * 10)), 9.0)
        self.assertAlmostEqual(known["cond"].function({"algo": "svm", "C": 10, "kernel": "lin"}), 0.20)  # .10 + .15, less the least .05
        self.assertAlmostEqual(known["cond"].function({"algo": "rf", "ntrees": 500, "maxfeat": 0.35, "minleaf": 2}), 0.07)

    def test_failing_region_is_about_a_third_when_drawn_at_random(self):
        problem, draw = problems.every_problem()["hartmann6-fails"], random.Random(2)
        share = sum(problem.fails({"x00": draw.random(), "x04": draw.random()}) for _ in range(4000)) / 4000
        self.assertTrue(0.28 < share < 0.36, share)
        self.assertFalse(problem.fails(OPTIMA["hartmann6-fails"][0]))

    def test_hypervolume_is_the_volume_of_the_front_when_given_the_front(self):
        self.assertEqual(problems.hypervolume([(1, 2), (2, 1), (2, 2), (5, 0)], (3, 3)), 3)
        known = problems.every_problem()
        for name in ("zdt1", "zdt2"):
            problem = known[name]
            front = [problem.function(listed([i / 2000] + [0.0] * 7)) for i in range(2001)]
            self.assertAlmostEqual(problems.hypervolume(front, problem.reference), problem.volume, 2)
            self.assertLess(problems.hypervolume(front, problem.reference), problem.volume)

    def test_table_is_read_last_parameter_fastest_when_there(self):
        with tempfile.TemporaryDirectory() as folder:
            values = [float(i) for i in range(5**6)]
            (pathlib.Path(folder) / "nasbench201_imagenet.f32").write_bytes(struct.pack("<%df" % len(values), *values))
            problem = problems.every_problem(folder)["imagenet"]
            self.assertEqual(problem.function(listed(["c0"] * 6)), 0)
            self.assertAlmostEqual(problem.function(listed(["c0"] * 4 + ["c1", "c2"])), 7 / 7812)


class Runs(unittest.TestCase):
    def play(self, workers, trials=40, problem=None):
        echo, make = Echo(), peers.make
        peers.make = lambda *_: echo
        try:
            function = lambda config: 100.0 - config["x"]
            return echo, runner.run("echo", problem or problems.Problem("p", {}, function), 1, trials, workers, None)
        finally:
            peers.make = make

    def test_run_tells_each_before_the_next_when_one_worker(self):
        echo, result = self.play(1)
        self.assertEqual([e[0] for e in echo.events], ["ask", "tell"] * 40 + ["close"])
        self.assertEqual(result["curve"], [99.0 - i for i in range(40)])

    def test_run_keeps_all_workers_busy_when_ten(self):
        echo, result = self.play(10)
        pending, most = 0, []
        for event in echo.events[:-1]:
            pending += 1 if event[0] == "ask" else -1
            most.append(pending)
        self.assertEqual(most[9], 10)
        self.assertEqual(max(most), 10)
        self.assertEqual(most[9:60:2], [10] * 26)  # one is asked for as soon as one is told
        self.assertNotEqual([e[1] for e in echo.events if e[0] == "tell"], list(range(1, 41)))
        self.assertEqual(len(result["curve"]), 40)

    def test_run_judges_true_values_when_told_noisy_ones(self):
        noisy = problems.Problem("p", {}, lambda config: 100.0 - config["x"], noise=5.0)
        echo, result = self.play(1, 20, noisy)
        self.assertEqual(result["curve"], [99.0 - i for i in range(20)])
        self.assertTrue(all(e[2] != 100.0 - e[1] for e in echo.events if e[0] == "tell"))

    def test_run_has_no_regret_when_all_failed(self):
        echo, result = self.play(1, 5, problems.Problem("p", {}, lambda config: 1.0, fails=lambda config: True))
        self.assertEqual(result["curve"], [math.inf] * 5)
        self.assertEqual([e[2] for e in echo.events if e[0] == "tell"], [None] * 5)

    def test_ranks_are_shared_when_equal(self):
        self.assertEqual(tables.ranks({"a": 1.0, "b": 0.0, "c": 1.0, "d": 2.0}), {"b": 1, "a": 2.5, "c": 2.5, "d": 4})

    def test_spec_gives_configurations_of_the_space_when_suggested(self):
        for name, problem in problems.every_problem().items():
            with self.subTest(name):
                strategy = peers.make("random", problem, 1, 20, TRAWL)
                try:
                    for _, config in strategy.ask_many(20):
                        for key, parameter in problem.space.items():
                            conditions = parameter.conditions if isinstance(parameter, problems.When) else {}
                            self.assertEqual(key in config, all(config.get(o) in v for o, v in conditions.items()), (name, key, config))
                        for key, value in config.items():
                            plain = getattr(problem.space[key], "parameter", problem.space[key])
                            if isinstance(plain, problems.Choice):
                                self.assertIn(value, plain.values)
                            else:
                                self.assertEqual(isinstance(value, int), isinstance(plain, problems.Int), (name, key, value))
                                self.assertTrue(plain.low <= value <= plain.high, (name, key, value))
                        value = problem.function(config)
                        self.assertTrue(all(math.isfinite(v) for v in (value if isinstance(value, tuple) else (value,))))
                finally:
                    strategy.close()


if __name__ == "__main__":
    unittest.main()
