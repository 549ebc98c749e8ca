#!/usr/bin/env python3
"""A sweep with many finished trials: from the start of `trawl run` to its first new run, against the same with none."""

import argparse
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import time

TRAWL = str(pathlib.Path(__file__).resolve().parent.parent / "build/release/bin/trawl")
SPEC = ("method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {min: 1, max: %d}}\n"
        "command: [sh, -c, 'trawl log loss=${x}; date +%%s.%%N >> stamps']\n")


def first_run(work, *options):
    stamps = work / "stamps"
    stamps.unlink(missing_ok=True)
    start = time.time()
    subprocess.run([TRAWL, "run", "sweep.yaml", "--slots", "1", "--quiet", *options], cwd=work, check=True, stdout=subprocess.DEVNULL)
    return float(stamps.read_text().split()[0]) - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=1000000)
    args = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="trawl-bench-"))
    try:
        (work / "sweep.yaml").write_text(SPEC % (args.trials + 3) + "run_cap: 1\n")
        empty = first_run(work)
        # The same sweep with all but two of its trials finished, as a long run would have left it.
        database = sqlite3.connect(work / ".trawl/trawl.db")
        n = args.trials
        columns = [row[1] for row in database.execute("pragma table_info(trial)")]
        values = {"id": "id + k", "number": "number + k", "point": "point + k", "config": "'{\"x\":' || (k + 1) || '}'", "value": "k + 1.0",
                  "tell_number": "tell_number + k"}
        database.execute(f"with recursive c(k) as (select 1 union all select k + 1 from c where k < {n}) insert into trial ({', '.join(columns)}) "
                         f"select {', '.join(values.get(name, name) for name in columns)} from trial, c where number = 1")
        columns = [row[1] for row in database.execute("pragma table_info(attempt)")]
        values = {"id": "id + k", "trial": "trial + k"}
        database.execute(f"with recursive c(k) as (select 1 union all select k + 1 from c where k < {n}) insert into attempt ({', '.join(columns)}) "
                         f"select {', '.join(values.get(name, name) for name in columns)} from attempt, c where id = 1")
        database.execute("update sweep set cursor = cursor + ?, point_count = point_count + ?, trial_count = trial_count + ?, "
                         "tell_count = tell_count + ?, done = done + ?", (n, n, n, n, n))
        database.commit()
        database.close()
        (work / "sweep.yaml").write_text(SPEC % (args.trials + 3) + f"run_cap: {n + 2}\n")
        full = first_run(work)
        print(f"first run after {empty:.3f} s with no finished trial, {full:.3f} s with {n} (goal: under 1 s), ratio {full / empty:.2f}")
    finally:
        shutil.rmtree(work)


main()
