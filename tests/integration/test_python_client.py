"""The Python client: inside a run, outside of one, and the lines it writes."""

import json
import math
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SOURCE, Case, main

CLIENT = SOURCE / "clients" / "python"
VECTORS = SOURCE / "tests" / "vectors" / "metrics"


class Client(Case):
    def script(self, text, **env):
        path = self.write("script.py", text)
        result = subprocess.run([sys.executable, path], cwd=self.dir, env=dict(self.env, PYTHONPATH=str(CLIENT), **env), capture_output=True,
                                text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def lines(self, text, config=None):
        run = self.dir / "run"
        run.mkdir(exist_ok=True)
        (run / "config.json").write_text(json.dumps(config or {"lr": 0.1, "model": {"depth": 3}}))
        out = self.script(text, TRAWL_RUN_DIR=str(run), TRAWL_CONFIG=str(run / "config.json"), TRAWL_METRICS=str(run / "metrics.jsonl"),
                          TRAWL_TRIAL="7", TRAWL_ATTEMPT="9", TRAWL_SEED="11", TRAWL_SWEEP="abc")
        path = run / "metrics.jsonl"
        return out, [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def test_config_has_attributes_and_the_sweep_wins_over_defaults(self):
        out, _ = self.lines("import trawl\nrun = trawl.init({'lr': 5, 'own': 1})\n"
                            "print(run.config.lr, run.config['own'], run.config.model.depth, run.trial, run.attempt, run.seed, run.sweep, run.managed)\n")
        self.assertEqual(out.split(), ["0.1", "1", "3", "7", "9", "11", "abc", "True"])

    def test_log_counts_steps_and_keeps_what_is_not_committed(self):
        _, lines = self.lines("import trawl\nrun = trawl.init()\nrun.log({'a': 1})\nrun.log({'a': 2})\nrun.log({'b': 3}, commit=False)\n"
                              "run.log({'a': 4}, step=10)\nrun.log({'a': 5})\nrun.log({'c': 6}, commit=False)\nrun.finish()\n")
        self.assertEqual([(line["step"], line.get("a"), line.get("b"), line.get("c")) for line in lines],
                         [(0, 1, None, None), (1, 2, None, None), (10, 4, 3, None), (11, 5, None, None), (12, None, None, 6)])

    def test_values_of_other_libraries_and_what_is_not_finite_arrive(self):
        _, lines = self.lines("import trawl\nclass Scalar:\n    def item(self): return 0.5\n"
                              "run = trawl.init()\nrun.log({'s': Scalar(), 'nan': float('nan'), 'inf': float('inf'), 'deep': {'er': [1, Scalar()]}, 'b': True})\n"
                              "run.summary['best'] = Scalar()\nrun.summary.update(note='text')\n")
        self.assertEqual((lines[0]["s"], lines[0]["inf"], lines[0]["deep"], lines[0]["b"]), (0.5, math.inf, {"er": [1, 0.5]}, True))
        self.assertTrue(math.isnan(lines[0]["nan"]))
        self.assertEqual(lines[1:], [{"summary": {"best": 0.5}}, {"summary": {"note": "text"}}])

    def test_should_stop_once_the_agent_says_so(self):
        out, _ = self.lines("import trawl, os\nrun = trawl.init()\nprint(run.should_stop())\nopen(os.path.join(run.directory, 'stop'), 'w').close()\nprint(run.should_stop())\n")
        self.assertEqual(out.split(), ["False", "True"])

    def test_outlives_sigterm_when_a_rule_stops_a_run_that_asks(self):
        text = ("import os, signal, trawl\nrun = trawl.init()\nrun.should_stop()\nopen(os.path.join(run.directory, 'stop'), 'w').write('%s\\n')\n"
                "os.kill(os.getpid(), signal.SIGTERM)\nprint(run.should_stop())\n")
        out, _ = self.lines(text % "stopped")
        self.assertEqual(out.split(), ["True"])
        (self.dir / "run" / "stop").unlink()
        with self.assertRaisesRegex(AssertionError, "-15 != 0"):
            self.lines(text % "cancelled")

    def test_works_without_an_agent(self):
        out = self.script("import trawl\nwith trawl.init({'lr': 0.2}) as run:\n    run.log({'loss': 1})\n    print(run.directory, run.config.lr, run.managed)\n")
        directory, rate, managed = out.split()
        self.assertEqual((rate, managed), ("0.2", "False"))
        self.assertEqual(json.loads((self.dir / directory / "metrics.jsonl").read_text())["loss"], 1)
        self.assertEqual(json.loads((self.dir / directory / "config.json").read_text()), {"lr": 0.2})

    def test_a_second_init_gives_the_same_run_and_finish_may_come_twice(self):
        out, lines = self.lines("import trawl\na = trawl.init()\nb = trawl.init()\nprint(a is b)\ntrawl.log({'x': 1})\na.finish()\na.finish()\n")
        self.assertEqual((out.strip(), len(lines)), ("True", 1))

    def test_a_lost_directory_does_not_end_a_training(self):
        out = self.script("import trawl\nrun = trawl.init()\nrun.log({'x': 1})\nprint('went on')\n", TRAWL_RUN_DIR="/proc/nowhere", TRAWL_METRICS="/proc/nowhere/m")
        self.assertEqual(out.strip(), "went on")

    def test_a_directory_that_cannot_be_made_does_not_end_a_training(self):
        self.write("trawl-runs", "a file where the directory would be")
        out = self.script("import trawl\nrun = trawl.init({'lr': 1})\nrun.log({'x': 1})\nrun.summary['y'] = 2\nprint(run.should_stop(), run.config.lr)\n")
        self.assertEqual(out.split(), ["False", "1"])

    def test_arrays_and_strange_values_do_not_end_a_training(self):
        _, lines = self.lines("import trawl\nclass Array:\n    def item(self): raise ValueError('not one')\n    def tolist(self): return [1.5, 2]\n"
                              "class Odd:\n    def __str__(self): return 'odd'\nclass Number:\n    def __float__(self): return 0.25\n"
                              "run = trawl.init()\nrun.log({'a': Array(), 'o': Odd(), 'n': Number(), 3: 4, 't': (1, None), 'u': '\\ud800'})\n")
        self.assertEqual({key: lines[0][key] for key in ("a", "o", "n", "3", "t")}, {"a": [1.5, 2], "o": "odd", "n": 0.25, "3": 4, "t": [1, None]})

    def test_reads_what_the_c_client_reads(self):
        config = (VECTORS / "config.json").read_text()
        run = self.dir / "run"
        run.mkdir()
        (run / "config.json").write_text(config)
        reads = json.loads((VECTORS / "reads.json").read_text())
        out = self.script("import trawl, json, sys, functools\nrun = trawl.init()\n"
                          f"for read in json.load(open({str(VECTORS / 'reads.json')!r})):\n"
                          "    by_name = functools.reduce(lambda value, key: value[key], read['path'], run.config)\n"
                          "    assert by_name is functools.reduce(getattr, read['path'], run.config) or by_name != by_name\n"
                          "    print(json.dumps(by_name))\n", TRAWL_RUN_DIR=str(run), TRAWL_CONFIG=str(run / "config.json"), TRAWL_METRICS=str(run / "m"))
        self.assertEqual(out.splitlines(), [json.dumps(read["value"]) for read in reads])

    def test_writes_what_the_c_client_writes(self):
        _, lines = self.lines("import trawl, json\nrun = trawl.init()\n"
                              f"for case in json.load(open({str(VECTORS / 'lines.json')!r})):\n"
                              "    if 'log' in case:\n        run.log(case['log'], step=case['step'])\n"
                              "    else:\n        run.summary.update(case['summary'])\n")
        cases = json.loads((VECTORS / "lines.json").read_text())
        self.assertEqual(len(lines), len(cases))
        for line, case in zip(lines, cases):
            self.assertEqual("time" in line, "log" in case)
            line.pop("time", None)
            self.assertEqual(json.dumps(line), json.dumps(case["writes"]), case["about"])

    def test_lines_of_many_processes_do_not_mix(self):
        _, lines = self.lines("import trawl, os\nrun = trawl.init()\nchildren = []\n"
                              "for child in range(8):\n    pid = os.fork()\n    if pid == 0:\n"
                              "        for i in range(200):\n            run.log({'child': child, 'pad': 'x' * 500}, step=i)\n        os._exit(0)\n"
                              "    children.append(pid)\nfor pid in children:\n    os.waitpid(pid, 0)\n")
        self.assertEqual(sorted((line["child"], line["step"]) for line in lines), [(child, i) for child in range(8) for i in range(200)])

    def test_missing_parameter_says_what_there_is(self):
        out, _ = self.lines("import trawl\nrun = trawl.init()\ntry:\n    run.config.nothing\nexcept AttributeError as e:\n    print(e)\n")
        self.assertIn("lr, model", out)


class ParameterFile(Case):
    def test_a_yaml_1_1_reader_gets_the_same_values_from_config_yaml_as_from_config_json(self):
        try:
            import yaml
        except ImportError:
            self.skipTest("PyYAML is not installed")
        self.write("sweep.yaml", "method: grid\ncommand: [sh, -c, 'cp $WANDB_SWEEP_PARAM_PATH c.yaml; cp $TRAWL_CONFIG c.json']\nparameters:\n"
                                 "  lr: {value: 1.0e-05}\n  one: {value: 1.0}\n  huge: {value: 1.0e+30}\n  word: {value: 'no'}\n  date: {value: '2020-01-01'}\n"
                                 "  text: {value: \"a\\nb\\u0085c\\u2028d\\x7f\\U0001F600 ü: {#} 'q'\"}\n  inf: {value: -.inf}\n  octal: {value: '017'}\n  sexagesimal: {value: '1:30'}\n"
                                 "  list: {value: [1, 2.0e-06, 'x', null, true]}\n  deep: {parameters: {er: {value: 0.5}, 'k: {': {value: '~'}}}\n")
        self.trawl("run", "sweep.yaml")
        as_json = json.loads((self.dir / "c.json").read_text())
        as_yaml = yaml.safe_load((self.dir / "c.yaml").read_text())
        self.assertEqual(as_yaml.pop("wandb_version"), 1)
        self.assertEqual(repr({key: member["value"] for key, member in as_yaml.items()}), repr(as_json))
        self.assertEqual(as_json["lr"], 1e-05)
        self.assertEqual(len(as_json), 11)


if __name__ == "__main__":
    main()
