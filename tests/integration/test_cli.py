"""The command line's text faces: help, manual pages, completion, JSON, exit codes, export, logs."""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BUILD, SOURCE, TRAWL, Case, main, wait_for

SWEEP = ("name: small\nmethod: grid\nmetric: {name: loss, goal: maximize}\nparameters: {x: {values: [1, 2, 3]}, 'odd, \"name\"': {value: 'a,b'}}\n"
         "command: [sh, -c, 'echo out ${x}; echo err ${x} >&2; trawl log loss=${x} --step 4; test ${x} -ne 2']\n")


def commands():
    text = subprocess.run([TRAWL, "--help"], capture_output=True, text=True, timeout=60).stdout
    return [match.group(1) for match in re.finditer(r"^  ([a-z]+) {2,}", text, re.M)]


class Help(Case):
    def test_every_command_of_the_design_has_help_that_leads_with_an_example(self):
        expected = {"run", "controller", "agent", "submit", "validate", "plan", "status", "ls", "show", "best", "logs", "why", "pause", "resume",
                    "stop", "cancel", "retry", "export", "suggest", "log", "key", "agents"}
        self.assertLessEqual(expected, set(commands()))
        for command in commands():
            lines = self.trawl(command, "--help").stdout.splitlines()
            self.assertTrue(lines[0].startswith(f"trawl {command}: "), lines[0])
            self.assertTrue(lines[2].startswith("  $ "), f"{command}: {lines[2]}")
            self.assertEqual(self.trawl("help", command).stdout.splitlines(), lines)

    def test_manual_pages_are_good_troff(self):
        groff = shutil.which("groff")
        for command in [None, *commands()]:
            page = self.trawl("man", *([command] if command else [])).stdout
            self.assertIn(".SH", page)
            if groff:
                result = subprocess.run([groff, "-man", "-Tascii", "-ww"], input=page, capture_output=True, text=True, timeout=60)
                self.assertEqual(result.stderr, "", command)

    def test_completion_is_good_shell_and_completes(self):
        for shell in ("bash", "zsh", "fish"):
            script = self.trawl("completion", shell).stdout
            path = self.write(f"completion.{shell}", script)
            if shutil.which(shell):
                result = subprocess.run([shell, "-n", path], capture_output=True, text=True, timeout=60)
                self.assertEqual((result.returncode, result.stderr), (0, ""), shell)
        ask = ("source completion.bash; COMP_WORDS=(trawl %s); COMP_CWORD=%d; _trawl; printf '%%s\\n' \"${COMPREPLY[@]}\"")
        self.assertIn("status", self.bash(ask % ("st", 1)))
        self.assertIn("--slots", self.bash(ask % ("run --sl", 2)))
        self.assertEqual(self.bash(ask % ("export --format j", 3)), ["jsonl"])
        self.write("a sweep.yaml", "")
        self.write("a completion.yaml", "")
        self.assertEqual(self.bash(ask % ("run a", 2) + "; echo ${#COMPREPLY[@]}")[-1], "2")
        for command in commands():
            self.assertIn(command, self.bash(ask % (command, 1)))
            self.assertIn("--help", self.bash(ask % (f"{command} --he", 2)))
        if shutil.which("fish"):
            def fish(line):
                result = subprocess.run(["fish", "-c", f"source completion.fish; complete -C '{line}'"], cwd=self.dir, env=dict(self.env, HOME=str(self.dir)),
                                        capture_output=True, text=True, timeout=60)
                return [answer.split("\t")[0] for answer in result.stdout.splitlines()]
            self.assertEqual(fish("trawl st"), ["status", "stop"])
            self.assertEqual(fish("trawl run --sl"), ["--slots"])
            self.assertEqual(fish("trawl export --format "), ["csv", "jsonl"])

    def bash(self, script):
        return subprocess.run(["bash", "-c", script], cwd=self.dir, env=self.env, capture_output=True, text=True, timeout=60).stdout.split()

    def test_agent_program_has_the_options_of_the_table(self):
        """Names, letters, and which take a value. `ephemeral` is between `trawl run` and its agent."""
        options = self.trawl("agent", "--help").stdout.split("Options\n")[1]
        table = {name: (letter, bool(value)) for letter, name, value in re.findall(r"^  (?:-(.), |    )--([a-z-]+)(?: ([A-Z]+))?(?: |$)", options, re.M)}
        del table["help"]
        source = (SOURCE / "agent" / "main.c").read_text()
        program = {name: (letter, kind == "required") for name, kind, letter in
                   re.findall(r"\{\"([a-z-]+)\", (required|no)_argument, NULL, (?:'(.)'|OPT_[A-Z_]+)\}", source)}
        del program["ephemeral"]
        self.assertEqual(table, program)
        self.assertGreater(len(table), 8)

    def test_version_is_told(self):
        self.assertRegex(self.trawl("--version").stdout, r"^trawl \d+\.\d+\.\d+$")


class Texts(Case):
    def setUp(self):
        super().setUp()
        self.write("sweep.yaml", SWEEP)
        self.trawl("run", "sweep.yaml", code=4)

    def test_json_is_json_everywhere(self):
        for args in (["status"], ["ls"], ["ls", "small"], ["show", "1"], ["best"], ["why", "1"], ["agents"], ["key", "ls"], ["export"],
                     ["export", "--metrics"], ["validate", "sweep.yaml"], ["plan", "sweep.yaml"]):
            out = self.trawl(*args, "--json").stdout
            self.assertTrue(out.strip(), args)
            for line in out.splitlines():
                json.loads(line)
        error = self.trawl("show", "99", "--json", code=3)
        self.assertIn("error", json.loads(error.stdout))

    def test_best_honours_the_goal_and_gives_its_command(self):
        best = json.loads(self.trawl("best", "--json").stdout)
        self.assertEqual((best["value"], best["config"]["x"]), (3, 3))
        command = self.trawl("best", "--command").stdout
        self.assertIn("loss=3", command)
        self.assertEqual(len(self.trawl("best", "--top", "5").stdout.splitlines()), 3)

    def test_export_csv_reads_back(self):
        rows = list(csv.DictReader(io.StringIO(self.trawl("export").stdout)))
        self.assertEqual([row["state"] for row in rows], ["done", "failed", "done"])
        self.assertEqual(rows[2]["x"], "3")
        self.assertEqual(rows[0]['odd, "name"'], "a,b")
        points = list(csv.DictReader(io.StringIO(self.trawl("export", "--metrics").stdout)))
        self.assertEqual([(p["metric"], p["step"], float(p["value"])) for p in points], [("loss", "4", 1.0), ("loss", "4", 2.0), ("loss", "4", 3.0)])
        self.trawl("export", "--format", "jsonl", "-o", "out.jsonl")
        self.assertEqual(len((self.dir / "out.jsonl").read_text().splitlines()), 3)

    def test_logs_show_both_streams_and_why_tells_the_reason(self):
        result = self.trawl("logs", "2")
        self.assertEqual((result.stdout, result.stderr), ("out 2\n", "err 2\n"))
        self.assertEqual(self.trawl("logs", "2", "--stderr").stdout, "")
        why = self.trawl("why", "small:2").stdout
        self.assertIn("exit code 1", why)
        self.assertIn("err 2", why)

    def test_ls_selects_by_state_and_orders_by_value(self):
        failed = [json.loads(line) for line in self.trawl("ls", "--state", "failed", "--json").stdout.splitlines()]
        self.assertEqual([trial["trial"] for trial in failed], [2])
        self.assertEqual(self.trawl("ls", "--state", "odd", code=2).returncode, 2)
        best = [json.loads(line)["trial"] for line in self.trawl("ls", "small", "--best", "--json").stdout.splitlines()]
        self.assertEqual(best[0], 3)

    def test_exit_codes_are_those_of_the_conventions(self):
        self.trawl("show", "99", code=3)
        self.trawl("status", "nosuch", code=3)
        self.trawl("pause", code=8)
        self.trawl("key", "join", code=6)
        self.trawl("nosuch", code=2)
        self.trawl("retry", "small", code=2)

    def test_sweeps_are_found_by_name_and_by_the_start_of_their_id(self):
        key = self.status()["sweep"]
        self.assertEqual(self.status("small")["sweep"], key)
        self.assertEqual(self.status(key[:4])["sweep"], key)

    def test_sql_views_give_one_row_a_trial(self):
        key = self.status()["sweep"]
        rows = self.query(f'select number, state, x, loss from "sweep_{key}" order by number')
        self.assertEqual([(row[0], row[1], row[2], row[3]) for row in rows], [(1, "done", 1, 1.0), (2, "failed", 2, 2.0), (3, "done", 3, 3.0)])

    def test_budget_gives_exit_code_5_and_the_reason(self):
        self.write("budget.yaml", "name: bounded\nmethod: random\nbudget: {trials: 2}\nparameters: {x: {min: 0.0, max: 1.0}}\ncommand: ['true']\n")
        result = self.trawl("run", "budget.yaml", code=5)
        self.assertIn("budget of 2 trials", result.stdout + result.stderr)

    def test_texts_say_the_same_as_json(self):
        shown = self.trawl("show", "3").stdout
        self.assertIn(json.loads(self.trawl("show", "3", "--json").stdout)["state"], shown)
        self.assertRegex(shown, r"(?m)^loss +3$")
        self.assertIn('"x":3', shown)
        listed = self.trawl("ls", "small").stdout.splitlines()
        self.assertEqual([line.split()[:2] for line in listed[1:]], [["1", "done"], ["2", "failed"], ["3", "done"]])
        sweeps = self.trawl("ls").stdout.splitlines()
        self.assertEqual(sweeps[1].split()[:3], [self.status()["sweep"], "small", "finished"])
        best = self.trawl("best").stdout.splitlines()
        self.assertIn("trial 3", best[0])
        self.assertEqual(subprocess.run(self.trawl("best", "--command").stdout, shell=True, cwd=self.dir, env=dict(self.env, TRAWL_RUN_DIR=str(self.dir)),
                                        capture_output=True, text=True, timeout=60).stdout, "out 3\n")

    def test_completion_knows_the_sweeps(self):
        self.write("completion.bash", self.trawl("completion", "bash").stdout)
        result = subprocess.run(["bash", "-c", "source completion.bash; COMP_WORDS=(trawl status ''); COMP_CWORD=2; _trawl; echo ${COMPREPLY[*]}"],
                                cwd=self.dir, env=self.env, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.stdout.split(), [self.status()["sweep"]])

    def test_talk_goes_to_stderr_and_quiet_silences_it(self):
        self.write("other.yaml", "name: other\nmethod: grid\nparameters: {x: {values: [1]}}\ncommand: ['true']\n")
        result = self.trawl("run", "other.yaml", "--json", "--quiet")
        self.assertEqual(result.stderr, "")
        self.assertEqual(json.loads(result.stdout)["state"], "finished")
        self.assertNotIn("\x1b", self.trawl("status").stdout)

    def test_export_is_whole_or_not_there_when_the_file_cannot_be_written(self):
        self.trawl("export", "-o", "nowhere/out.csv", code=3)
        if os.path.exists("/dev/full"):
            self.assertIn("space", self.trawl("export", "-o", "/dev/full", code=1).stderr)


class Live(Case):
    def test_logs_follow_a_run_to_its_end(self):
        self.write("sweep.yaml", "method: grid\nparameters: {x: {values: [1]}}\ncommand: [sh, -c, 'echo one; sleep 1; echo two']\n")
        process = self.start("run", "sweep.yaml")
        wait_for(lambda: self.counts().get("running"), "it runs")
        wait_for(lambda: list((self.data / "logs").rglob("*.out")), "its log is there")
        self.assertEqual(self.trawl("logs", "1", "-f").stdout, "one\ntwo\n")
        process.communicate(timeout=60)

    def test_log_starts_quickly(self):
        (self.dir / "run").mkdir()
        env = dict(self.env, TRAWL_RUN_DIR=str(self.dir / "run"), TRAWL_METRICS=str(self.dir / "run" / "metrics.jsonl"))
        start = time.monotonic()
        for _ in range(50):
            subprocess.run([TRAWL, "log", "x=1"], env=env, check=True)
        print(f"\ntrawl log: {(time.monotonic() - start) / 50 * 1000:.1f} ms each, with the start of a process by Python")
        self.assertEqual(len((self.dir / "run" / "metrics.jsonl").read_text().splitlines()), 50)

    def test_log_refuses_what_is_no_metric(self):
        env = dict(self.env, TRAWL_RUN_DIR=str(self.dir))
        for args in (["novalue"], ["=1"], ["x="], ["x=word"], ["--step", "many", "x=1"], ["--odd", "x=1"], []):
            self.trawl("log", *args, code=2, env=env)
        self.trawl("log", "--summary", "note=some text", "best=0.5", env=env)
        self.trawl("log", "x=nan", "y=-inf", env=env)
        lines = [json.loads(line) for line in (self.dir / "metrics.jsonl").read_text().splitlines()]
        self.assertEqual(lines[0], {"summary": {"note": "some text"}})
        self.assertEqual(lines[2]["y"], float("-inf"))


if __name__ == "__main__":
    main()
