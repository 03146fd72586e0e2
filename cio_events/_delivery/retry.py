"""When a destination is tried again: backoff, the delay a server asks for, and holds."""

from __future__ import annotations

import random

from cio_events._delivery.destination import Hold, TryAgain
from cio_events.options import Options

# A server that asks for more than five minutes is asked again after five.
RETRY_AFTER_CAP = 300.0

# Less would be a loop without a pause.
SHORTEST_DELAY = 0.1

URGENT_SECONDS = 0.5
"""
How long after a failure nothing is sent even for somebody who waits: a process that flushes after
each record must not ask a server that is down each time.
"""

# 2 ** 30 times any delay is over every cap, and still a number.
_DOUBLINGS = 30


def backoff(failures: int, options: Options) -> float:
    """Return how many seconds to wait after that many *failures* in a row, 1 or more."""
    # Full jitter: many processes that lost one server must not come back at one time.
    doublings = min(max(failures - 1, 0), _DOUBLINGS)
    most = min(options.retry_cap, options.retry_base * 2.0**doublings)
    return random.uniform(min(SHORTEST_DELAY, most), most)


def asked_for(verdict: TryAgain | Hold) -> float | None:
    """Return how many seconds the server asked to be left alone; None if it did not."""
    if isinstance(verdict, Hold) or not verdict.delay or verdict.delay < 0:
        return None
    return min(max(verdict.delay, SHORTEST_DELAY), RETRY_AFTER_CAP)


class Pace:
    """
    How soon a destination may be asked again.

    Attributes:
        ready_at: Until then (`monotonic`) nothing is sent.

        held: Whether the settings were refused last.

        failures: Requests that have failed since the last one that succeeded; those that were
            under way together count once.
    """

    def __init__(self) -> None:
        self.ready_at: float = 0.0
        self.held: bool = False
        self.failures = 0
        self._urgent = False
        self._urgent_at = 0.0  # when somebody who waits gets an attempt, whatever the pause
        self._hurried = False  # whether the request under way began during a pause

    def open(self, now: float) -> bool:
        """Whether a request may begin."""
        return now >= self.opens_at(now)

    def opens_at(self, now: float) -> float:
        """Return when one may (`monotonic`)."""
        at = min(self.ready_at, self._urgent_at) if self._urgent else self.ready_at
        return max(at, now)

    def try_now(self) -> None:
        """Let one request begin soon, whatever pause is on, unless the server asked for it."""
        self._urgent = True

    def begin(self, now: float) -> None:
        """Note that a request begins."""
        self._urgent = False
        self._hurried = now < self.ready_at

    def succeeded(self, now: float) -> None:
        """Note that a request was answered."""
        # A request that was under way beside one that failed does not end the pause.
        if now >= self.ready_at or self._hurried:
            self.failures = 0
            self.held = False
            self.ready_at = min(self.ready_at, now)
            self._urgent_at = 0.0

    def pause(
        self, verdict: TryAgain | Hold, now: float, options: Options, *, held: bool = True
    ) -> float:
        """
        Begin a pause after *verdict*; returns how many seconds it lasts.

        With ``held=False`` a `Hold` counts as a failure like any other.
        """
        self.held = held and isinstance(verdict, Hold)
        if now >= self.ready_at or not self.failures:
            self.failures += 1
        asked = asked_for(verdict)
        if self.held:
            delay = options.hold_interval
        elif asked is not None:
            delay = asked
        else:
            delay = backoff(self.failures, options)
        if now + delay >= self.ready_at:
            self.ready_at = now + delay
        urgent_at = now + (URGENT_SECONDS if asked is None else asked)
        self._urgent_at = max(self._urgent_at, urgent_at)
        return delay
