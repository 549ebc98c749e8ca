"""Takes whatever parameters its configuration has: --momentum only with sgd, --dropout only with three layers or more."""

import argparse
import os
import subprocess

parser = argparse.ArgumentParser()
parser.add_argument("--optimizer", choices=["sgd", "adam"], required=True)
parser.add_argument("--momentum", type=float)
parser.add_argument("--layers", type=int, required=True)
parser.add_argument("--width", type=int, required=True)
parser.add_argument("--dropout", type=float)
args = parser.parse_args()

assert (args.momentum is not None) == (args.optimizer == "sgd")
assert (args.dropout is not None) == (args.layers >= 3)
assert args.layers * args.width <= 2048

error = 1 / (args.layers * args.width) ** 0.5
error += 0.05 * abs((args.momentum if args.momentum is not None else 0.5) - 0.9)
error += 0.02 * abs((args.dropout if args.dropout is not None else 0.0) - 0.2)
subprocess.run(["trawl", "log", f"error={error}"], check=True)
