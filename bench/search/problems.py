"""The problems that the search benchmark judges by: parameters, function, least value.

A problem's parameters are tables of plain numbers, from which each strategy's own description of the space is made. Values of functions are simple
regrets: 0 at the optimum. `fails(x)` says where a run would fail; `noise` is the standard deviation of what is told, never of what is judged.

Definitions: L. C. W. Dixon and G. P. Szego (1978) for Branin and Hartmann; D. H. Ackley (1987); H. H. Rosenbrock (1960); the collection of S. Surjanovic
and D. Bingham for the rest; `mixed8` and `cond` are searches for settings of a training as people run them.
"""

import functools
import math
import random
import struct
from pathlib import Path


class Float:
    def __init__(self, low, high, log=False):
        self.low, self.high, self.log = float(low), float(high), log


class Int:
    def __init__(self, low, high, log=False):
        self.low, self.high, self.log = int(low), int(high), log


class Choice:
    def __init__(self, values):
        self.values = list(values)


class When:
    """A parameter that exists only where others have one of some values: {name: [values]}."""

    def __init__(self, parameter, **conditions):
        self.parameter, self.conditions = parameter, conditions


class Problem:
    def __init__(self, name, space, function, trials=100, noise=0.0, fails=None, group="function"):
        self.name, self.space, self.function = name, space, function
        self.trials, self.noise, self.fails, self.group = trials, noise, fails, group
        self.reference, self.volume = None, None  # of several objectives: the reference point and the greatest hypervolume


def box(count, low, high):
    return {"x%02d" % i: Float(low, high) for i in range(count)}


def over(function, shift=None):
    """A function of a list, of the parameters in order; moved by `shift`, where there is one."""

    def call(config):
        x = [config[name] for name in sorted(config)]
        if shift:
            x = [a - b for a, b in zip(x, shift)]
        return function(x)

    return call


def shifts(count, width, seed):
    draw = random.Random(seed)
    return [draw.uniform(-width, width) for _ in range(count)]


def branin(x):
    a, b = x
    value = (b - 5.1 / (4 * math.pi**2) * a * a + 5 / math.pi * a - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10
    return value - 0.39788735772973816


HARTMANN_C = (1, 1.2, 3, 3.2)
HARTMANN6_A = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14))
HARTMANN6_P = ((1312, 1696, 5569, 124, 8283, 5886), (2329, 4135, 8307, 3736, 1004, 9991), (2348, 1451, 3522, 2883, 3047, 6650),
               (4047, 8828, 8732, 5743, 1091, 381))
HARTMANN3_A = ((3, 10, 30), (0.1, 10, 35), (3, 10, 30), (0.1, 10, 35))
HARTMANN3_P = ((3689, 1170, 2673), (4699, 4387, 7470), (1091, 8732, 5547), (381, 5743, 8828))


def hartmann(x, a, p, least):
    total = 0.0
    for weight, slopes, centres in zip(HARTMANN_C, a, p):
        total += weight * math.exp(-sum(s * (v - c * 1e-4) ** 2 for s, v, c in zip(slopes, x, centres)))
    return -total - least


def hartmann3(x):
    # The often printed -3.86278214782076 belongs to another matrix of centres (0.03815 in place of 0.0381).
    return hartmann(x, HARTMANN3_A, HARTMANN3_P, -3.862779787332663)


def hartmann6(x):
    return hartmann(x, HARTMANN6_A, HARTMANN6_P, -3.322368011415512)


def rosenbrock(x):
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in zip(x, x[1:]))


def ackley(x):
    n = len(x)
    return -20 * math.exp(-0.2 * math.sqrt(sum(v * v for v in x) / n)) - math.exp(sum(math.cos(2 * math.pi * v) for v in x) / n) + 20 + math.e


def levy(x):
    w = [1 + (v - 1) / 4 for v in x]
    middle = sum((v - 1) ** 2 * (1 + 10 * math.sin(math.pi * v + 1) ** 2) for v in w[:-1])
    return math.sin(math.pi * w[0]) ** 2 + middle + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)


def griewank(x):
    product = math.prod(math.cos(v / math.sqrt(i + 1)) for i, v in enumerate(x))
    return sum(v * v for v in x) / 4000 - product + 1


def michalewicz5(x):
    return 4.687658179 - sum(math.sin(v) * math.sin((i + 1) * v * v / math.pi) ** 20 for i, v in enumerate(x))


def styblinski_tang(x):
    return sum(v**4 - 16 * v * v + 5 * v for v in x) / 2 + 39.16616570377142 * len(x)


def rastrigin(x):
    return 10 * len(x) + sum(v * v - 10 * math.cos(2 * math.pi * v) for v in x)


def ellipsoid(x):
    n = len(x)
    return sum(10 ** (4 * i / (n - 1)) * v * v for i, v in enumerate(x))


def rotated(function, count, seed):
    """The function in coordinates turned by a random rotation (Gram-Schmidt on Gaussian vectors), so that no parameter acts alone."""
    draw, basis = random.Random(seed), []
    while len(basis) < count:
        row = [draw.gauss(0, 1) for _ in range(count)]
        for other in basis:
            along = sum(a * b for a, b in zip(row, other))
            row = [a - along * b for a, b in zip(row, other)]
        length = math.sqrt(sum(v * v for v in row))
        basis.append([v / length for v in row])
    return lambda x: function([sum(a * b for a, b in zip(row, x)) for row in basis])


def sharp_ridge(x):
    return abs(x[0]) + 10 * math.sqrt(sum(v * v for v in x[1:]))


def schwefel(x):
    return 418.98288727243369 * len(x) - sum(v * math.sin(math.sqrt(abs(v))) for v in x)


def step_ellipsoid(x):
    return sum(2**i * math.floor(abs(v) + 0.5) ** 2 for i, v in enumerate(x)) + 1e-3 * sum(v * v for v in x)


def clip(x, low, high):
    return min(max(x, low), high)


MIXED8 = {"lr": Float(1e-5, 1, log=True), "wd": Float(1e-7, 0.1, log=True), "drop": Float(0, 0.8), "layers": Int(1, 8),
          "width": Int(16, 1024, log=True), "batch": Choice(["32", "64", "128", "256"]),
          "opt": Choice(["sgd", "adam", "rmsprop", "adagrad"]), "act": Choice(["relu", "gelu", "tanh"])}


def mixed8(c):
    width, batch = math.log2(c["width"]), math.log2(float(c["batch"]))
    best = {"sgd": -0.8, "adam": -2.6, "rmsprop": -2.9, "adagrad": -1.6}[c["opt"]] + 0.15 * (batch - 6) - 0.2 * (width - 7)
    capacity = width + 0.5 * c["layers"]
    value = 1 - math.exp(-0.5 * ((math.log10(c["lr"]) - best) / 0.6) ** 2)
    value += 0.03 * (math.log10(c["wd"]) + 3.5 + 0.25 * (c["layers"] - 4)) ** 2 + 0.02 * (capacity - 10.5) ** 2
    value += 0.8 * (c["drop"] - clip(0.1 + 0.05 * (capacity - 8), 0, 0.8)) ** 2
    value += {"sgd": 0, "adam": 0.01, "rmsprop": 0.03, "adagrad": 0.06}[c["opt"]] + {"relu": 0.03, "gelu": 0, "tanh": 0.08}[c["act"]]
    return value + (0.01, 0, 0.01, 0.03)[round(batch) - 5]


COND = {
    "algo": Choice(["svm", "rf", "mlp"]),
    "C": When(Float(1e-3, 1e3, log=True), algo=["svm"]),
    "kernel": When(Choice(["rbf", "poly", "lin"]), algo=["svm"]),
    "gamma": When(Float(1e-4, 10, log=True), algo=["svm"], kernel=["rbf"]),
    "deg": When(Int(2, 5), algo=["svm"], kernel=["poly"]),
    "ntrees": When(Int(10, 500, log=True), algo=["rf"]),
    "maxfeat": When(Float(0.05, 1), algo=["rf"]),
    "minleaf": When(Int(1, 20), algo=["rf"]),
    "lr": When(Float(1e-5, 0.1, log=True), algo=["mlp"]),
    "nlayers": When(Int(1, 3), algo=["mlp"]),
    "units0": When(Int(8, 512, log=True), algo=["mlp"]),
    "units1": When(Int(8, 512, log=True), algo=["mlp"], nlayers=[2, 3]),
    "units2": When(Int(8, 512, log=True), algo=["mlp"], nlayers=[3]),
}


def cond(c):
    if c["algo"] == "svm":
        strength = math.log10(c["C"]) - 1
        value = 0.10 + 0.03 * strength**2
        if c["kernel"] == "rbf":
            return value + 0.04 * (math.log10(c["gamma"]) + 1.5 + 0.3 * strength) ** 2 - 0.05
        return value + (0.05 + 0.02 * (c["deg"] - 3) ** 2 if c["kernel"] == "poly" else 0.15) - 0.05
    if c["algo"] == "rf":
        return 0.12 + 0.02 * math.log2(500 / c["ntrees"]) + 0.3 * (c["maxfeat"] - 0.35) ** 2 + 0.0005 * (c["minleaf"] - 2) ** 2 - 0.05
    value = 0.08 * (math.log10(c["lr"]) + 3) ** 2 + 0.02 * (c["nlayers"] - 2) ** 2
    return value + sum(0.01 * (math.log2(c["units%d" % i]) - (7, 6, 5)[i]) ** 2 for i in range(c["nlayers"]))


AUGMENT = {
    "policy": Choice(["none", "flip", "mix", "cut", "all"]),
    "strength": When(Float(0, 1), policy=["mix", "cut", "all"]),
    "holes": When(Int(1, 8), policy=["cut", "all"]),
    "lr": Float(1e-4, 1, log=True),
    "warmup": Int(0, 20),
    "schedule": Choice(["constant", "cosine"]),
    "cycles": When(Int(1, 6), schedule=["cosine"]),
}


def augment(c):
    """A shared part and branches of a few parameters, unlike `cond`, whose branches share nothing."""
    value = 0.2 * (math.log10(c["lr"]) + 2 - 0.02 * c["warmup"]) ** 2 + 0.001 * (c["warmup"] - 8) ** 2
    value += {"none": 0.20, "flip": 0.12, "mix": 0.05, "cut": 0.06, "all": 0.0}[c["policy"]]
    if c["policy"] in ("mix", "cut", "all"):
        value += 0.5 * (c["strength"] - 0.3) ** 2
    if c["policy"] in ("cut", "all"):
        value += 0.004 * (c["holes"] - 3) ** 2
    return value + (0.02 if c["schedule"] == "constant" else 0.005 * (c["cycles"] - 2) ** 2)


INTEGERS = {"a": Int(-10, 10), "b": Int(0, 100), "c": Int(1, 10000, log=True), "d": Float(-5, 5), "e": Choice(["p", "q", "r", "s", "t", "u"])}


def integers(c):
    place = "pqrstu".index(c["e"])
    value = (c["a"] - 3) ** 2 / 50 + abs(c["b"] - 42) / 50 + (math.log10(c["c"]) - 2.5 + math.log10(316 / 10**2.5)) ** 2 * 0.5
    return value + (c["d"] - 0.3 * c["a"] / 3) ** 2 / 5 + (0.4, 0.1, 0.0, 0.3, 0.2, 0.5)[place] + 0.1 * math.sin(3 * c["d"]) ** 2 * place / 5 \
        - 0.5 * (math.log10(316) - 2.5 + math.log10(316 / 10**2.5)) ** 2 - 0.011417110898444553  # the least: a=3, b=42, c=316, d=0.112513, e=r


TABLES = {"naval": ("hpolib_naval_propulsion", "C2,C2,I4,I3,I3,I6,C2,I6,I6"), "protein": ("hpolib_protein_structure", "C2,C2,I4,I3,I3,I6,C2,I6,I6"),
          "car": ("hpobench_car", "I10,I10,I3,I10,I10"), "credit_g": ("hpobench_credit_g", "I10,I10,I3,I10,I10"),
          "segment": ("hpobench_segment", "I10,I10,I3,I10,I10"), "vehicle": ("hpobench_vehicle", "I10,I10,I3,I10,I10"),
          "cifar100": ("nasbench201_cifar100", "C5,C5,C5,C5,C5,C5"), "imagenet": ("nasbench201_imagenet", "C5,C5,C5,C5,C5,C5")}


def table(name, folder):
    file, shape = TABLES[name]
    kinds = [(part[0], int(part[1:])) for part in shape.split(",")]
    data = (Path(folder) / (file + ".f32")).read_bytes()
    values = struct.unpack("<%df" % (len(data) // 4), data)
    ordered = sorted(values)
    half = len(ordered) // 2
    least, median = ordered[0], (ordered[half] + ordered[(len(ordered) - 1) // 2]) / 2
    space = {"x%02d" % i: Choice(["c%d" % k for k in range(n)]) if kind == "C" else Int(0, n - 1) for i, (kind, n) in enumerate(kinds)}

    def function(config):
        at = 0
        for i, (kind, n) in enumerate(kinds):
            value = config["x%02d" % i]
            at = at * n + (int(value[1:]) if kind == "C" else value)
        return (values[at] - least) / (median - least)

    return Problem(name, space, function, group="table")


def hartmann6_in_50(x):
    return hartmann6([x[i * 8 + 3] for i in range(6)])


def zdt(exponent):
    """ZDT1 (exponent 0.5) and ZDT2 (2) of Zitzler, Deb and Thiele (2000)."""

    def function(c):
        x = [c[name] for name in sorted(c)]
        g = 1 + 9 * sum(x[1:]) / (len(x) - 1)
        return x[0], g * (1 - (x[0] / g) ** exponent)

    return function


def branin_currin(c):
    """Branin against the function of Currin et al. (1988), as Belakaria et al. (2019) joined them."""
    a, b = c["x0"], c["x1"]
    slope = (2300 * a**3 + 1900 * a * a + 2092 * a + 60) / (100 * a**3 + 500 * a * a + 4 * a + 20)
    return branin([15 * a - 5, 15 * b]) + 0.39788735772973816, (1 - (math.exp(-1 / (2 * b)) if b > 0 else 0)) * slope


def hypervolume(points, reference):
    """The area that points of two objectives dominate, up to the reference point."""
    area, least = 0.0, reference[1]
    for first, second in sorted(points):
        if first < reference[0] and second < least:
            area += (reference[0] - first) * (least - second)
            least = second
    return area


def several_objectives():
    """Problems of two objectives. The volumes of ZDT's fronts are integrals; Branin-Currin's is that of BoTorch's collection."""

    def problem(name, space, function, reference, volume):
        made = Problem(name, space, function, group="objectives")
        made.reference, made.volume = reference, volume
        return made

    return [problem("zdt1", box(8, 0, 1), zdt(0.5), (1.1, 6.0), 6 - 1 / 3 + 0.1 * 6),
            problem("zdt2", box(8, 0, 1), zdt(2), (1.1, 6.0), 6 - 2 / 3 + 0.1 * 6),
            problem("branin-currin", {"x0": Float(0, 1), "x1": Float(0, 1)}, branin_currin, (18.0, 6.0), 59.36011874867746)]


@functools.lru_cache(maxsize=2)
def every_problem(tables=None):
    """All problems by name; those of tables where their folder is given."""
    moved = lambda name, function, count, low, high, width, seed: Problem(
        name, box(count, low, high), over(function, shifts(count, width, seed)))
    problems = [
        Problem("branin", {"x0": Float(-5, 10), "x1": Float(0, 15)}, over(branin)),
        Problem("hartmann3", box(3, 0, 1), over(hartmann3)),
        Problem("hartmann6", box(6, 0, 1), over(hartmann6)),
        Problem("rosenbrock10", box(10, -5, 10), over(rosenbrock)),
        Problem("ackley20", box(20, -5, 10), over(ackley)),
        moved("levy8", levy, 8, -10, 10, 3, 1),
        moved("griewank6", griewank, 6, -60, 60, 20, 2),
        Problem("michalewicz5", box(5, 0, math.pi), over(michalewicz5)),
        Problem("styblinski8", box(8, -5, 5), over(styblinski_tang)),
        moved("rastrigin5", rastrigin, 5, -5, 5, 2, 3),
        moved("ellipsoid8", ellipsoid, 8, -5, 5, 2, 4),
        moved("ellipsoid8-turned", rotated(ellipsoid, 8, 7), 8, -5, 5, 2, 8),
        moved("rastrigin5-turned", rotated(rastrigin, 5, 9), 5, -5, 5, 2, 10),
        moved("ridge6", sharp_ridge, 6, -5, 5, 2, 5),
        Problem("schwefel4", box(4, -500, 500), over(schwefel)),
        moved("step7", step_ellipsoid, 7, -5, 5, 2, 6),
        Problem("hartmann6-noise", box(6, 0, 1), over(hartmann6), noise=0.3),
        moved("levy8-noise", levy, 8, -10, 10, 3, 1),
        Problem("hartmann6-of-50", box(50, 0, 1), over(hartmann6_in_50), trials=200),
        Problem("ackley100", box(100, -5, 10), over(ackley), trials=200),
        Problem("mixed8", MIXED8, mixed8),
        Problem("cond", COND, cond),
        Problem("augment", AUGMENT, augment),
        Problem("integers", INTEGERS, integers),
        Problem("hartmann6-fails", box(6, 0, 1), over(hartmann6), fails=lambda c: c["x00"] + c["x04"] > 1.2),
    ]
    next(p for p in problems if p.name == "levy8-noise").noise = 2.0
    if tables:
        problems += [table(name, tables) for name in TABLES if (Path(tables) / (TABLES[name][0] + ".f32")).exists()]
    return {problem.name: problem for problem in problems + several_objectives()}


# The set of the table; `every_problem` has more, and trainings.py has real ones.
CORE = ["branin", "hartmann6", "rosenbrock10", "ackley20", "mixed8", "cond", "hartmann6-noise", "hartmann6-of-50"]
