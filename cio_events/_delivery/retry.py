"""
When a destination is tried again: backoff, the delay a server asks for, and holds.
"""

from __future__ import annotations

import random

from cio_events._delivery.destination import Hold, TryAgain
from cio_events.options import Options

# A server that asks for more than five minutes is asked again after five.
RETRY_AFTER_CAP = 300.0

# 2 ** 30 times any delay is over every cap, and still a number.
_DOUBLINGS = 30


def backoff(failures: int, options: Options) -> float:
    """
    Return how many seconds to wait after that many *failures* in a row, 1 or more.
    """
    # Full jitter: many processes that lost one server must not come back at one time.
    doublings = min(failures - 1, _DOUBLINGS)
    return random.uniform(0, min(options.retry_cap, options.retry_base * 2.0**doublings))


class Pace:
    """
    How soon a destination may be asked again.

    Attributes:
        ready_at: Until then (`time.monotonic`) nothing is sent.

        held: Whether the settings were refused last.

        failures: Requests without success since the last one with; those that were under way
            together count once.
    """

    def __init__(self) -> None:
        self.ready_at: float = 0.0
        self.held: bool = False
        self.failures = 0

    def succeeded(self, now: float) -> None:
        """
        Note that a request was answered.
        """
        # A request that was under way beside one that failed does not end the pause.
        if now >= self.ready_at:
            self.failures = 0
            self.held = False

    def pause(self, verdict: TryAgain | Hold, now: float, options: Options) -> float:
        """
        Begin a pause after *verdict*; returns how many seconds it lasts.
        """
        self.held = isinstance(verdict, Hold)
        if now >= self.ready_at:
            self.failures += 1
        if isinstance(verdict, Hold):
            delay = options.hold_interval
        elif verdict.delay is not None and verdict.delay > 0:
            delay = min(verdict.delay, RETRY_AFTER_CAP)
        else:
            delay = backoff(self.failures, options)
        self.ready_at = max(self.ready_at, now + delay)
        return delay
