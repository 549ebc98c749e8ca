"""Several objectives end to end: the front in best, export, status and run; a restart in the middle; bad input; `trawl suggest`."""

import csv
import io
import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SOURCE, Case, main, wait_for

HEAD = "name: two\nmethod: random\nseed: 3\nparameters: {x: {min: 0.0, max: 1.0}, y: {min: 0.0, max: 1.0}}\n"
METRICS = "metrics: [{name: loss, goal: minimize}, {name: gain, goal: maximize}]\n"


def dominates(a, b):
    """Less loss and more gain is better."""
    return a[0] <= b[0] and a[1] >= b[1] and a != b


def front_of(values):
    """Numbers of the trials that none dominates; of equal ones the first."""
    front = {number for number, v in values.items() if not any(dominates(w, v) for w in values.values())}
    return sorted(n for n in front if not any(m < n and values[m] == values[n] for m in front))


def hypervolume(points, reference):
    """Of points (loss, gain) against (loss, gain), by a sweep."""
    total, height = 0.0, reference[1]
    for loss, gain in sorted(points, key=lambda p: (p[0], -p[1])):
        if loss < reference[0] and gain > height:
            total += (reference[0] - loss) * (gain - height)
            height = gain
    return total


class Objectives(Case):
    def run_example(self):
        return self.trawl("run", "sweep.yaml", "--data", self.data, "--slots", "4", cwd=SOURCE / "examples" / "two-objectives")

    def values(self):
        rows = self.query("select number, value, others from trial where state = 'done'")
        return {number: (value, json.loads(others)[0]) for number, value, others in rows}

    def test_example_has_its_known_front_everywhere(self):
        shown = self.run_example().stdout
        values = self.values()
        self.assertEqual(len(values), 12)
        expected = front_of(values)
        self.assertEqual(len(expected), 5)
        self.assertIn("front of 5 trials, hypervolume", shown)
        self.assertNotIn("best configuration", shown)

        best = json.loads(self.trawl("best", "--json").stdout)
        self.assertEqual(sorted(trial["trial"] for trial in best), expected)
        errors = [trial["values"]["error"] for trial in best]
        self.assertEqual(errors, sorted(errors))
        self.assertEqual(best[0]["values"]["error"], best[0]["value"])
        table = self.trawl("best").stdout.splitlines()
        self.assertEqual(table[0].split(), ["trial", "error", "speed", "depth", "width"])
        self.assertEqual(len(table), 6)
        self.assertIn("and 3 more on the front", self.trawl("best", "--top", "2").stdout)

        status = self.status()
        worst = (max(v[0] for v in values.values()), min(v[1] for v in values.values()))
        self.assertIsNone(status["best"])
        self.assertEqual(status["objectives"], [{"name": "error", "goal": "minimize"}, {"name": "speed", "goal": "maximize"}])
        self.assertEqual(sorted(status["front"]["trials"]), expected)
        self.assertEqual(status["front"]["reference"], {"error": worst[0], "speed": worst[1]})
        self.assertAlmostEqual(status["front"]["hypervolume"], hypervolume(values.values(), worst))
        volume = float(self.trawl("best", "--hypervolume", "--reference", "0.5,1").stdout)
        self.assertAlmostEqual(volume, hypervolume(values.values(), (0.5, 1)))

        rows = list(csv.DictReader(io.StringIO(self.trawl("export", "--front").stdout)))
        self.assertEqual([int(row["trial"]) for row in rows], expected)
        self.assertEqual({int(row["trial"]): (float(row["value"]), float(row["speed"])) for row in rows},
                         {number: values[number] for number in expected})
        lines = self.trawl("export", "--front", "--format", "jsonl").stdout.splitlines()
        self.assertEqual([json.loads(line)["trial"] for line in lines], expected)

    def test_bad_use_is_told_what_to_do(self):
        self.run_example()
        for option, words in ((["--hypervolume", "--reference", "1"], "2 numbers"), (["--hypervolume", "--reference", "1,2,3"], "2 numbers"),
                              (["--hypervolume", "--reference", "1,inf"], "2 numbers"), (["--reference", "1,2"], "for --hypervolume"),
                              (["--command"], "several objectives")):
            self.assertIn(words, self.trawl("best", *option, code=2).stderr)

    def test_run_that_lacks_an_objective_fails_and_is_not_on_the_front(self):
        self.write("sweep.yaml", "method: grid\nparameters: {x: {values: [1, 2, 3]}}\n" + METRICS +
                   "command: [sh, -c, 'trawl log loss=${x}; test ${x} = 2 || trawl log gain=${x}']\n")
        self.trawl("run", "sweep.yaml", code=4)
        self.assertEqual(self.query("select t.number, a.class from trial t join attempt a on a.trial = t.id where t.state = 'failed'"),
                         [(2, "no_metric")])
        self.assertEqual(self.status()["front"]["trials"], [1, 3])

    def test_sweep_ends_when_one_trial_meets_all_targets(self):
        self.write("sweep.yaml", "method: grid\nparallel: 1\nparameters: {x: {values: [1, 2, 3, 4, 5, 6]}}\n"
                   "metrics: [{name: loss, target: 2.5}, {name: gain, goal: maximize, target: 1.5}]\n"
                   "command: [sh, -c, 'trawl log loss=${x} gain=$(( ${x} % 4 ))']\n")
        # 1: loss only; 2: both
        self.trawl("run", "sweep.yaml", "--slots", "1")
        self.assertEqual(self.status()["trials"]["done"], 2)
        self.assertIn("target", self.status()["reason"])

    def test_objectives_are_read_from_what_is_printed(self):
        self.write("sweep.yaml", "method: grid\nparameters: {x: {values: [1, 2]}}\n"
                   "metrics: [{name: loss, pattern: 'loss (\\d+)'}, {name: gain, goal: maximize, pattern: 'gain (\\d+)'}]\n"
                   "command: [sh, -c, 'echo loss ${x} gain 5; echo gain 7']\n")
        self.trawl("run", "sweep.yaml")
        self.assertEqual(self.values(), {1: (1.0, 7.0), 2: (2.0, 7.0)})

    def test_front_is_the_same_after_kills_and_restarts(self):
        self.write("sweep.yaml", HEAD + METRICS + "run_cap: 40\nrepeats: 2\n"
                   "command: [sh, -c, 'sleep 0.02; trawl log loss=${x} gain=${y}']\n")
        for wanted in (6, 14, 24):
            process = self.start("run", "sweep.yaml", "--slots", "2")
            wait_for(lambda: self.counts().get("done", 0) >= wanted or process.poll() is not None, "some trials are done")
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
        self.trawl("run", "sweep.yaml", "--slots", "2")
        values = self.values()
        self.assertEqual(len(values), 40)
        configs = dict(self.query("select number, config from trial"))
        for number, (loss, gain) in values.items():
            config = json.loads(configs[number])
            self.assertEqual((loss, gain), (config["x"], config["y"]))
        self.assertEqual(sorted(self.status()["front"]["trials"]), front_of(values))


class Suggest(Case):
    def talk(self, spec, *lines):
        self.write("sweep.yaml", spec)
        result = self.trawl("suggest", "sweep.yaml", input="".join(json.dumps(line) + "\n" for line in lines))
        return [json.loads(line) for line in result.stdout.splitlines()]

    def test_tells_take_values_by_name_and_in_order(self):
        answers = self.talk(HEAD + METRICS, {"op": "ask", "n": 4}, {"op": "tell", "id": 1, "values": {"gain": 3, "loss": 2}},
                            {"op": "tell", "id": 2, "values": [1, 1]}, {"op": "tell", "id": 3, "values": [3, "-Infinity"]},
                            {"op": "tell", "id": 4, "state": "failed"}, {"op": "best"})
        self.assertEqual([answer.get("ok") for answer in answers[1:5]], [True] * 4)
        front = {point["id"]: point["values"] for point in answers[5]["front"]}
        self.assertEqual(front, {1: {"loss": 2.0, "gain": 3.0}, 2: {"loss": 1.0, "gain": 1.0}})

    def test_bad_tells_are_refused_and_may_be_mended(self):
        bad = [({"value": 1}, "\"values\" is needed"), ({"values": [1]}, "list of 2"), ({"values": {"loss": 1}}, "gain"),
               ({"values": {"loss": 1, "gain": "x"}}, "gain"), ({"values": {"loss": 1, "gain": 1, "other": 1}}, "other"),
               ({"values": 3}, "object by name"), ({"values": [1, None]}, "gain"), ({"value": 1, "values": [1, 2]}, "not both"), ({}, "value")]
        answers = self.talk(HEAD + METRICS, {"op": "ask"}, *({"op": "tell", "id": 1, **members} for members, _ in bad),
                            {"op": "tell", "id": 1, "values": [1, 2]})
        for (members, words), answer in zip(bad, answers[1:]):
            self.assertIn(words, answer.get("error", ""), members)
        self.assertEqual(answers[-1], {"ok": True, "stop": False})

    def test_one_objective_takes_value_or_values(self):
        answers = self.talk(HEAD + "metric: {name: loss}\n", {"op": "ask", "n": 3}, {"op": "tell", "id": 1, "value": 2},
                            {"op": "tell", "id": 2, "values": {"loss": 1}}, {"op": "tell", "id": 3, "values": [3]}, {"op": "best"})
        self.assertEqual((answers[4]["id"], answers[4]["value"]), (2, 1.0))


if __name__ == "__main__":
    main()
