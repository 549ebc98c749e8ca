"""Fits a line for `epochs` epochs in all, going on from the checkpoint of the run it was promoted from, where there is one."""

import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "clients", "python"))
import trawl

run = trawl.init({"epochs": 27, "learning_rate": 0.1, "momentum": 0.5})
random.seed(0)
points = [(x / 50, 3 * x / 50 - 1 + random.gauss(0, 0.1)) for x in range(50)]

state = {"epoch": 0, "slope": 0.0, "intercept": 0.0, "slope_speed": 0.0, "intercept_speed": 0.0}
# The parent's directory is only there where it ran on this machine; without it, training starts anew.
parent = os.environ.get("TRAWL_PARENT_RUN_DIR")
checkpoint = parent and os.path.join(parent, "artifacts", "checkpoint.json")
if checkpoint and os.path.exists(checkpoint):
    with open(checkpoint, encoding="utf-8") as file:
        state = json.load(file)
run.summary["first_epoch"] = state["epoch"]

for epoch in range(state["epoch"], run.config.epochs):
    errors = [(state["slope"] * x + state["intercept"] - y, x) for x, y in points]
    for name, gradient in (("slope", sum(e * x for e, x in errors)), ("intercept", sum(e for e, _ in errors))):
        speed = run.config.momentum * state[name + "_speed"] - run.config.learning_rate * 2 * gradient / len(points)
        state[name + "_speed"] = speed
        state[name] += speed
    loss = sum((state["slope"] * x + state["intercept"] - y) ** 2 for x, y in points) / len(points)
    run.log({"loss": loss}, step=epoch)
state["epoch"] = run.config.epochs

artifacts = os.path.join(os.environ.get("TRAWL_RUN_DIR", "."), "artifacts")
os.makedirs(artifacts, exist_ok=True)
with open(os.path.join(artifacts, "checkpoint.json"), "w", encoding="utf-8") as file:
    json.dump(state, file)
run.finish()
