#!/usr/bin/env python3
"""Resident memory of controller (a grid of 10^9 points), agent and shim while runs go on."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

TRAWL = str(pathlib.Path(__file__).resolve().parent.parent / "build/release/bin/trawl")
SPEC = "method: grid\nparameters: {a: {min: 1, max: 1000}, b: {min: 1, max: 1000}, c: {min: 1, max: 1000}}\ncommand: [sleep, '1000']\n"
LIMITS = {"trawl-main": 32, "trawl-agent": 8}


def main():
    work = pathlib.Path(tempfile.mkdtemp(prefix="trawl-bench-"))
    (work / "sweep.yaml").write_text(SPEC)
    process = subprocess.Popen([TRAWL, "run", "sweep.yaml", "--slots", "2", "--quiet"], cwd=work, stdout=subprocess.DEVNULL)
    try:
        time.sleep(3)  # let it settle: this is no test
        for entry in os.listdir("/proc"):
            try:
                environment = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes() + pathlib.Path(f"/proc/{entry}/environ").read_bytes()
                status = pathlib.Path(f"/proc/{entry}/status").read_text()
            except (OSError, ValueError):
                continue
            name = status.split()[1]
            if name.startswith("trawl-") and (str(work).encode() in environment or int(entry) == process.pid):
                rss = int(status.split("VmRSS:")[1].split()[0]) / 1024
                print(f"{name:12} {rss:5.1f} MB" + (f" (goal: under {LIMITS[name]})" if name in LIMITS else ""))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        shutil.rmtree(work)


main()
