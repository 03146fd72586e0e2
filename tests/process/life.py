"""Lives of processes: scripts that run, fork, are killed and end, and what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.process.endings import FORKING
from tests.support.nursery import OTHERS, Child
from tests.support.programs import BENEATH, program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

ROOT = Path(__file__).parents[2]

# For a whole script: far more than any takes on a loaded machine, less than the suite's guard.
PATIENCE = 60

# What every script begins with. `say` logs a tagged record; `wait` waits for `Running.go`.
PRELUDE = (
    """
import faulthandler, logging, os, signal, sys, threading, time
# Not dump_traceback_later: at its exit, a forked child would wait for the thread of that.
faulthandler.register(signal.SIGALRM, chain=True)
signal.alarm(50)
os.register_at_fork(after_in_child=lambda: signal.alarm(40))
import cio_events

def make(**options):
    return cio_events.configure(site_id="site", api_key="key", **options)

log = logging.getLogger("app")
log.setLevel(logging.INFO)
log.propagate = False
log.addHandler(cio_events.CustomerIOHandler())

def say(name, **tags):
    log.info(name, extra={"cio_customer": "5", **tags})

def wait():
    print("waiting", flush=True)
    sys.stdin.readline()
"""
    + FORKING
)


@dataclass(frozen=True)
class Ended:
    """
    How a script ended.

    Attributes:
        code: Its exit code; negative for a signal.

        out: What it printed.

        err: What it wrote to stderr.
    """

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed, by lines."""
        return self.out.splitlines()


def start(
    script: str, url: str, *, fresh: bool = False, whole: bool = False, **environ: str
) -> Running:
    """
    Begin to run *script*, after the prelude, with the Track API at *url*.

    For `fresh`, when ours and requests are imported is the script's own matter. For *whole*, what
    it leaves at the interpreter's end is.
    """
    code = PRELUDE + textwrap.dedent(script)
    imported = BENEATH if fresh else ()
    return Running(code, url, cwd=ROOT, environ=environ, imported=imported, whole=whole)


def live(
    script: str, url: str, *, fresh: bool = False, whole: bool = False, **environ: str
) -> Ended:
    """Run *script*, after the prelude, to its end."""
    with start(script, url, fresh=fresh, whole=whole, **environ) as running:
        return running.end()


def live_among(imported: Sequence[str], script: str, url: str, **environ: str) -> Ended:
    """Run *script*, which has the prelude where it wants it, with modules of others imported."""
    with Running(script, url, cwd=ROOT, environ=environ, imported=imported) as running:
        return running.end()


def live_in_file(script: str, url: str, file: Path, **environ: str) -> Ended:
    """
    Run *script*, after the prelude, from *file*, which other processes may import.

    Nothing is imported but what it imports.
    """
    file.write_text(PRELUDE + textwrap.dedent(script))
    with Running([sys.executable, str(file)], url, cwd=ROOT, environ=environ) as running:
        return running.end()


class Running:
    """A command that runs in a process group of its own, of which nothing is left at the end."""

    def __init__(
        self,
        command: list[str] | str,
        url: str,
        *,
        cwd: Path,
        environ: dict[str, str],
        imported: Sequence[str] = (),
        whole: bool = False,
    ) -> None:
        """
        Start a command, or a script whose imports are done.

        If it is one of Python's, without that word, or a script that is to have none of ours, it
        begins with modules of others *imported*. A script's end may be a *whole* one.
        """
        env = {
            **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
            # From 3.12 on, a fork beside threads warns; here, it is the point.
            "PYTHONWARNINGS": "ignore:This process:DeprecationWarning",
            "PYTHONPATH": str(ROOT),
            "CIO_TRACK_URL": url,
            # On a loaded machine, what is to be delivered may take a while.
            "CIO_EXIT_TIMEOUT": "20",
            **environ,
        }
        self._process: subprocess.Popen[str] | Child
        if isinstance(command, str):
            self._process = Child(
                command,
                env=env,
                cwd=cwd,
                start_new_session=True,
                imported=(OTHERS, *imported) if imported else (),
                whole=whole,
            )
        elif imported:
            self._process = program(*command, env=env, cwd=cwd, imported=imported, joined=False)
        else:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def line(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def go(self) -> None:
        """Let it go on, once it waits for that."""
        assert self._process.stdin is not None
        assert self.line() == "waiting"
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def send(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> Ended:
        """Wait until it ends."""
        out, err = self._process.communicate(timeout=PATIENCE)
        print(out, err, sep="\n")  # pytest shows it if the test fails
        return Ended(self._process.returncode, out, err)


def names(sandbox: Any) -> list[str]:
    """The names of all events that have arrived, in the order of arrival."""
    return [event.name for event in sandbox.events]


def ids_sent(sandbox: Any) -> list[str]:
    """The ids of all events that were sent, repeats included."""
    return [operation["id"] for request in sandbox.requests for operation in request.body["batch"]]


def ended_well(life: Ended) -> bool:
    """Whether it exited with 0 and nothing on stderr."""
    assert (life.code, life.err) == (0, "")
    return True


def each_once(sandbox: Any) -> bool:
    """Whether no event was sent twice."""
    return set(Counter(ids_sent(sandbox)).values()) <= {1}
