"""Fits a line by gradient descent with momentum and reports the loss of every epoch."""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "clients", "python"))
import trawl

run = trawl.init({"learning_rate": 0.1, "momentum": 0.0, "epochs": 20})
random.seed(0)
points = [(x / 50, 3 * x / 50 - 1 + random.gauss(0, 0.1)) for x in range(50)]

slope = intercept = slope_speed = intercept_speed = 0.0
loss = float("nan")
for epoch in range(run.config.epochs):
    errors = [(slope * x + intercept - y, x) for x, y in points]
    loss = sum(e * e for e, _ in errors) / len(errors)
    run.log({"loss": loss, "fit": {"slope": slope, "intercept": intercept}}, step=epoch)
    if run.should_stop():
        break
    slope_speed = run.config.momentum * slope_speed - run.config.learning_rate * 2 * sum(e * x for e, x in errors) / len(errors)
    intercept_speed = run.config.momentum * intercept_speed - run.config.learning_rate * 2 * sum(e for e, _ in errors) / len(errors)
    slope += slope_speed
    intercept += intercept_speed
run.summary["slope"] = slope
run.finish()
