"""Bad input: each gets a clear message that says what to do, and nothing else is lost."""

import os
import re
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import TRAWL, Case, main, wait_for

TRIVIAL = "method: grid\nparameters: {x: {values: [1, 2]}}\ncommand: ['true']\n"


class BadInput(Case):
    def invalid(self, text, *fragments):
        """The spec is refused with file:line:col, everywhere the same."""
        path = self.dir / "bad.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        result = self.trawl("validate", "bad.yaml", code=1)
        self.assertRegex(result.stdout, r"bad\.yaml:\d+:\d+: error: ")
        for fragment in fragments:
            self.assertIn(fragment, result.stdout)
        run = self.trawl("run", "bad.yaml", code=1)
        self.assertRegex(run.stderr, r"bad\.yaml:\d+:\d+: error: ")
        self.assertFalse(self.data.exists(), "a bad spec makes no data directory")

    def test_broken_yaml_is_refused_with_its_place(self):
        self.invalid("method: grid\nparameters: {x: [1, 2\n")

    def test_wrong_types_are_refused(self):
        self.invalid("method: grid\nparameters: 5\ncommand: ['true']\n", "parameters")

    def test_wrong_word_names_the_nearest(self):
        self.invalid("method: gird\nparameters: {x: {values: [1]}}\n", "grid")

    def test_alias_recursion_is_refused_at_once(self):
        self.invalid("a: &a [*a]\n")
        self.invalid("a: &a [x, x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24)))

    def test_gigabyte_spec_is_refused_without_reading_it(self):
        with open(self.dir / "big.yaml", "wb") as file:
            file.truncate(1 << 30)
        result = self.trawl("run", "big.yaml", code=1)
        self.assertIn("larger than", result.stderr)

    def test_missing_spec_is_not_found(self):
        result = self.trawl("run", "nowhere.yaml", code=3)
        self.assertIn("nowhere.yaml", result.stderr)

    def test_unsatisfiable_constraints_stop_the_sweep_with_the_reason(self):
        self.write("sweep.yaml", "method: random\nrun_cap: 5\nparameters: {x: {min: 1, max: 10}}\n"
                                 "constraints: ['x > 100']\ncommand: ['true']\n")
        result = self.trawl("run", "sweep.yaml", code=None)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("x > 100", result.stdout + result.stderr)

    def test_missing_program_pauses_the_sweep_and_says_what_is_missing(self):
        self.write("sweep.yaml", "method: grid\nparameters: {x: {min: 1, max: 1000}}\ncommand: [./nowhere, '${args}']\n")
        result = self.trawl("run", "sweep.yaml", code=8)
        self.assertIn("nowhere", result.stdout + result.stderr)
        self.assertLess(self.counts()["failed"], 50, "not every point is burnt")

    def test_data_directory_of_a_live_controller_is_refused(self):
        self.write("sweep.yaml", TRIVIAL)
        self.start("controller", "--local", "--data", self.data)
        wait_for(lambda: (self.data / "controller.sock").exists(), "the controller is up")
        result = self.trawl("run", "sweep.yaml", code=8)
        self.assertIn("trawl submit", result.stderr)

    def test_port_in_use_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            result = self.trawl("controller", "--listen", f"127.0.0.1:{port}", "--data", self.data, code=None)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(str(port), result.stderr)

    def test_corrupt_database_is_refused_untouched(self):
        self.write("sweep.yaml", TRIVIAL)
        self.trawl("run", "sweep.yaml")
        database = self.data / "trawl.db"
        garbage = b"not a database at all" * 1000
        database.write_bytes(garbage)
        result = self.trawl("run", "sweep.yaml", code=1)
        self.assertIn("trawl.db", result.stderr)
        self.assertEqual(database.read_bytes(), garbage)

    def test_newer_database_is_refused_untouched(self):
        self.write("sweep.yaml", TRIVIAL)
        self.trawl("run", "sweep.yaml")
        import sqlite3
        connection = sqlite3.connect(self.data / "trawl.db")
        connection.execute("pragma user_version = 9999")
        connection.close()
        before = (self.data / "trawl.db").read_bytes()
        result = self.trawl("run", "sweep.yaml", code=1)
        self.assertIn("newer", result.stderr)
        self.assertEqual((self.data / "trawl.db").read_bytes(), before)

    def test_directory_that_others_may_write_is_refused(self):
        self.write("sweep.yaml", TRIVIAL)
        self.data.mkdir()
        self.data.chmod(0o777)
        result = self.trawl("run", "sweep.yaml", code=7)
        self.assertIn("chmod", result.stderr)

    def test_long_metric_line_and_garbage_cost_themselves_only(self):
        self.write("train.py", "import os\n"
                               "with open(os.environ['TRAWL_METRICS'], 'ab') as f:\n"
                               "    f.write(b'{\"loss\": 1}\\n' + b'x' * (10 << 20) + b'\\n\\xff\\xfe\\n{\"loss\": 2}\\n')\n")
        self.write("sweep.yaml", "program: train.py\nmethod: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {values: [1]}}\n")
        self.trawl("run", "sweep.yaml")
        self.assertEqual(self.trawl("export", "--metrics").stdout.count("loss"), 2)
        self.assertRegex(self.trawl("why", "1").stdout, "left out|skipped")

    def test_endless_output_is_bounded_and_told(self):
        self.write("sweep.yaml", "method: grid\nparameters: {x: {values: [1]}}\n"
                                 "command: [sh, -c, 'head -c 200000000 /dev/zero | tr \"\\\\0\" a; echo; echo the end']\n")
        self.trawl("run", "sweep.yaml", timeout=180)
        size = sum(path.stat().st_size for path in (self.data / "logs").rglob("*.out"))
        self.assertLess(size, 80 << 20)
        self.assertIn("left out", self.trawl("logs", "1", "--tail", "3").stdout)
        self.assertIn("the end", self.trawl("logs", "1", "--tail", "3").stdout)
        (dropped,) = self.query("select dropped_bytes from attempt")[0]
        self.assertGreater(dropped, 100 << 20)

    def test_output_that_is_not_utf8_is_kept_byte_for_byte(self):
        self.write("sweep.yaml", "method: grid\nparameters: {x: {values: [1]}}\ncommand: [printf, '\\377\\376\\000\\n']\n")
        self.trawl("run", "sweep.yaml")
        result = subprocess.run([TRAWL, "logs", "1"], cwd=self.dir, env=self.env, capture_output=True, timeout=60)
        self.assertEqual(result.stdout, b"\xff\xfe\0\n")

    def test_full_disk_is_waited_out(self):
        mount = self.dir / "small"
        mount.mkdir()
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs", mount],
                                               capture_output=True).returncode != 0:
            self.skipTest("mounting a small file system is not permitted here")
        try:
            self.data = mount / ".trawl"
            self.write("sweep.yaml", "method: grid\nparameters: {x: {min: 1, max: 30}}\ncommand: [sh, -c, 'echo ${x}; sleep 0.1']\n")
            process = self.start("run", "sweep.yaml", "--data", self.data, "--slots", "2")
            ballast_file = mount / "ballast"
            ballast_file.touch()  # its inode is there before the space is gone
            wait_for(lambda: self.counts().get("done", 0) >= 3, "three are done")
            with open(ballast_file, "wb", buffering=0) as ballast:
                try:
                    while ballast.write(b"x" * 4096):
                        pass
                except OSError:
                    pass
            seen = []
            wait_for(lambda: seen.append(process.stderr.readline()) or "space" in seen[-1], "the full disk is told")
            os.unlink(ballast_file)
            process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, "".join(seen))
            self.assertEqual(self.counts(), {"done": 30})
        finally:
            self.end_leftovers()
            subprocess.run(["umount", "-l", mount], capture_output=True)

    def test_wrong_usage_is_exit_code_2_with_the_nearest_word(self):
        self.assertIn("trawl status", self.trawl("statsu", code=2).stderr)
        self.assertIn("--slots", self.trawl("run", "x.yaml", "--slot", "3", code=2).stderr)
        self.assertIn("whole number", self.trawl("run", "x.yaml", "--slots", "many", code=2).stderr)
        self.assertIn("SPEC", self.trawl("run", code=2).stderr)

    def test_reading_without_a_data_directory_says_how_to_start(self):
        self.assertIn("trawl run", self.trawl("status", code=3).stderr)

    def test_log_outside_a_run_says_so(self):
        result = self.trawl("log", "loss=1", code=1)
        self.assertIn("run", result.stderr)


class Suggest(Case):
    def test_suggest_asks_tells_and_survives_bad_lines(self):
        import json
        self.write("sweep.yaml", "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {values: [1, 2, 3]}}\ncommand: ['true']\n")
        lines = ['{"op":"ask","n":2}', "nonsense", '{"op":"tell","id":1,"value":NaN}', '{"op":"tell","id":2,"value":0.5}',
                 '{"op":"best"}', '{"op":"tell","id":9,"value":1}', '{"op":"tell","id":2,"value":0.1}', '{"op":"ask","n":5}',
                 '{"op":"tell","id":3,"step":5,"value":1.5}', '{"op":"tell","id":3,"state":"failed"}']
        result = self.trawl("suggest", "sweep.yaml", input="\n".join(lines) + "\n")
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(answers[0], {"trials": [{"id": 1, "config": {"x": 1}}, {"id": 2, "config": {"x": 2}}], "exhausted": False})
        self.assertIn("error", answers[1])
        self.assertEqual(answers[2], {"ok": True, "stop": False})
        self.assertEqual(answers[4], {"id": 2, "value": 0.5, "config": {"x": 2}})
        self.assertIn("error", answers[5])
        self.assertIn("error", answers[6])
        self.assertEqual(answers[7], {"trials": [{"id": 3, "config": {"x": 3}}], "exhausted": True})
        self.assertEqual(answers[8:], [{"ok": True, "stop": False}] * 2)


if __name__ == "__main__":
    main()
