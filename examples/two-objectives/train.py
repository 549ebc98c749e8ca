"""A larger network errs less and is slower; depth costs more than it helps beyond 2."""

import argparse
import json
import os

parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int, required=True)
parser.add_argument("--depth", type=int, required=True)
args = parser.parse_args()

error = 1 / args.width + 0.1 * (args.depth - 2) ** 2
speed = 1000 / (args.width * args.depth)
with open(os.environ["TRAWL_METRICS"], "a") as metrics:
    metrics.write(json.dumps({"error": error, "speed": speed}) + "\n")
