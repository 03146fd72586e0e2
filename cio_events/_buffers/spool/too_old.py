"""Believe the clock that calls of others are too old only when it has said so for a while."""

from __future__ import annotations

import time

from cio_events._process.clock import monotonic

# In seconds: a clock that is wrong when the machine starts is set right within a minute.
CLOCK_SECONDS = 60.0


class TooOld:
    """
    The backlogs that are too old by the clock, and not adopted yet for that.

    What this process has accepted ages by the monotonic clock. How old others' calls are, only
    the clock on the wall tells, which may be days ahead for a moment.

    Args:
        max_age: Over how many seconds a call is too old.
    """

    def __init__(self, max_age: float) -> None:
        self._max_age = max_age
        self._seen: dict[str, tuple[int, float]] = {}  # first accepted when, seen first when

    def is_seen(self, backlog: str, accepted: int | None) -> bool:
        """
        Whether *backlog* is too old at first sight, and has to wait.

        Args:
            backlog: Its name.

            accepted: When its first call was accepted, in Unix milliseconds, if it has one.
        """
        if backlog in self._seen or accepted is None or not self._is_over(accepted):
            return False
        self._seen[backlog] = accepted, monotonic()
        return True

    def waits(self, backlog: str) -> bool:
        """Whether *backlog* is still too old, but not for long enough."""
        if backlog not in self._seen:
            return False
        accepted, since = self._seen[backlog]
        return monotonic() - since < CLOCK_SECONDS and self._is_over(accepted)

    def _is_over(self, accepted: int) -> bool:
        return accepted / 1000 < time.time() - self._max_age
