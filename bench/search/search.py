#!/usr/bin/env python3
"""Judges search strategies: any of Trawl's and of its peers', on any of the problems, over any number of seeds.

  bench/search/search.py --strategies bayes,random --problems core --seeds 10
  bench/search/search.py --strategies bayes,tpe,optuna-tpe --problems all --workers 10 --json out.json --curves out/
  bench/search/search.py --load mine.json peers.json        # tables of stored results
  bench/search/search.py --cost 100,1000,5000,10000 --strategies bayes,tpe
"""

import argparse
import json
import os
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import curves
import peers
import problems
import runner
import tables
import trainings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def find_program():
    """The program built last in this checkout, or the one in PATH."""
    built = sorted(ROOT.glob("build/*/bin/trawl"), key=lambda path: path.stat().st_mtime)
    return str(built[-1]) if built else shutil.which("trawl")


def job(arguments):
    name, problem, seed, trials, workers, program, folder = arguments
    known = problems.every_problem(folder)
    if problem not in known:
        known = trainings.trainings()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        return runner.run(name, known[problem], seed, trials or known[problem].trials, workers, program)
    except Exception as error:  # a peer that cannot do this problem is told of, and left out of its table
        return {"strategy": name, "problem": problem, "seed": seed, "workers": workers, "error": "%s: %s" % (type(error).__name__, error)}


def measure_cost(names, counts, program):
    """Milliseconds a suggestion, each told before the next, behind n told trials of 10 parameters; and 1,000 at once behind 500."""
    problem = problems.Problem("cost", problems.box(10, -5, 5), problems.over(problems.styblinski_tang))
    print("%-14s %8s %12s %12s" % ("strategy", "n", "ms each", "CPU ms each"))
    for name in names:
        for count in counts:
            strategy = peers.make(name, problem, 1, count, program)
            for key, config in strategy.ask_many(count):
                strategy.tell(key, problem.function(config))
            strategy.tell(*[(key, problem.function(config)) for key, config in [strategy.ask()]][0])  # what a restart would pay once
            before, cpu, asks = time.monotonic(), strategy.cpu_seconds(), 50
            for _ in range(asks):
                key, config = strategy.ask()
                strategy.tell(key, problem.function(config))
            print("%-14s %8d %12.2f %12.2f" % (name, count, 1000 * (time.monotonic() - before) / asks, 1000 * (strategy.cpu_seconds() - cpu) / asks))
            strategy.close()
        strategy = peers.make(name, problem, 1, 500, program)
        for key, config in strategy.ask_many(500):
            strategy.tell(key, problem.function(config))
        before = time.monotonic()
        many = strategy.ask_many(1000)
        seconds = time.monotonic() - before
        distinct = len({json.dumps(config, sort_keys=True) for _, config in many})
        print("%-14s 1,000 at once behind 500: %.2f s, %d distinct" % (name, seconds, distinct))
        strategy.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", "--strategy", default="bayes,random",
                        help="methods of Trawl (bayes, tpe, bayes:startup=5;..., random), peers (%s)" % ", ".join(peers.NAMES))
    parser.add_argument("--problems", "--problem", default="core", help="core, all, functions, tables, objectives, trainings, or names")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=0, help="0: what the problem says")
    parser.add_argument("--workers", type=int, default=1, help="in simulated time")
    parser.add_argument("--jobs", type=int, default=1, help="searches at once on this machine")
    parser.add_argument("--tables", default=str(ROOT.parent / "shared/data/tabular"), help="folder of the real tables")
    parser.add_argument("--json", help="write the results here")
    parser.add_argument("--load", nargs="*", default=[], help="stored results to compare with")
    parser.add_argument("--curves", help="folder for SVG curves")
    parser.add_argument("--cost", help="numbers of told trials: measure milliseconds a suggestion instead")
    parser.add_argument("--trawl", default=find_program())
    given = parser.parse_args()
    if not given.trawl:
        sys.exit("search.py: no trawl program is built here or in PATH: cmake -B build/release && cmake --build build/release, or --trawl PATH")
    names = [name for name in given.strategies.split(",") if name]
    if given.cost:
        measure_cost(names, [int(n) for n in given.cost.split(",")], given.trawl)
        return
    folder = given.tables if Path(given.tables).is_dir() else None
    results = [result for file in given.load for result in json.loads(Path(file).read_text())]
    if not given.load or given.json:
        results += search(given, names, folder)
    if given.json:
        Path(given.json).write_text(json.dumps(results))
    for text in sorted({"left out: %s on %s: %s" % (r["strategy"], r["problem"], r["error"]) for r in results if "error" in r}):
        print(text, file=sys.stderr)
    newest = {(r["strategy"], r["problem"], r["workers"], r["seed"]): r for r in results if "error" not in r}
    results = list(newest.values())  # of a search that was stored twice the later one
    tables.regret_table(results, sys.stdout)
    tables.rank_table(results, sys.stdout)
    if given.curves:
        curves.write_all(results, Path(given.curves))


def search(given, names, folder):
    known = problems.every_problem(folder)
    if folder is None:
        print("the real tables are not there (%s): left out" % given.tables, file=sys.stderr)
    groups = {"core": problems.CORE, "all": [n for n, p in known.items() if p.group != "objectives"],
              "objectives": [n for n, p in known.items() if p.group == "objectives"],
              "functions": [n for n, p in known.items() if p.group == "function"],
              "tables": [n for n, p in known.items() if p.group == "table"], "trainings": ["svm-digits", "boosting-diabetes", "mlp-cancer"]}
    chosen = [n for word in given.problems.split(",") for n in groups.get(word, [word])]
    if any(n not in known for n in chosen):
        known = {**known, **trainings.trainings()}
    missing = [n for n in chosen if n not in known]
    if missing and set(missing) <= set(groups["trainings"]):
        print("scikit-learn is not installed: real trainings are left out", file=sys.stderr)
    elif missing:
        sys.exit("search.py: no problem %s; there are %s" % (missing[0], ", ".join(known)))
    jobs = [(name, problem, seed, given.trials, given.workers, given.trawl, folder)
            for problem in chosen if problem in known for name in names for seed in range(given.first_seed, given.first_seed + given.seeds)]
    with ProcessPoolExecutor(given.jobs) as pool:
        return list(pool.map(job, jobs))


if __name__ == "__main__":
    main()
