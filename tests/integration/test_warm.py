"""A warm start: prior trials from sweeps and files, configurations to try first, and what is said of them."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Case, main, wait_for

RUN = "command: [sh, -c, 'trawl log loss=${x}']\n"
OLD = ("name: old\nmethod: grid\nmetric: {name: loss, goal: minimize}\n"
       "parameters: {x: {values: [0.1, 0.2, 0.5, 0.9]}, k: {values: [a, 'b,\"c']}, gone: {value: 1}}\n"
       "command: [sh, -c, 'test ${x} != 0.5 || exit 1; trawl log loss=${x}']\n")
NEW = ("name: new\nmethod: bayes\nseed: 3\nrun_cap: 6\nmetric: {name: loss, goal: minimize}\n"
       "parameters: {x: {min: 0.0, max: 1.0}, k: {values: [a, 'b,\"c']}, fixed: {value: 7}}\nconstraints: [x < 0.8]\n") + RUN
RANDOM = "name: plain\nmethod: random\nseed: 5\nrun_cap: 4\nmetric: {name: loss}\nparameters: {x: {min: 0.0, max: 1.0}, n: {min: 1, max: 9}}\n" + RUN


class Priors(Case):
    def setUp(self):
        super().setUp()
        self.write("old.yaml", OLD)
        self.write("new.yaml", NEW)
        self.trawl("run", "old.yaml", code=4)

    def priors(self):
        return self.query('select state, "values", config from prior order by number')

    def test_sweep_and_its_exports_give_the_same_priors(self):
        self.trawl("export", "old", "-o", "old.csv")
        self.trawl("export", "old", "--format", "jsonl", "-o", "old.jsonl")
        found = []
        for source in ("old", "old.csv", "old.jsonl"):
            result = self.trawl("submit", "new.yaml", "--prior", source)
            self.assertIn(f"{source}: 6 of 8 prior trials are used", result.stderr)
            self.assertIn("no such parameter: gone", result.stderr)
            self.assertIn("does not satisfy the constraint 'x < 0.8'", result.stderr)
            sweep = result.stdout.split()[1]
            found.append(self.query('select prior.state, "values", config from prior join sweep on sweep.id = prior.sweep '
                                    "where key = ? order by number", sweep))
            self.assertEqual(self.status(sweep)["state"], "running")
        self.assertEqual(len(found[0]), 6)
        self.assertEqual(found[0][0], ("done", "[0.1]", '{"fixed":7,"k":"a","x":0.1}'))
        self.assertEqual([row[0] for row in found[0]].count("failed"), 2)
        self.assertIn('{"fixed":7,"k":"b,\\"c","x":0.2}', [row[2] for row in found[0]])
        self.assertEqual(found[1], found[0])
        self.assertEqual(found[2], found[0])

    def test_priors_count_nowhere_and_survive_a_restart(self):
        self.trawl("run", "new.yaml", "--prior", "old", "--slots", 1)
        status = self.status("new")
        self.assertEqual((status["trials"]["done"], status["priors"]), (6, 6))
        self.assertIn("of 6 trials", self.trawl("why", "1").stdout)  # the first of the sweep: the model has the priors alone
        configs = self.query("select config from trial join sweep on sweep.id = trial.sweep where name = 'new' order by number")
        again = self.trawl("run", "--new", "new.yaml", "--prior", "old", "--slots", 1, "--data", "other", code=3)
        self.assertIn("no such file, and no such sweep", again.stderr)
        # The same when its process ends between the priors and the first trial.
        self.trawl("submit", "new.yaml", "--prior", "old")
        self.trawl("run", "new.yaml", "--prior", "old", "--slots", 1)
        after = self.query("select config from trial where sweep = (select max(id) from sweep) order by number")
        self.assertEqual(after, configs)
        result = self.trawl("run", "new.yaml", "--prior", "old", "--slots", 1)
        self.assertIn("the 6 prior trials that it was made with", result.stderr)
        self.assertEqual(self.query("select count(*) from prior where sweep = (select max(id) from sweep)"), [(6,)])

    def test_rows_that_do_not_fit_are_left_out_with_their_place(self):
        self.write("bad.jsonl", '{"config":{"x":0.1,"k":"a"},"value":1}\n\n{"config":{"x":2,"k":"a"},"value":1}\n{"config":{"k":"a"},"value":1}\n'
                                '{"config":{"x":0.2,"k":"a"}}\n{"config":{"x":0.2,"k":"a"},"value":NaN}\n'
                                '{"config":{"x":0.3,"k":"a"},"state":"failed"}\n{"config":{"x":0.3,"k":"a"},"state":"running","value":2}\n')
        result = self.trawl("submit", "new.yaml", "--prior", "bad.jsonl")
        for text in ("bad.jsonl:3: left out: 'x' is 2, which is not a number from 0 to 1", "bad.jsonl:4: left out: 'x' is missing",
                     "bad.jsonl:5: left out: it has no value", "bad.jsonl:8: left out: it is running", "3 of 7 prior trials are used"):
            self.assertIn(text, result.stderr)
        self.assertEqual([row[:2] for row in self.priors()], [("done", "[1.0]"), ("done", '["NaN"]'), ("failed", None)])
        self.write("t.csv", "k,loss,x,comment\na,0.5,0.25,one\na,oops,0.25,\n\"b,\"\"c\",1e-3,0.5,\n")
        result = self.trawl("submit", "new.yaml", "--prior", "t.csv")
        self.assertIn("t.csv:3: left out: the loss 'oops' is not a number", result.stderr)
        self.assertIn("no such parameter: comment", result.stderr)
        self.assertIn("t.csv: 2 of 3 prior trials are used", result.stderr)

    def test_several_objectives_come_from_exports(self):
        text = NEW.replace("metric: {name: loss, goal: minimize}", "metrics: [{name: loss}, {name: size, goal: maximize}]").replace(
            "loss=${x}", "loss=${x} size=2").replace("constraints: [x < 0.8]\n", "")
        self.write("two.yaml", text)
        self.trawl("run", "two.yaml", "--slots", 1)
        self.trawl("export", "-o", "two.csv")
        self.trawl("export", "--format", "jsonl", "-o", "two.jsonl")
        for source in (self.status()["sweep"], "two.csv", "two.jsonl"):
            result = self.trawl("submit", "two.yaml", "--prior", source)
            self.assertIn(f"{source}: 6 of 6 prior trials are used", result.stderr)
            rows = self.query('select "values" from prior where sweep = (select max(id) from sweep)')
            self.assertEqual([json.loads(row[0])[1] for row in rows], [2.0] * 6)

    def test_bad_sources_are_errors_and_leave_nothing_behind(self):
        before = self.query("select count(*) from sweep")
        self.write("random.yaml", RANDOM)
        self.write("empty.csv", "")
        self.write("none.csv", "x,k\n0.1,a\n")
        self.write("short.csv", "x,k,value\n0.1,a\n")
        self.write("open.csv", 'x,k,value\n"0.1,a,3\n')
        self.write("bad.jsonl", '{"config":{}}\n{nonsense}\n')
        for source, text, code in (("empty.csv", "it has no finished trials", 1), ("none.csv", "not one of its 1 trials can be used", 1),
                                   ("short.csv", "short.csv: line 2: 2 cells, and the header has 3", 1),
                                   ("open.csv", "open.csv: line 2: a quote is opened and not closed", 1),
                                   ("bad.jsonl", "bad.jsonl:2: ", 1), ("nowhere", "--prior nowhere: there is no such file, and no such sweep", 3)):
            for command in ("run", "submit", "suggest"):
                result = self.trawl(command, "new.yaml", "--prior", source, code=code)
                self.assertIn(text, result.stderr, (command, source))
        for command in ("run", "submit", "suggest"):
            self.assertIn("method random does not learn", self.trawl(command, "random.yaml", "--prior", "old", code=1).stderr)
        self.assertEqual(self.query("select count(*) from sweep"), before)


class Enqueue(Case):
    def configs(self, sweep=""):
        lines = self.trawl("export", sweep, "--format", "jsonl").stdout.splitlines()
        return [json.loads(line)["config"] for line in lines]

    def test_what_is_enqueued_is_tried_first_and_the_method_goes_on_as_it_would(self):
        self.write("plain.yaml", RANDOM)
        self.trawl("run", "plain.yaml", "--slots", 1)
        alone = self.configs()
        self.trawl("submit", "plain.yaml")
        self.write("good.csv", "n,x\n4,0.25\n,0.75\n")
        result = self.trawl("enqueue", "", '{"x": 0.5}', "--file", "good.csv")
        self.assertEqual(result.stdout, "trial 1\ntrial 2\ntrial 3\n")
        self.assertIn("3 enqueued by a person wait", self.trawl("status").stdout)
        self.assertEqual(self.status()["enqueued"], 3)
        self.trawl("run", "plain.yaml", "--slots", 1)
        configs = self.configs()
        self.assertEqual([config["x"] for config in configs], [0.5, 0.25, 0.75, alone[0]["x"]])
        self.assertEqual((configs[1]["n"], configs[3]), (4, alone[0]))
        self.assertIn("enqueued by a person; drawn at random: n", self.trawl("why", "1").stdout)
        self.assertRegex(self.trawl("why", "2").stdout, "enqueued +enqueued by a person\n")
        self.assertTrue(json.loads(self.trawl("show", "2", "--json").stdout)["enqueued"])
        self.assertFalse(json.loads(self.trawl("show", "4", "--json").stdout)["enqueued"])

    def test_finished_sweep_runs_again_within_its_caps(self):
        self.write("grid.yaml", "method: grid\nrun_cap: 4\nmetric: {name: loss}\nparameters: {x: {values: [1, 2, 3]}}\n" + RUN)
        self.trawl("run", "grid.yaml")
        self.assertEqual(self.status()["state"], "finished")
        self.trawl("enqueue", self.status()["sweep"], '{"x": 2}')
        self.trawl("run", "grid.yaml")
        self.assertEqual((self.status()["state"], self.counts()), ("finished", {"done": 4}))
        error = self.trawl("enqueue", "", '{"x": 1}', code=8).stderr
        self.assertIn("room for 0 more configurations, not 1", error)
        self.assertIn("trawl submit --continue", error)
        self.write("grid.yaml", "method: grid\nrun_cap: 5\nmetric: {name: loss}\nparameters: {x: {values: [1, 2, 3]}}\n" + RUN)
        self.trawl("submit", "--continue", "grid.yaml")
        self.assertEqual(self.trawl("enqueue", "", '{"x": 1}').stdout, "trial 5\n")
        self.trawl("run", "grid.yaml")
        self.assertEqual((self.status()["state"], self.counts()), ("finished", {"done": 5}))

    def test_learning_method_hears_of_them(self):
        self.write("new.yaml", NEW)
        self.trawl("submit", "new.yaml")
        self.trawl("enqueue", "new", "-", input='{"x":0.3,"k":"a"}\n{"config":{"x":0.31}}\n')
        self.trawl("run", "new.yaml", "--slots", 1)
        why = [self.trawl("why", str(number)).stdout for number in range(1, 7)]
        self.assertIn("enqueued by a person", why[0])
        self.assertIn("enqueued by a person; drawn at random: k", why[1])
        self.assertEqual(sum("initial design" in text for text in why), 4)
        self.assertEqual(self.counts(), {"done": 6})

    def test_live_controller_takes_them(self):
        self.write("plain.yaml", RANDOM.replace("run_cap: 4", "run_cap: 5"))
        self.start("controller", "--local")
        wait_for(lambda: self.data.exists() and list(self.data.glob("*sock*")), "the controller serves")
        self.trawl("submit", "plain.yaml")
        self.trawl("pause")
        self.trawl("enqueue", "plain", '{"x": 0.5, "n": 1}')
        self.assertIn("paused", self.trawl("enqueue", "plain", '{"x": 0.25, "n": 2}').stderr)
        self.trawl("resume")
        self.start("agent", "--slots", 1)
        wait_for(lambda: self.counts().get("done") == 5, "all trials are done")
        self.assertEqual([config["x"] for config in self.configs()][:2], [0.5, 0.25])
        self.trawl("controller", "--stop")

    def test_bad_configurations_are_errors_and_none_is_taken(self):
        self.write("new.yaml", NEW)
        self.trawl("submit", "new.yaml")
        self.write("bad.csv", "x,kk\n0.1,a\n")
        self.write("bad.jsonl", '{"x":0.1}\n{"x":"a"}\n')
        for args, text, code in ((['{"y": 1}'], "'y' is not a parameter of this sweep", 1), (['{"x": 3}'], "which is not a number from 0 to 1", 1),
                                 (['{"x": 0.1}', '{"x": 0.9}'], "configuration 2: it does not satisfy the constraint 'x < 0.8'", 1),
                                 (["{x}"], "configuration {x}: ", 1), ([], "no configuration is given", 2),
                                 (["--file", "bad.csv"], "bad.csv:2: 'kk' is not a parameter", 1), (["-f", "bad.jsonl"], "bad.jsonl:2: 'x' is", 1),
                                 (["-f", "no.csv"], "no.csv", 3), (['{"x":0.1}'] * 7, "room for 6 more configurations, not 7", 8)):
            result = self.trawl("enqueue", "new", *args, code=code)
            self.assertIn(text, result.stderr)
        self.assertEqual(self.counts(), {})


class Suggest(Case):
    def talk(self, spec, *lines, args=()):
        self.write("s.yaml", spec)
        out = self.trawl("suggest", "s.yaml", *args, input="".join(json.dumps(line) + "\n" for line in lines)).stdout
        return [json.loads(line) for line in out.splitlines()]

    def test_enqueued_ones_come_next_and_say_why(self):
        plain = self.talk(RANDOM, {"op": "ask", "n": 2})[0]["trials"]
        answers = self.talk(RANDOM, {"op": "enqueue", "config": {"x": 0.5}}, {"op": "enqueue", "config": {"z": 1}},
                            {"op": "ask", "n": 2, "why": True}, {"op": "tell", "id": 1, "value": 3}, {"op": "ask"}, {"op": "best"})
        self.assertEqual(answers[0], {"ok": True, "id": 1})
        self.assertIn("'z' is not a parameter", answers[1]["error"])
        self.assertEqual([trial["why"] for trial in answers[2]["trials"]], ["enqueued by a person", None])
        self.assertEqual(answers[2]["trials"][0]["config"]["x"], 0.5)
        self.assertEqual(answers[2]["trials"][1]["config"], plain[0]["config"])
        self.assertEqual(answers[4]["trials"][0]["config"], plain[1]["config"])
        self.assertEqual(answers[5]["id"], 1)

    def test_prior_results_are_learned_from(self):
        rows = [{"op": "prior", "config": {"x": x / 20, "k": "a"}, "value": (x / 20 - 0.3) ** 2} for x in range(12)]
        rows += [{"op": "prior", "config": {"x": 0.1, "k": "a"}, "state": "failed"}]
        answers = self.talk(NEW, *rows, {"op": "prior", "config": {"x": 9}, "value": 1}, {"op": "prior", "config": {"x": 0.1, "k": "a"}},
                            {"op": "ask", "why": True}, {"op": "best"})
        self.assertEqual(answers[:13], [{"ok": True}] * 13)
        self.assertIn("not a number from 0 to 1", answers[13]["error"])
        self.assertIn("it has no value", answers[14]["error"])
        self.assertIn("of 13 trials", answers[15]["trials"][0]["why"])
        self.assertIsNone(answers[16]["id"])
        self.write("p.jsonl", "".join(json.dumps({"config": row["config"], "value": row["value"]}) + "\n" for row in rows[:12]))
        self.assertIn("of 12 trials", self.talk(NEW, {"op": "ask", "why": True}, args=("--prior", "p.jsonl"))[0]["trials"][0]["why"])
        self.assertIn("does not learn", self.talk(RANDOM, rows[0])[0]["error"])


class Validate(Case):
    def test_options_of_every_method_are_json_and_a_table(self):
        text = self.trawl("validate", "-", "--json", code=1, input="method: nonsense\nparameters: {x: {value: 1}}\n").stdout
        self.assertFalse(json.loads(text)["valid"])
        methods = ["grid", "random", "sobol", "bayes", "tpe", "cmaes", "hyperband", "bohb"]
        with_options = 0
        for method in methods:
            budget = "strategy: {budget: n}\n" if method in ("hyperband", "bohb") else ""
            spec = f"program: x\nmethod: {method}\nmetric: {{name: loss}}\n{budget}parameters: {{x: {{values: [1, 2, 3, 4, 5]}}, n: {{min: 1, max: 9}}}}\n"
            document = json.loads(self.trawl("validate", "-", "--json", input=spec).stdout)
            table = self.trawl("validate", "-", input=spec).stdout
            self.assertEqual(document["strategy"]["method"], method)
            for option in document["strategy"]["options"]:
                with_options += 1
                self.assertIn(option["kind"], ("int", "float", "bool", "word", "text"))
                self.assertTrue(re.search(rf"^{option['name']} ", table, re.M), option["name"])
                if option["kind"] == "word":
                    self.assertIn(option["value"], option["words"])
                elif option["kind"] in ("int", "float"):
                    self.assertLessEqual(option["min"], option["value"])
                    self.assertTrue(option["max"] is None or option["value"] <= option["max"])
            if budget:
                options = {option["name"]: option for option in document["strategy"]["options"]}
                self.assertEqual((options["budget"]["value"], options["budget"]["default"], options["budget"]["given"]), ("n", None, True))
        self.assertGreater(with_options, 5)

    def test_options_are_shown_with_the_values_in_force(self):
        self.write("s.yaml", "program: x\nmethod: sobol\nstrategy: {scramble: false}\nparameters: {x: {min: 0.0, max: 1.0}}\n")
        text = self.trawl("validate", "s.yaml").stdout
        self.assertRegex(text, r"scramble +false +true +true, false")
        self.assertEqual(self.trawl("validate", "s.yaml", "-q").stdout, "")
        strategy = json.loads(self.trawl("validate", "s.yaml", "--json").stdout)["strategy"]
        self.assertEqual((strategy["method"], len(strategy["options"])), ("sobol", 1))
        self.assertEqual({key: strategy["options"][0][key] for key in ("name", "kind", "value", "default", "given")},
                         {"name": "scramble", "kind": "bool", "value": False, "default": True, "given": True})


if __name__ == "__main__":
    main()
