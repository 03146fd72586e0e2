"""
Whatever happens to workers that share a spool, what they took ends, messages at most once.

A run of many schedules, from a first seed on::

    CIO_SPOOL_SCHEDULES=20000 CIO_SPOOL_SEED=1000 python -m pytest -n 0 \
        tests/model/test_spool_workers.py

What fails names its seed; ``CIO_SPOOL_SCHEDULES=1 CIO_SPOOL_SEED=<it>`` shows it again.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from cio_events._buffers.spool import backlog, buffer, ownership, writer
from tests.model.workers import Workers
from tests.support.effort import times

pytestmark = pytest.mark.alone

FIRST = int(os.environ.get("CIO_SPOOL_SEED", "0"))
SCHEDULES = int(os.environ.get("CIO_SPOOL_SCHEDULES", times(60)))
STEPS = 30

_jumps = random.Random()


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    # So that files are replaced, and the disk is tried, within a short history.
    monkeypatch.setattr(buffer, "_JOURNAL_BYTES", 50_000)
    monkeypatch.setattr(backlog, "RETRY_INTERVAL", 0.0)
    monkeypatch.setattr(writer, "_LOOK_INTERVAL", 0.0)
    now = time.time_ns()
    # A clock that is set back now and then.
    monkeypatch.setattr(
        ownership.time, "time_ns", lambda: now + _jumps.randrange(-10_000, 10_000) * 1_000_000
    )


def test_random_schedules():
    """Nothing is lost, no message goes twice, and each worker's calls arrive in order."""
    for seed in range(FIRST, FIRST + SCHEDULES):
        try:
            _jumps.seed(seed)
            workers = Workers(seed)
            for _ in range(STEPS):
                workers.step()
            workers.end()
        except BaseException as error:
            error.args = (f"seed {seed}: {error}",)
            raise
