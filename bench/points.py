#!/usr/bin/env python3
"""Metric points end to end: a run writes them to its file, agent and controller store them durably; against Python reading the same lines."""

import argparse
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

TRAWL = str(pathlib.Path(__file__).resolve().parent.parent / "build/release/bin/trawl")
WRITER = """import os, shutil
with open(os.environ["TRAWL_METRICS"], "ab") as out, open("lines", "rb") as lines:
    shutil.copyfileobj(lines, out, 1 << 20)
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=500000)
    args = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="trawl-bench-"))
    try:
        with open(work / "lines", "w", encoding="utf-8") as lines:
            lines.writelines('{"loss": %.6f, "acc": %.4f, "lr": 0.001, "norm": %.3f, "step": %d}\n' % (1 / (i + 1), i * 1e-6, i * 0.5, i)
                             for i in range(args.lines))
        (work / "write.py").write_text(WRITER)
        (work / "sweep.yaml").write_text("method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {values: [1]}}\ncommand: [python3, write.py]\n")
        start = time.monotonic()
        with open(work / "lines", encoding="utf-8") as lines:
            points = sum(len(json.loads(line)) - 1 for line in lines)
        plain = time.monotonic() - start
        start = time.monotonic()
        subprocess.run([TRAWL, "run", "sweep.yaml", "--quiet"], cwd=work, check=True, stdout=subprocess.DEVNULL)
        ours = time.monotonic() - start
        print(f"{points} points: stored {points / ours:.0f}/s (goal: at least 200000/s), json.loads alone {points / plain:.0f}/s, ratio {plain / ours:.2f}")
    finally:
        shutil.rmtree(work)


main()
