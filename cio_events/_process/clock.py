"""The monotonic clock as it really runs, also where a test has replaced or frozen `time`'s."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial


def _real_clock() -> Callable[[], float]:
    if hasattr(time, "clock_gettime"):
        # Not time.monotonic, of which freezegun replaces every copy that a module has.
        return partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    return partial(time.monotonic)


monotonic: Callable[[], float] = _real_clock()
"""Seconds, as of `time.monotonic`."""
