"""Takes nested parameters from a JSON file and booleans as flags; reports through the metrics file alone."""

import argparse
import json
import os

parser = argparse.ArgumentParser()
parser.add_argument("--config", required=True)
parser.add_argument("--augment", action="store_true")
parser.add_argument("--optimizer")
parser.add_argument("--width", type=int)
args = parser.parse_args()

with open(args.config, encoding="utf-8") as file:
    config = json.load(file)
assert config["augment"] == args.augment and config["width"] == args.width

best = {"sgd": 0.1, "adam": 0.01}[config["optimizer"]["name"]]
accuracy = 0.9 - abs(config["optimizer"]["lr"] - best) + (0.05 if args.augment else 0) + (0.01 if config["optimizer"]["name"] == "adam" else 0)
with open(os.environ["TRAWL_METRICS"], "a", encoding="utf-8") as file:
    file.write(json.dumps({"accuracy": accuracy}) + "\n")
