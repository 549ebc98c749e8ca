#!/usr/bin/env python3
"""No-op runs end to end through controller and local agent, as a user would call it, against xargs -P in the same run."""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--slots", type=int, default=os.cpu_count() * 2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trawl", default=str(pathlib.Path(__file__).resolve().parent.parent / "build/release/bin/trawl"))
    args = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="trawl-bench-"))
    spec = work / "noop.yaml"
    spec.write_text(f"method: grid\nparameters: {{x: {{min: 1, max: {args.runs}}}}}\ncommand: [/bin/true]\n")
    ratios = []
    try:
        for number in range(args.rounds):
            start = time.monotonic()
            subprocess.run(["xargs", f"-P{args.slots}", "-n1", "/bin/true"], input="\n".join(map(str, range(args.runs))).encode(), check=True)
            plain = time.monotonic() - start
            data = work / f"data{number}"
            start = time.monotonic()
            subprocess.run([args.trawl, "run", spec, "--slots", str(args.slots), "--data", data, "--quiet"],
                           check=True, stdout=subprocess.DEVNULL)
            ours = time.monotonic() - start
            shutil.rmtree(data)
            ratios.append(plain / ours)
            print(f"round {number + 1}: xargs -P{args.slots} {args.runs / plain:6.0f}/s, trawl {args.runs / ours:6.0f}/s, ratio {plain / ours:.2f}", flush=True)
    finally:
        shutil.rmtree(work)
    print(f"median ratio {statistics.median(ratios):.2f} (goal: at least 0.50)")


main()
