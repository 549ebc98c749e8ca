"""Strategies behind one face: ask() gives (id, configuration), tell(id, value or None for a failure).

Trawl's own come through `trawl suggest`, as any program would use them; peers by their libraries, where they are installed, each with the defaults
that its documentation recommends for a search of unknown kind.
"""

import json
import math
import os
import random
import subprocess
import tempfile
import warnings
from pathlib import Path

from problems import Choice, Float, Int, When

TICKS = os.sysconf("SC_CLK_TCK")


def spec_of(problem, method, seed, options):
    metric = "metrics: [{name: first, goal: minimize}, {name: second, goal: minimize}]" if problem.reference else "metric: {name: value, goal: minimize}"
    lines = ["method: " + method, "seed: %d" % seed, metric]
    if options:
        lines.append("strategy: {" + ", ".join(options) + "}")
    lines.append("parameters:")
    for name, parameter in problem.space.items():
        when = ""
        if isinstance(parameter, When):
            tests = " and ".join("%s in %s" % (other, json.dumps(values)) for other, values in parameter.conditions.items())
            when, parameter = ", when: %s" % json.dumps(tests), parameter.parameter
        if isinstance(parameter, Choice):
            body = "values: " + json.dumps(parameter.values)
        elif isinstance(parameter, Int):
            body = ("distribution: q_log_uniform_values, q: 1, min: %d, max: %d" if parameter.log else "min: %d, max: %d") % (parameter.low, parameter.high)
        else:
            body = "distribution: %s, min: %r, max: %r" % ("log_uniform_values" if parameter.log else "uniform", parameter.low, parameter.high)
        lines.append("  %s: {%s%s}" % (name, body, when))
    return "\n".join(lines) + "\n"


class Trawl:
    def __init__(self, problem, method, seed, options, program):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.file.write(spec_of(problem, method, seed, options))
        self.file.flush()
        self.process = subprocess.Popen([program, "suggest", self.file.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, message):
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError("`trawl suggest` ended, with %s" % self.process.wait())
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def ask_many(self, count):
        return [(trial["id"], trial["config"]) for trial in self.say({"op": "ask", "n": count})["trials"]]

    def ask(self):
        trials = self.ask_many(1)
        return trials[0] if trials else None

    def tell(self, key, value):
        if value is None:
            self.say({"op": "tell", "id": key, "state": "failed"})
        elif isinstance(value, tuple):
            self.say({"op": "tell", "id": key, "values": value})
        else:
            self.say({"op": "tell", "id": key, "value": value if math.isfinite(value) else repr(value)})

    def cpu_seconds(self):
        """Of all its threads, to the nanosecond where the kernel counts so."""
        process = Path("/proc/%d" % self.process.pid)
        try:
            return sum(int((task / "schedstat").read_text().split()[0]) for task in (process / "task").iterdir()) / 1e9
        except OSError:
            fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / TICKS

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it ended by itself, and say() told of it
        self.process.wait()
        self.process.stdout.close()
        self.file.close()


class Own:
    """A peer within this process: its CPU time is taken around its calls."""

    def cpu_seconds(self):
        return None

    def close(self):
        pass


class Optuna(Own):
    def __init__(self, problem, sampler, seed):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore")
        makers = {"tpe": lambda: optuna.samplers.TPESampler(seed=seed), "gp": lambda: optuna.samplers.GPSampler(seed=seed),
                  "cmaes": lambda: optuna.samplers.CmaEsSampler(seed=seed), "random": lambda: optuna.samplers.RandomSampler(seed=seed),
                  "qmc": lambda: optuna.samplers.QMCSampler(seed=seed, scramble=True), "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=seed)}
        self.study = optuna.create_study(sampler=makers[sampler](), directions=["minimize"] * (2 if problem.reference else 1))
        self.failed = optuna.trial.TrialState.FAIL
        self.space, self.trials = problem.space, {}

    def suggest(self, trial, name, parameter):
        if isinstance(parameter, Choice):
            return trial.suggest_categorical(name, parameter.values)
        if isinstance(parameter, Int):
            return trial.suggest_int(name, parameter.low, parameter.high, log=parameter.log)
        return trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)

    def ask(self):
        trial, config = self.study.ask(), {}
        for name, parameter in self.space.items():
            if isinstance(parameter, When):
                if all(config.get(other) in values for other, values in parameter.conditions.items()):
                    config[name] = self.suggest(trial, name, parameter.parameter)
            else:
                config[name] = self.suggest(trial, name, parameter)
        self.trials[trial.number] = trial
        return trial.number, config

    def tell(self, key, value):
        trial = self.trials.pop(key)
        if value is None:
            self.study.tell(trial, state=self.failed)
        else:
            self.study.tell(trial, value)


class Scikit(Own):
    """scikit-optimize: no conditions (inactive parameters are chosen and not used), no failures (told the worst so far)."""

    def __init__(self, problem, seed):
        import numpy
        import skopt

        for name, kind in (("int", int), ("float", float), ("bool", bool)):
            if not hasattr(numpy, name):
                setattr(numpy, name, kind)  # the library is older than numpy
        self.problem, self.names, space = problem, list(problem.space), []
        for name in self.names:
            parameter = problem.space[name]
            parameter = parameter.parameter if isinstance(parameter, When) else parameter
            if isinstance(parameter, Choice):
                space.append(skopt.space.Categorical(parameter.values))
            else:
                kind = skopt.space.Integer if isinstance(parameter, Int) else skopt.space.Real
                space.append(kind(parameter.low, parameter.high, prior="log-uniform" if parameter.log else "uniform"))
        self.optimizer = skopt.Optimizer(space, base_estimator="GP", random_state=seed)
        self.asked, self.worst = {}, 0.0

    def ask(self):
        point = self.optimizer.ask()
        key = len(self.asked)
        self.asked[key] = point
        config = {name: value.item() if hasattr(value, "item") else value for name, value in zip(self.names, point)}
        for name, parameter in self.problem.space.items():
            if isinstance(parameter, When) and any(config.get(o) not in v for o, v in parameter.conditions.items()):
                del config[name]
        return key, config

    def tell(self, key, value):
        self.worst = max(self.worst, value) if value is not None else self.worst
        self.optimizer.tell(self.asked[key], self.worst if value is None else value)


class Smac(Own):
    def __init__(self, problem, seed, budget):
        import logging

        import ConfigSpace as cs
        from smac import HyperparameterOptimizationFacade, Scenario

        logging.disable(logging.CRITICAL)
        space = cs.ConfigurationSpace(seed=seed)
        made = {}
        for name, parameter in problem.space.items():
            conditions = parameter.conditions if isinstance(parameter, When) else {}
            parameter = parameter.parameter if isinstance(parameter, When) else parameter
            if isinstance(parameter, Choice):
                made[name] = cs.CategoricalHyperparameter(name, parameter.values)
            elif isinstance(parameter, Int):
                made[name] = cs.UniformIntegerHyperparameter(name, parameter.low, parameter.high, log=parameter.log)
            else:
                made[name] = cs.UniformFloatHyperparameter(name, parameter.low, parameter.high, log=parameter.log)
            space.add(made[name])
            tests = [cs.InCondition(made[name], made[other], values) for other, values in conditions.items()]
            if tests:
                space.add(cs.AndConjunction(*tests) if len(tests) > 1 else tests[0])
        self.folder = tempfile.TemporaryDirectory()
        scenario = Scenario(space, deterministic=True, n_trials=budget, seed=seed, output_directory=self.folder.name)
        self.facade = HyperparameterOptimizationFacade(scenario, lambda config, seed: 0.0, overwrite=True, logging_level=False)
        self.asked, self.worst = {}, 0.0

    def ask(self):
        info = self.facade.ask()
        key = len(self.asked)
        self.asked[key] = info
        plain = {name: value.item() if hasattr(value, "item") else value for name, value in dict(info.config).items()}
        return key, plain

    def tell(self, key, value):
        from smac.runhistory import TrialValue
        from smac.runhistory.enumerations import StatusType

        status = StatusType.CRASHED if value is None else StatusType.SUCCESS
        self.worst = self.worst if value is None else max(self.worst, value)
        self.facade.tell(self.asked[key], TrialValue(cost=self.worst if value is None else value, status=status))


class Ax(Own):
    """Ax: no conditions (as scikit-optimize)."""

    def __init__(self, problem, seed):
        import logging

        from ax.api.client import Client
        from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

        logging.disable(logging.CRITICAL)
        warnings.simplefilter("ignore")
        self.problem, self.client, parameters = problem, Client(random_seed=seed), []
        for name, parameter in problem.space.items():
            parameter = parameter.parameter if isinstance(parameter, When) else parameter
            if isinstance(parameter, Choice):
                kind = "str" if isinstance(parameter.values[0], str) else "float"
                parameters.append(ChoiceParameterConfig(name=name, values=parameter.values, parameter_type=kind, is_ordered=False))
            else:
                parameters.append(RangeParameterConfig(name=name, bounds=(parameter.low, parameter.high), scaling="log" if parameter.log else "linear",
                                                       parameter_type="int" if isinstance(parameter, Int) else "float"))
        self.client.configure_experiment(parameters=parameters)
        self.client.configure_optimization(objective="-value")

    def ask(self):
        (key, config), = self.client.get_next_trials(max_trials=1).items()
        config = dict(config)
        for name, parameter in self.problem.space.items():
            if isinstance(parameter, When) and any(config.get(o) not in v for o, v in parameter.conditions.items()):
                del config[name]
        return key, config

    def tell(self, key, value):
        if value is None:
            self.client.mark_trial_failed(trial_index=key)
        else:
            self.client.complete_trial(trial_index=key, raw_data={"value": value})


class Wandb(Own):
    """The engine of W&B's sweeps (its Bayesian search): no conditions; it sees all runs at each ask."""

    def __init__(self, problem, seed):
        import numpy
        import sweeps

        numpy.random.seed(seed)
        random.seed(seed)
        warnings.simplefilter("ignore")
        self.sweeps, self.problem, self.runs, parameters = sweeps, problem, [], {}
        for name, parameter in problem.space.items():
            parameter = parameter.parameter if isinstance(parameter, When) else parameter
            if isinstance(parameter, Choice):
                parameters[name] = {"values": parameter.values}
            elif isinstance(parameter, Int):
                kind = "q_log_uniform_values" if parameter.log else "int_uniform"
                parameters[name] = {"distribution": kind, "min": parameter.low, "max": parameter.high}
            else:
                kind = "log_uniform_values" if parameter.log else "uniform"
                parameters[name] = {"distribution": kind, "min": parameter.low, "max": parameter.high}
        self.config = {"method": "bayes", "metric": {"name": "value", "goal": "minimize"}, "parameters": parameters}

    def ask(self):
        run = self.sweeps.next_run(self.config, self.runs, validate=False)
        run.state = self.sweeps.RunState.running
        self.runs.append(run)
        config = {name: entry["value"] for name, entry in run.config.items()}
        for name, parameter in self.problem.space.items():
            plain = parameter.parameter if isinstance(parameter, When) else parameter
            if isinstance(plain, Int):
                config[name] = int(config[name])
        for name, parameter in self.problem.space.items():
            if isinstance(parameter, When) and any(config.get(o) not in v for o, v in parameter.conditions.items()):
                config.pop(name, None)
        return len(self.runs) - 1, config

    def tell(self, key, value):
        run = self.runs[key]
        run.state = self.sweeps.RunState.failed if value is None else self.sweeps.RunState.finished
        if value is not None:
            run.summary_metrics = {"value": value}


class Vizier(Own):
    """OSS Vizier's default designer, GP-UCB-PE: no conditions."""

    def __init__(self, problem, seed):
        import jax
        from vizier import algorithms
        from vizier import pyvizier as vz
        from vizier.algorithms import designers

        self.vz, self.batch, self.problem, self.trials, self.ended = vz, algorithms, problem, {}, []
        statement = vz.ProblemStatement(metric_information=[vz.MetricInformation("value", goal=vz.ObjectiveMetricGoal.MINIMIZE)])
        root = statement.search_space.root
        for name, parameter in problem.space.items():
            parameter = parameter.parameter if isinstance(parameter, When) else parameter
            if isinstance(parameter, Choice):
                root.add_categorical_param(name, parameter.values)
            else:
                add = root.add_int_param if isinstance(parameter, Int) else root.add_float_param
                add(name, parameter.low, parameter.high, scale_type=vz.ScaleType.LOG if parameter.log else vz.ScaleType.LINEAR)
        self.designer = designers.VizierGPUCBPEBandit(statement, rng=jax.random.PRNGKey(seed))

    def ask(self):
        active = self.batch.ActiveTrials(list(self.trials.values()))
        self.designer.update(self.batch.CompletedTrials(self.ended), active)
        self.ended = []
        key = self.count = getattr(self, "count", 0) + 1
        self.trials[key] = self.designer.suggest(1)[0].to_trial(key)
        config = {name: value.value for name, value in self.trials[key].parameters.items()}
        for name, parameter in self.problem.space.items():
            plain = parameter.parameter if isinstance(parameter, When) else parameter
            if isinstance(plain, Int):
                config[name] = int(round(config[name]))
        for name, parameter in self.problem.space.items():
            if isinstance(parameter, When) and any(config.get(o) not in v for o, v in parameter.conditions.items()):
                config.pop(name, None)
        return key, config

    def tell(self, key, value):
        trial = self.trials.pop(key)
        if value is None:
            trial.complete(self.vz.Measurement(), infeasibility_reason="failed")
        else:
            trial.complete(self.vz.Measurement(metrics={"value": value}))
        self.ended.append(trial)


ONE_OBJECTIVE = {"skopt": Scikit, "ax": Ax, "wandb": Wandb, "vizier": Vizier}  # these take (problem, seed)
NAMES = ["optuna-" + sampler for sampler in ("tpe", "gp", "cmaes", "random", "qmc", "nsga2")] + ["smac"] + list(ONE_OBJECTIVE)


def make(name, problem, seed, budget, program):
    """The strategy `name` ("bayes", "bayes:startup=5", "optuna-gp", ...) for a problem."""
    if name.startswith("optuna-"):
        return Optuna(problem, name[7:], seed)
    if problem.reference and (name == "smac" or name in ONE_OBJECTIVE):
        raise NotImplementedError("this adapter has one objective only")
    if name == "smac":
        return Smac(problem, seed, budget)
    if name in ONE_OBJECTIVE:
        return ONE_OBJECTIVE[name](problem, seed)
    method, _, options = name.partition(":")
    return Trawl(problem, method, seed, [o.replace("=", ": ") for o in options.split(";") if o], program)
