"""Short-lived children of a soaked process: each logs, and ends as a row of the table has it."""

from __future__ import annotations

import json
import os
import re
import signal
import time

import cio_events
from tests.process.endings import FORKING, MODULES, scripts
from tests.soak.records import log_one, logger, set_up

SCRIPTS = list(scripts().items())

# Where a child's settings are, and those of its own children.
_SETTINGS = "SOAKED_CHILD"

_PATIENCE = 5.0

# Seconds after which one is taken for hung.
_LONGEST = 60


def fork_one(name: str, number: int, settings: dict[str, str]) -> None:
    """
    Fork a child that ends by the row of that *number*, and wait for it.

    Args:
        name: Of its customer.

        number: The row's, counted on from the last one to the first.

        settings: The ``url`` and ``spool`` of its pipeline, and its ``notes``.
    """
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    for one in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(one, signal.SIG_DFL)
    signal.alarm(_LONGEST)
    # Whoever waits for the end of the process's own output does not wait for this one's.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    ending, script = SCRIPTS[number % len(SCRIPTS)]
    os.environ[_SETTINGS] = json.dumps({**settings, "name": name, "ending": ending})
    given = {**globals(), "__name__": "endings", "ENDING": ending, "importable": work}
    # Of our own table.
    exec(compile(MODULES + FORKING + script, ending, "exec"), given)
    raise SystemExit


def work(ending: str | None = None) -> None:
    """Log one event."""
    settings = json.loads(os.environ[_SETTINGS])
    if not logger.handlers:  # of a child's child, which was not forked
        set_up(settings["url"], settings["spool"])
    slug = re.sub(r"\W+", "-", ending or settings["ending"])
    log_one(f"{settings['name']}/{slug}", 0, {}, settings["notes"])


def work_and_wait(ending: str | None = None) -> None:
    """Log one, and wait for it; a fault may last longer."""
    work(ending)
    cio_events.get_pipeline().flush(_PATIENCE)


def work_in_time(ending: str | None = None) -> None:
    """Log one, and wait until it is gone."""
    work(f"{ending or ''}-in-time")
    end = time.monotonic() + _PATIENCE
    while cio_events.get_pipeline().stats().pending and time.monotonic() < end:
        time.sleep(0.01)


def work_and_look(ending: str | None = None) -> None:
    """Log one, as `work` does."""
    work(ending)
