"""Early stopping end to end: values arrive, a rule decides, the run is asked to end and ends."""

import json
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SOURCE, Case, main, wait_for

# The run of x = 1 reports twice and is done; that of x = 3 reports on until it is told to stop.
ASKING = f"""\
import sys, time
sys.path.insert(0, {str(SOURCE / "clients" / "python")!r})
import trawl
run = trawl.init()
step = 0
while not run.should_stop() and (run.config.x == 3 or step < 2):
    run.log({{"loss": run.config.x + 0.5 ** step}}, step=step)
    step += 1
    time.sleep(0.02)
with open("ledger", "a") as file:
    file.write(f"{{run.config.x}} {{run.should_stop()}}\\n")
"""


class EarlyStop(Case):
    def test_runs_that_ask_should_stop_end_well_and_why_shows_the_numbers(self):
        self.write("train.py", ASKING)
        self.write("sweep.yaml", "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {values: [1, 3]}}\n"
                                 "early_terminate: {type: hyperband, min_iter: 2}\n"
                                 f"command: [{sys.executable}, train.py]\n")
        result = self.trawl("run", "sweep.yaml", "--slots", "2")
        self.assertEqual(self.query("select number, state from trial order by number"), [(1, "done"), (2, "stopped")])
        self.assertIn("1 done, 1 stopped", result.stdout)
        self.assertEqual(sorted(self.ledger()), ["1 False", "3 True"], "both went to the end of their script")
        self.assertEqual(self.query("select class, code from attempt order by trial"), [("success", 0), ("stopped", 0)])
        why = self.trawl("why", "2").stdout
        self.assertIn("hyperband, band 2: its value there 3.5 is above 1.5, the value at place 1 of the 2 runs that reached the band (eta 3)", why)
        self.assertRegex(why, r"stopped +stopped early; its last value, 3\.\d+, counts")
        self.assertEqual(json.loads(self.trawl("best", "--json").stdout)["trial"], 1)

    def test_a_run_that_does_not_ask_is_terminated(self):
        self.write("sweep.yaml", "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {values: [1, 20]}}\n"
                                 "early_terminate: {type: threshold, above: 10}\n"
                                 "command: [sh, -c, 'trawl log loss=${x}; test ${x} -gt 10 && sleep 1000; echo ${x} >> ledger']\n")
        self.trawl("run", "sweep.yaml", "--slots", "2")
        self.assertEqual(self.query("select number, state, value from trial order by number"), [(1, "done", 1.0), (2, "stopped", 20.0)])
        self.assertEqual(self.ledger(), ["1"])
        self.assertIn("its value is 20.0, above the limit 10.0", self.trawl("why", "2").stdout)
        wait_for(lambda: not self.leftovers(), "every process gone")

    def test_a_run_that_ignores_sigterm_is_killed_after_its_grace(self):
        self.write("sweep.yaml", "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {value: 20}}\ngrace: 500ms\n"
                                 "early_terminate: {type: threshold, above: 10}\n"
                                 "command: [sh, -c, 'trap \"\" TERM; trawl log loss=${x}; while :; do sleep 0.1; done']\n")
        self.trawl("run", "sweep.yaml")
        self.assertEqual(self.query("select state, value from trial"), [("stopped", 20.0)])

    def test_ctrl_c_still_interrupts_a_run_that_asks_should_stop(self):
        self.write("train.py", f"import sys, time\nsys.path.insert(0, {str(SOURCE / 'clients' / 'python')!r})\nimport trawl\nrun = trawl.init()\n"
                               "run.log({'loss': 1})\nwhile not run.should_stop():\n    open('up', 'w').close()\n    time.sleep(0.01)\n")
        self.write("sweep.yaml", "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {value: 1}}\n"
                                 f"command: [{sys.executable}, train.py]\n")
        process = self.start("run", "sweep.yaml")
        wait_for(lambda: (self.dir / "up").exists(), "the run is up")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(self.counts(), {"pending": 1}, "a part of a training is no result")

    def test_the_rule_knows_the_curves_after_kill_9_of_the_controller(self):
        """Trials 1 to 3 have reported and run on; the controller that judges the fourth is another one."""
        self.write("sweep.yaml", "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {values: [1, 2, 3, 9]}}\n"
                                 "early_terminate: {type: median, min_trials: 3}\n"
                                 "command: [sh, -c, 'test ${x} -lt 9 || until test -e go; do sleep 0.05; done; trawl log loss=${x}; "
                                 "until test -e end; do sleep 0.05; done']\n")
        process = self.start("run", "sweep.yaml", "--slots", "4")
        wait_for(lambda: self.data.joinpath("trawl.db").exists() and self.points() == 3, "three values are stored")
        process.kill()
        process.wait()
        self.write("go", "")
        process = self.start("run", "sweep.yaml", "--slots", "4")
        wait_for(lambda: self.counts().get("stopped") == 1, "the fourth is stopped")
        self.write("end", "")
        process.communicate(timeout=120)
        self.assertEqual(self.counts(), {"done": 3, "stopped": 1})
        self.assertIn("9.0, is above 2.0, the median of the means of the 3 other runs", self.trawl("why", "4").stdout)

    def points(self):
        try:
            return self.query("select count(*) from metric_point")[0][0]
        except Exception:  # the tables are not there yet
            return 0


if __name__ == "__main__":
    main()
