"""Fits a line by gradient descent; a run that is told to stop ends its loop and leaves well."""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "clients", "python"))
import trawl

run = trawl.init({"learning_rate": 0.1, "momentum": 0.0, "epochs": 60})
random.seed(0)
points = [(x / 50, 3 * x / 50 - 1 + random.gauss(0, 0.1)) for x in range(50)]

slope = intercept = slope_speed = intercept_speed = 0.0
epoch = 0
while epoch < run.config.epochs and not run.should_stop():
    errors = [(slope * x + intercept - y, x) for x, y in points]
    run.log({"loss": sum(e * e for e, _ in errors) / len(errors)}, step=epoch)
    slope_speed = run.config.momentum * slope_speed - run.config.learning_rate * 2 * sum(e * x for e, x in errors) / len(errors)
    intercept_speed = run.config.momentum * intercept_speed - run.config.learning_rate * 2 * sum(e for e, _ in errors) / len(errors)
    slope += slope_speed
    intercept += intercept_speed
    epoch += 1
    time.sleep(0.05)  # as if an epoch took some time
run.summary["epochs"] = epoch
run.finish()
