"""Reports from inside a run of a Trawl sweep. Standard library only.

    import trawl

    run = trawl.init()
    for step in range(run.config.epochs):
        run.log({"loss": loss}, step=step)
        if run.should_stop():
            break
    run.summary["best_loss"] = best
    run.finish()

Inside a run (started by an agent) configuration and reports go through the run directory, as docs/runs.md describes. Outside of one
the same script works too: it writes to ./trawl-runs/<time>-<pid>/ and takes its configuration from the defaults given to init().
Logging never raises for a full disk or a lost directory, never prints and never waits.
"""

import atexit
import json
import os
import signal
import threading
import time

__all__ = ["init", "log", "Run", "Config"]
__version__ = "0.1.0"


class Config(dict):
    """The configuration: a dict whose keys are attributes too; nested mappings likewise."""

    def __init__(self, values=()):
        super().__init__()
        for key, value in dict(values).items():
            self[key] = Config(value) if isinstance(value, dict) else value

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the configuration has no {name!r}; it has {', '.join(sorted(self)) or 'nothing'}") from None

    def __setattr__(self, name, value):
        self[name] = value


class Summary(dict):
    """Values for the whole run; each assignment is reported at once."""

    def __init__(self, run):
        super().__init__()
        self._run = run

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        self._run._write({"summary": {key: _plain(value)}})

    def update(self, *args, **kwargs):
        for key, value in dict(*args, **kwargs).items():
            self[key] = value


def _plain(value):
    """What JSON can carry of a value: numbers of any library (NumPy, PyTorch) as Python's own."""
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        try:
            return _plain(value.item())
        except (ValueError, TypeError, RuntimeError):
            pass
    if hasattr(value, "tolist"):
        return _plain(value.tolist())  # an array: no metric, but what it holds is kept
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


class Run:
    """One run. Made by init()."""

    def __init__(self, config=None, directory=None):
        environ = os.environ
        self.directory = environ.get("TRAWL_RUN_DIR")
        self.managed = self.directory is not None
        if not self.managed:
            stamp = time.strftime("%Y%m%d-%H%M%S")
            self.directory = directory or os.path.join("trawl-runs", f"{stamp}-{os.getpid()}")
        self.sweep = environ.get("TRAWL_SWEEP")
        self.trial = int(environ["TRAWL_TRIAL"]) if environ.get("TRAWL_TRIAL") else None
        self.attempt = int(environ["TRAWL_ATTEMPT"]) if environ.get("TRAWL_ATTEMPT") else None
        self.seed = int(environ["TRAWL_SEED"]) if environ.get("TRAWL_SEED") else None
        self.artifacts = os.path.join(self.directory, "artifacts")
        try:
            os.makedirs(self.artifacts, exist_ok=True)
        except OSError:
            pass  # reporting must not end a training
        self.config = Config(config or {})
        self._load_config()
        self.summary = Summary(self)
        self._path = environ.get("TRAWL_METRICS") or os.path.join(self.directory, "metrics.jsonl")
        self._step = 0
        self._pending = {}
        self._finished = False
        self._asked = False
        self._fd = -1
        try:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            pass

    def _load_config(self):
        path = os.environ.get("TRAWL_CONFIG")
        if path:  # the sweep's values win over the script's defaults
            with open(path, encoding="utf-8") as file:
                for key, value in json.load(file).items():
                    self.config[key] = Config(value) if isinstance(value, dict) else value
        else:
            try:
                with open(os.path.join(self.directory, "config.json"), "w", encoding="utf-8") as file:
                    json.dump(_plain(self.config), file)
            except OSError:
                pass

    def _write(self, record):
        if self._fd < 0:
            return
        line = (json.dumps(record, separators=(",", ":"), allow_nan=True) + "\n").encode()
        try:
            os.write(self._fd, line)  # one write a line: lines of several processes do not mix
        except OSError:
            pass

    def log(self, values, step=None, commit=True):
        """Report metrics of one step: numbers by name, nested ones flattened with dots. Without `step` each call is the next
        step; with commit=False the values wait for the next call."""
        self._pending.update(values)
        if not commit:
            return
        record = {str(key): _plain(value) for key, value in self._pending.items()}
        self._pending = {}
        if step is None:
            step = self._step
        self._step = max(self._step, int(step)) + 1
        record["step"] = int(step)
        record["time"] = time.time()
        self._write(record)

    def should_stop(self):
        """True once this run was asked to end (a stopping rule, cancel, Ctrl-C); it also gets SIGTERM.

        From the first call on, made in the main thread, the SIGTERM of a stopping rule does not end a program that has no handler of
        its own: it has the grace of its sweep (30 s by default) to see this answer and finish well. Any other SIGTERM still ends it.
        """
        if self.managed and not self._asked:
            self._asked = True
            if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._on_term)
        return os.path.exists(os.path.join(self.directory, "stop"))

    def _on_term(self, signum, frame):
        try:
            with open(os.path.join(self.directory, "stop"), encoding="utf-8") as file:
                if file.read().split() == ["stopped"]:
                    return
        except OSError:
            pass
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

    def finish(self):
        """Write what waits and close. Called at exit by itself."""
        if self._finished:
            return
        if self._pending:
            self.log({})
        self._finished = True
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.finish()


_run = None


def init(config=None, directory=None):
    """The run of this process. `config` gives defaults: the sweep's values win. A second call gives the same run."""
    global _run
    if _run is None or _run._finished:
        _run = Run(config, directory)
        atexit.register(_run.finish)
    return _run


def log(values, step=None, commit=True):
    """init().log(...)"""
    init().log(values, step, commit)
