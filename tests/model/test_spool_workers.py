"""
Whatever happens to workers that share a spool, what they took ends, messages at most once.

A run of many schedules, from a first seed on::

    CIO_SPOOL_SCHEDULES=20000 CIO_SPOOL_SEED=1000 python -m pytest -n 0 -s \
        -o faulthandler_timeout=0 tests/model/test_spool_workers.py

It prints how often each thing has happened.

What fails names its seed; ``CIO_SPOOL_SCHEDULES=1 CIO_SPOOL_SEED=<it>`` shows it again.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from itertools import count

import pytest

from cio_events._buffers.spool import backlog, buffer, too_old, writer
from tests.model.workers import Workers
from tests.support.effort import times

FIRST = int(os.environ.get("CIO_SPOOL_SEED", "0"))
SCHEDULES = int(os.environ.get("CIO_SPOOL_SCHEDULES", times(60)))
STEPS = 30

# Each of these is to happen in a run.
REACHED = {
    *("put", "take", "deliver", "adopt", "close", "kill", "fill", "fill_all", "empty", "copy"),
    *("swap", "damage", "jump", "adopts", "has no credentials"),
}

# And in a long one.
REACHED_AT_LENGTH = {
    *("flip .spool", "cut .spool", "flip .spool-wal", "cut .spool-wal"),
    *("flip .spool-ends", "cut .spool-ends", "flip letters", "cut letters"),
    *("clock -432000", "clock -3600", "clock +0", "clock +3600", "clock +432000"),
}

_jumps = random.Random()
_now: list[Workers] = []


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    # So that files are replaced, and the disk is tried, within a short history.
    monkeypatch.setattr(buffer, "_JOURNAL_BYTES", 50_000)
    monkeypatch.setattr(backlog, "RETRY_INTERVAL", 0.0)
    monkeypatch.setattr(writer, "_LOOK_INTERVAL", 0.0)
    # A clock that is set back and forward, and never stands still; the calls are of this day.
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000 + _moment())
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000 + _moment() / 1e9)
    ticks = count(step=10.0)
    monkeypatch.setattr(too_old, "monotonic", lambda: next(ticks))


def _moment() -> int:
    wrong = _now[-1].clock if _now else 0
    return int(wrong * 1e9) + _jumps.randrange(-10_000, 10_000) * 1_000_000


def test_random_schedules():
    """Nothing is lost, no message goes twice, and each worker's calls arrive in order."""
    reached = Counter()
    for seed in range(FIRST, FIRST + SCHEDULES):
        try:
            _jumps.seed(seed)
            workers = Workers(seed, reached)
            _now[:] = [workers]
            for _ in range(STEPS):
                workers.step()
            workers.end()
        except BaseException as error:
            error.args = (f"seed {seed}: {error}",)
            raise
        finally:
            _now.clear()
    print(dict(reached))
    assert SCHEDULES < 60 or set(reached) >= REACHED
    assert SCHEDULES < 1000 or set(reached) >= REACHED_AT_LENGTH
