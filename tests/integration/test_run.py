"""Sweeps end to end over real processes: results, metrics, resume, Ctrl-C, kill -9, control."""

import json
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SOURCE, TRAWL, Case, main, wait_for

COUNTED = """\
name: counted
method: grid
metric: {name: loss, goal: minimize}
parameters:
  x: {min: 1, max: %d}
command: [sh, -c, 'echo ${x} >> ledger; %s trawl log loss=${x}; echo end ${x} >> ledger']
"""


class Run(Case):
    def test_run_ends_with_every_point_done_once_and_the_best_shown(self):
        self.write("sweep.yaml", COUNTED % (12, ""))
        result = self.trawl("run", "sweep.yaml", "--slots", "3")
        self.assertIn("best configuration (trial 1)", result.stdout)
        self.assertIn("12 done", result.stdout)
        self.assertEqual(sorted(int(x) for x in self.ledger() if x.isdigit()), list(range(1, 13)))
        self.assertEqual(self.counts(), {"done": 12})
        self.assertEqual(self.leftovers(), [])

    def test_run_again_does_nothing_when_the_sweep_is_complete(self):
        self.write("sweep.yaml", COUNTED % (3, ""))
        self.trawl("run", "sweep.yaml")
        self.trawl("run", "sweep.yaml")
        self.assertEqual(len(self.ledger()), 6)
        self.trawl("run", "sweep.yaml", "--new")
        self.assertEqual(len(self.ledger()), 12)

    def test_failed_trials_give_exit_code_4_and_can_be_retried(self):
        self.write("sweep.yaml", "method: grid\nparameters: {x: {values: [1, 2, 3]}}\n"
                                 "command: [sh, -c, 'test ${x} -ne 2 || test -e mended']\n")
        self.trawl("run", "sweep.yaml", code=4)
        self.assertEqual(self.counts(), {"done": 2, "failed": 1})
        self.write("mended", "")
        sweep = self.status()["sweep"]
        self.trawl("retry", sweep, "--failed")
        self.trawl("run", "sweep.yaml")
        self.assertEqual(self.counts(), {"done": 3})

    def test_ctrl_c_leaves_the_sweep_resumable_and_says_how(self):
        self.write("sweep.yaml", COUNTED % (6, "sleep 0.5;"))
        process = self.start("run", "sweep.yaml", "--slots", "2")
        wait_for(lambda: len(self.ledger()) >= 3, "three lines of the ledger")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("trawl run sweep.yaml", err)
        wait_for(lambda: not self.leftovers(), "every process gone")
        self.trawl("run", "sweep.yaml", "--slots", "2")
        self.assertEqual(self.counts(), {"done": 6})
        ends = [line for line in self.ledger() if line.startswith("end")]
        self.assertEqual(len(ends), len(set(ends)), "a configuration ran twice to completion")

    def test_second_ctrl_c_ends_a_run_that_ignores_sigterm_at_once(self):
        self.write("sweep.yaml", "method: grid\nparameters: {x: {values: [1]}}\n"
                                 "command: [sh, -c, 'trap \"\" TERM; touch up; while :; do sleep 0.1; done']\n")
        process = self.start("run", "sweep.yaml")
        wait_for(lambda: (self.dir / "up").exists(), "the run is up")
        process.send_signal(signal.SIGINT)
        wait_for(lambda: "ending 1 running" in (process.stderr.readline() or "ending 1 running"), "the first answer")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        wait_for(lambda: not self.leftovers(), "every process gone", 20)

    def kill_and_resume(self, victims):
        self.write("sweep.yaml", COUNTED % (8, "sleep 0.6;"))
        process = self.start("run", "sweep.yaml", "--slots", "2")
        wait_for(lambda: len([x for x in self.ledger() if x.isdigit()]) >= 3, "three runs have started")
        if "controller" in victims:
            process.kill()
            process.wait()
        for pid in self.leftovers():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    program = os.path.basename(file.read().split(b"\0")[0].decode())
            except OSError:
                continue
            if (program == "trawl-agent" and "agent" in victims) or (program == "trawl-shim" and "shim" in victims):
                os.kill(pid, signal.SIGKILL)
        if "controller" in victims:
            self.trawl("run", "sweep.yaml", "--slots", "2", timeout=120)
        else:
            process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0)
        self.assertEqual(self.counts(), {"done": 8})
        ends = [line for line in self.ledger() if line.startswith("end")]
        self.assertEqual(sorted(set(ends)), sorted(f"end {x}" for x in range(1, 9)))
        return ends

    def test_kill_of_the_controller_loses_nothing_and_repeats_nothing(self):
        ends = self.kill_and_resume({"controller"})
        self.assertEqual(len(ends), 8, "a configuration ran twice to completion")

    def test_kill_of_the_agent_loses_nothing_and_repeats_nothing(self):
        ends = self.kill_and_resume({"agent"})
        self.assertEqual(len(ends), 8, "a configuration ran twice to completion")

    def test_kill_of_controller_and_agent_loses_nothing_and_repeats_nothing(self):
        ends = self.kill_and_resume({"controller", "agent"})
        self.assertEqual(len(ends), 8, "a configuration ran twice to completion")

    def test_kill_of_the_shims_retries_their_runs(self):
        self.kill_and_resume({"shim"})

    def test_kill_of_everything_finishes_every_point(self):
        self.kill_and_resume({"controller", "agent", "shim"})

    def test_metrics_arrive_with_nan_infinity_steps_and_summary(self):
        self.write("train.py", "import os\n"
                               "with open(os.environ['TRAWL_METRICS'], 'a') as f:\n"
                               "    f.write('{\"loss\": NaN, \"step\": 0}\\n{\"loss\": Infinity, \"step\": 10}\\n')\n"
                               "    f.write('garbage\\n{\"loss\": 0.25, \"deep\": {\"er\": true}, \"step\": 20}\\n')\n"
                               "    f.write('{\"summary\": {\"best\": 0.125}}\\n')\n"
                               "    f.write('{\"tail\": 1}')\n")
        self.write("sweep.yaml", "program: train.py\nmethod: grid\nmetric: {name: loss, goal: minimize}\n"
                                 "parameters: {x: {values: [1]}}\n")
        self.trawl("run", "sweep.yaml")
        rows = [json.loads(line) for line in self.trawl("export", "--metrics", "--json").stdout.splitlines()]
        loss = [(row["step"], str(row["value"])) for row in rows if row["metric"] == "loss"]
        self.assertEqual(loss, [(0, "nan"), (10, "inf"), (20, "0.25")])
        self.assertEqual({row["metric"] for row in rows}, {"loss", "deep.er", "tail"})
        shown = json.loads(self.trawl("show", "1", "--json").stdout)
        self.assertEqual(shown["value"], 0.25)
        self.assertEqual(shown["summary"]["best"], 0.125)
        self.assertIn("not JSON", self.trawl("why", "1").stdout)

    def test_nan_objective_is_done_and_never_best(self):
        self.write("sweep.yaml", "method: grid\nmetric: {name: loss, goal: minimize}\n"
                                 "parameters: {x: {values: [nan, 3, 2]}}\ncommand: [trawl, log, 'loss=${x}']\n")
        self.trawl("run", "sweep.yaml")
        self.assertEqual(self.counts(), {"done": 3})
        self.assertEqual(json.loads(self.trawl("best", "--json").stdout)["value"], 2)

    def test_pause_resume_stop_and_cancel_do_as_their_words_say(self):
        self.write("sweep.yaml", COUNTED % (40, "sleep 0.2;"))
        controller = self.start("controller", "--local", "--data", self.data)
        wait_for(lambda: (self.data / "controller.sock").exists(), "the controller is up")
        self.start("agent", "--data", self.data, "--slots", "2")
        self.trawl("submit", "sweep.yaml")
        wait_for(lambda: self.counts().get("done", 0) >= 2, "two are done")
        self.trawl("pause")
        wait_for(lambda: self.counts().get("running", 0) == 0, "running ones have ended")
        done = self.counts()["done"]
        self.assertEqual(self.status()["state"], "paused")
        self.assertEqual(self.trawl("pause", code=8).returncode, 8)
        self.trawl("resume")
        wait_for(lambda: self.counts()["done"] > done, "it goes on")
        self.trawl("stop")
        wait_for(lambda: self.status()["state"] == "stopped", "it is stopped")
        self.trawl("resume")
        wait_for(lambda: self.counts().get("running", 0) > 0, "it goes on again")
        sweep = self.status()["sweep"]
        self.trawl("cancel", sweep)
        wait_for(lambda: self.status()["state"] == "cancelled", "it is cancelled")
        counts = self.counts()
        self.assertEqual(counts.get("running", 0) + counts.get("pending", 0), 0)
        total = self.status()["trials"]
        self.assertEqual({k: v for k, v in total.items() if v}, counts, "the numbers in status add up")
        self.assertIsNone(controller.poll())

    def test_control_works_without_a_controller(self):
        self.write("sweep.yaml", COUNTED % (3, ""))
        self.trawl("submit", "sweep.yaml")
        self.trawl("pause")
        self.assertEqual(self.status()["state"], "paused")
        self.trawl("resume")
        self.trawl("run", "sweep.yaml")
        self.assertEqual(self.counts(), {"done": 3})

    def test_timeout_and_process_tree_are_ended(self):
        self.write("sweep.yaml", "method: grid\ntimeout: 1s\ngrace: 1s\nparameters: {x: {values: [1]}}\n"
                                 "command: [sh, -c, 'setsid sleep 1000 & sleep 1000']\n")
        self.trawl("run", "sweep.yaml", code=4)
        self.assertEqual(self.query("select class from attempt"), [("timeout",)])
        wait_for(lambda: not self.leftovers(), "every process gone")

    def test_repeats_run_the_same_configuration_under_other_seeds(self):
        self.write("sweep.yaml", "method: grid\nrepeats: 3\nparameters: {x: {values: [1, 2]}}\n"
                                 "command: [sh, -c, 'echo ${x} $TRAWL_SEED >> ledger']\n")
        self.trawl("run", "sweep.yaml")
        lines = self.ledger()
        self.assertEqual(len(lines), 6)
        self.assertEqual(len(set(lines)), 6, "seeds differ")

    def test_two_agents_over_curve_share_a_sweep(self):
        self.write("sweep.yaml", "method: grid\nparameters: {x: {min: 1, max: 12}}\n"
                                 "command: [sh, -c, 'sleep 0.2; echo $WHO ${x} >> ledger']\n")
        controller = self.start("controller", "--listen", "127.0.0.1:*", "--public-host", "127.0.0.1", "--data", self.data)
        join = controller.stdout.readline().strip()
        self.assertTrue(join.startswith("trawl://"), join)
        for name in ("one", "two"):
            self.start("agent", join, "--name", name, "--slots", "1", "--dir", self.dir / name, env=dict(self.env, WHO=name))
        self.trawl("submit", "sweep.yaml")
        wait_for(lambda: self.status()["state"] == "finished", "the sweep is finished")
        self.assertEqual({line.split()[0] for line in self.ledger()}, {"one", "two"})
        self.assertEqual(sorted(int(line.split()[1]) for line in self.ledger()), list(range(1, 13)))
        agents = [json.loads(line) for line in self.trawl("agents", "--json").stdout.splitlines()]
        self.assertEqual({agent["name"] for agent in agents}, {"one", "two"})


class Examples(Case):
    def run_example(self, name, **extra):
        self.env.update(extra)
        return json.loads(self.trawl("run", "sweep.yaml", "--json", "--data", self.data, cwd=SOURCE / "examples" / name,
                                     env=self.env).stdout)

    def test_shell_example_finds_its_minimum(self):
        sweep = self.run_example("shell")
        self.assertEqual(sweep["trials"]["done"], 36)
        self.assertEqual((sweep["best"]["value"], sweep["best"]["config"]), (0, {"x": 3, "y": -1}))

    def test_c_example_comes_near_the_minimum_of_branin(self):
        sweep = self.run_example("c", BRANIN=os.path.join(os.environ["TRAWL_BUILD_DIR"], "examples", "branin"))
        self.assertEqual(sweep["trials"]["done"], 40)
        self.assertLess(sweep["best"]["value"], 5)
        self.assertGreater(sweep["best"]["value"], 0.397)

    def test_python_example_reports_every_epoch(self):
        sweep = self.run_example("python")
        self.assertEqual(sweep["trials"]["done"], 12)
        self.assertLess(sweep["best"]["value"], 0.1)
        self.assertEqual(self.query("select count(*) from metric_point p join metric_name n on n.id = p.name "
                                    "where n.name = 'loss'"), [(12 * 20,)])

    def test_early_stop_example_stops_runs_that_fall_behind(self):
        sweep = self.run_example("early-stop")
        self.assertEqual(sweep["trials"]["done"] + sweep["trials"]["stopped"], 16)
        self.assertGreaterEqual(sweep["trials"]["stopped"], 4)
        self.assertLess(sweep["best"]["value"], 0.2)
        for (epochs,) in self.query("select s.json from summary s join trial t on t.attempt = s.attempt where t.state = 'stopped'"):
            self.assertTrue(5 <= int(epochs) < 60, "each left its loop between a rung and the end")

    def test_hyperband_example_goes_on_from_checkpoints(self):
        sweep = self.run_example("hyperband")
        self.assertEqual(sweep["trials"]["done"], 69)  # 27+9+3+1, 12+4+1, 6+2, 4
        self.assertLess(sweep["best"]["value"], 0.02)
        self.assertEqual(sweep["best"]["config"]["epochs"], 27)
        rows = self.query("select t.parent, t.config, p.config, s.json from trial t join summary s on s.attempt = t.attempt "
                          "left join trial p on p.number = t.parent and p.sweep = t.sweep")
        self.assertEqual(len(rows), 69)
        self.assertEqual(sum(1 for row in rows if row[0]), 20)
        for number, config, parent, first in rows:
            config, parent = json.loads(config), json.loads(parent) if number else {"epochs": 0}
            self.assertEqual(int(first), parent["epochs"])  # trained on from where the other had ended
            if number:
                self.assertEqual(config["epochs"], 3 * parent["epochs"])
                self.assertEqual({**config, "epochs": 0}, {**parent, "epochs": 0})

    def test_printed_example_is_read_by_its_pattern(self):
        sweep = self.run_example("printed")
        self.assertEqual(sweep["best"]["config"], {"depth": 3, "rate": 0.1})
        self.assertAlmostEqual(sweep["best"]["value"], 0.3333, 4)

    def test_wandb_example_runs_unchanged(self):
        sweep = self.run_example("wandb")
        self.assertEqual(sweep["trials"]["done"], 8)
        self.assertAlmostEqual(sweep["best"]["value"], 0.96)
        self.assertEqual(sweep["best"]["config"], {"augment": True, "optimizer": {"lr": 0.01, "name": "adam"}, "width": 8})

    def test_conditional_example_keeps_its_conditions_and_constraints(self):
        sweep = self.run_example("conditional")
        self.assertEqual(sweep["trials"]["done"], 30)
        for (text,) in self.query("select config from trial"):
            config = json.loads(text)
            self.assertEqual("momentum" in config, config["optimizer"] == "sgd")
            self.assertLessEqual(config["layers"] * config["width"], 2048)

    def test_two_agents_example_uses_both(self):
        spec = SOURCE / "examples" / "two-agents" / "sweep.yaml"
        controller = self.start("controller", "--listen", "127.0.0.1:*", "--public-host", "127.0.0.1", "--data", self.data)
        join = controller.stdout.readline().strip()
        for name in ("one", "two"):
            self.start("agent", join, "--name", name, "--slots", "1", "--dir", self.dir / name)
        wait_for(lambda: len(self.trawl("agents", "--json").stdout.splitlines()) == 2, "both agents are there")
        self.trawl("submit", spec)
        wait_for(lambda: self.status()["state"] == "finished", "the sweep is finished")
        self.assertEqual(self.status()["best"]["config"], {"x": 7})
        self.assertEqual(self.query("select count(distinct agent) from attempt"), [(2,)])


if __name__ == "__main__":
    main()
