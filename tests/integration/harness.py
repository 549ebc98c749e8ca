"""What the integration tests share: a directory of their own, the built programs, processes that are always ended.

Only processes that a test started are ever signalled, by id. Waiting is for an event under a deadline, never a plain sleep for luck.
"""

import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

BUILD = pathlib.Path(os.environ["TRAWL_BUILD_DIR"])
SOURCE = pathlib.Path(os.environ["TRAWL_SOURCE_DIR"])
TRAWL = str(BUILD / "bin" / "trawl")
SLOW = float(os.environ.get("TRAWL_TEST_SLOWNESS", "1"))  # sanitizer builds take longer
DEADLINE = 60 * SLOW


def wait_for(condition, what, deadline=DEADLINE):
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"did not happen within {deadline:.0f} s: {what}")
        time.sleep(0.02)


class Case(unittest.TestCase):
    """One temporary directory a test, with .trawl inside."""

    maxDiff = None

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="trawl-test-"))
        self.data = self.dir / ".trawl"
        self.started = []
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("TRAWL_", "WANDB_"))}
        self.env["PATH"] = f"{BUILD / 'bin'}:{self.env['PATH']}"
        self.env["NO_COLOR"] = "1"
        for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def tearDown(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
        self.end_leftovers()
        shutil.rmtree(self.dir, ignore_errors=True)

    def leftovers(self):
        """Processes of this test: those whose environment or command line names its directory."""
        mark = str(self.dir).encode()
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    text = file.read()
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    text += file.read()
                with open(f"/proc/{entry}/stat", "rb") as file:
                    state = file.read().rsplit(b")", 1)[1].split()[0]
            except OSError:
                continue
            if mark in text and state != b"Z":
                found.append(int(entry))
        return found

    def end_leftovers(self):
        for _ in range(50):
            pids = self.leftovers()
            if not pids:
                return
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)

    def write(self, name, text, mode=0o644):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def start(self, *args, **kwargs):
        options = dict(cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, errors="replace")
        options.update(kwargs)
        process = subprocess.Popen([TRAWL, *map(str, args)], **options)
        self.started.append(process)
        return process

    def trawl(self, *args, code=0, input=None, timeout=DEADLINE, **kwargs):
        """Run to the end and check the exit code (None: any)."""
        options = dict(cwd=self.dir, env=self.env, capture_output=True, text=True, errors="replace", timeout=timeout)
        options["input"] = input if input is not None else ""
        options.update(kwargs)
        result = subprocess.run([TRAWL, *map(str, args)], **options)
        if code is not None:
            self.assertEqual(result.returncode, code, f"trawl {args}\n{result.stdout}\n{result.stderr}")
        return result

    def status(self, sweep=""):
        return json.loads(self.trawl("status", sweep, "--json").stdout)

    def query(self, sql, *values):
        """Rows of the database, read as any tool would."""
        connection = sqlite3.connect(f"file:{self.data}/trawl.db?mode=ro", uri=True, timeout=20)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def counts(self):
        if not (self.data / "trawl.db").exists():
            return {}
        try:
            return dict(self.query("select state, count(*) from trial group by state"))
        except sqlite3.OperationalError:
            return {}

    def ledger(self, name="ledger"):
        path = self.dir / name
        return path.read_text().splitlines() if path.exists() else []


def main():
    unittest.main(verbosity=2)
