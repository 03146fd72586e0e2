"""
Accepted calls in memory: what a process without a spool has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from cio_events.buffers import Failure
from cio_events.wire.envelope import Envelope


class MemoryBuffer:
    """
    A deque, whose ends are safe to use from any thread and any interrupt without a lock.

    What was taken is not kept here: the flushing thread has it.
    """

    def __init__(self) -> None:
        self._waiting: deque[Envelope] = deque()
        self.put = self._waiting.append

    def take(self, most: int) -> list[Envelope]:
        """
        The next calls, oldest first.
        """
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(most, len(waiting)))]

    def forget(self, envelopes: Sequence[Envelope]) -> None:
        """
        Nothing to do.
        """

    def bury(self, envelope: Envelope, failure: Failure) -> None:
        """
        Nothing to do: without a disk, the report in `cio_events.signals` is all there is.
        """
