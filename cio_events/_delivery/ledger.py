"""
The ledger: how many calls there were, and what became of them.

It knows counts and bytes only, neither calls nor the network.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cio_events._exported import exported

NOTHING: Mapping[str, int] = MappingProxyType({})


@exported
@dataclass(frozen=True, slots=True)
class Stats:
    """
    A pipeline's counts at one moment: ``received == sent + failed + dropped + pending``.

    Attributes:
        received: Calls that were handed in, or taken over from a spool.

        sent: Calls that Customer.io has accepted.

        failed: Calls that never will be; `failed_by_reason` says why.

        dropped: Calls given up without asking Customer.io; `dropped_by_reason` says why.

        pending: Calls that wait.

        retries: Requests that were sent again.

        in_memory: How many of the pending calls are not in the spool, since its disk is full or
            broken; always 0 without a spool.
    """

    received: int
    sent: int
    failed: int
    dropped: int
    pending: int
    retries: int
    failed_by_reason: Mapping[str, int] = field(default_factory=dict)
    dropped_by_reason: Mapping[str, int] = field(default_factory=dict)
    in_memory: int = 0


class Ledger:
    """
    The counts of one pipeline, and the bounds on what may be pending.

    What is pending is what was received and has not ended, so that the ledger balances whenever
    it is read.

    Changes may come from any thread, and from within another change: a signal handler or a
    ``__del__`` that logs runs between any two lines of ours. So the lock is re-entrant, and a
    change that has interrupted another is left for the interrupted one to make.
    """

    def __init__(self, max_pending: int, max_pending_bytes: int) -> None:
        self._max_pending = max_pending
        self._max_pending_bytes = max_pending_bytes
        # The same, with room for what a spool has taken over.
        self._most, self._most_bytes = max_pending, max_pending_bytes
        self._lock = threading.RLock()  # guards all that follows
        self._changing = False
        self._postponed: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self.pending_bytes: int = 0
        self._received = 0
        self._ended = 0
        self._sent = 0
        self._failed: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._retries = 0
        self._unannounced = 0
        self._left = 0

    @property
    def pending(self) -> int:
        """How many calls wait."""
        return self._received - self._ended

    def admit(self, size: int) -> bool:
        """Count one more pending call of *size* bytes, if there is room."""
        # Quicker by hand, but an interrupt right behind acquire() would leave it locked.
        with self._lock:
            if (
                self._received - self._ended >= self._most
                or self.pending_bytes + size > self._most_bytes
            ):
                return False
            if self._changing:
                self._postponed.append((self._receive, (1, size)))
                return True
            self._changing = True
            try:
                self.pending_bytes += size
                self._received += 1
            finally:
                self._changing = False
            if self._postponed:
                self._catch_up()
            return True

    def has_room(self, size: int) -> bool:
        """Whether `admit` would let one more call of *size* bytes in."""
        return self.pending < self._most and self.pending_bytes + size <= self._most_bytes

    def make_room(self, count: int, size: int) -> None:
        """
        Let the bounds be over all but *count* calls of *size* bytes, which are a spool's adopted.
        """
        self._most = self._max_pending + count
        self._most_bytes = self._max_pending_bytes + size

    def adopt(self, count: int, size: int) -> None:
        """Count calls as pending that a spool has taken over; `make_room` comes first."""
        self._change(self._receive, count, size)

    def withdraw(self, size: int) -> None:
        """Take back that a call of *size* bytes was admitted: its caller was interrupted."""
        self._change(self._receive, -1, -size)

    def fail(self, reason: str) -> None:
        """Count a call that fails before it is pending."""
        self._change(self._refuse, self._failed, reason)

    def drop(self, reason: str) -> None:
        """Count a call that is dropped before it is pending."""
        self._change(self._refuse, self._dropped, reason)

    def retry(self) -> None:
        """Count a request that is sent again."""
        self._change(self._add_retry)

    def settle(
        self,
        size: int,
        *,
        sent: int = 0,
        failed: Mapping[str, int] = NOTHING,
        dropped: Mapping[str, int] = NOTHING,
        unannounced: int = 0,
    ) -> None:
        """
        Move calls, of *size* bytes together, from pending to where they ended.

        So many of them count as *unannounced* until `announced` says that they are.
        """
        self._change(self._settle, size, sent, failed, dropped, unannounced)

    def lose(self, count: int) -> None:
        """Count pending calls as dropped that were damaged where they waited."""
        self._change(self._lose, count)

    def announced(self, count: int) -> None:
        """The signals of *count* settled calls were sent."""
        self._change(self._add_unannounced, -count)

    def hand_over(self) -> None:
        """What is pending now stays in a spool, for whoever opens it next."""
        self._change(self._leave)

    def idle(self) -> bool:
        """Whether nothing is pending that we deliver, and every signal has been sent."""
        with self._lock:
            self._catch_up()
            return not (self._postponed or self.pending > self._left or self._unannounced)

    def stats(self, in_memory: int) -> Stats:
        """The counts now."""
        with self._lock:
            if self._changing:
                return self._read(in_memory)
            self._catch_up()
            self._changing = True
            try:
                return self._read(in_memory)
            finally:
                self._changing = False
                self._catch_up()

    def _read(self, in_memory: int) -> Stats:
        received, sent = self._received, self._sent
        failed, dropped = dict(self._failed), dict(self._dropped)
        all_failed, all_dropped = sum(failed.values()), sum(dropped.values())
        return Stats(
            received=received,
            sent=sent,
            failed=all_failed,
            dropped=all_dropped,
            pending=received - sent - all_failed - all_dropped,
            retries=self._retries,
            failed_by_reason=failed,
            dropped_by_reason=dropped,
            in_memory=in_memory,
        )

    def _change(self, change: Callable[..., None], *args: object) -> None:
        with self._lock:
            self._postponed.append((change, args))
            self._catch_up()

    def _catch_up(self) -> None:
        # Twice a loop, as an interrupt may postpone its change while the inner one ends.
        while self._postponed and not self._changing:
            self._changing = True
            try:
                while self._postponed:
                    change, args = self._postponed.popleft()
                    change(*args)
            finally:
                self._changing = False

    # Each adds to what was received first and to what has ended last: a reader that has
    # interrupted it finds more pending, never less.

    def _receive(self, count: int, size: int) -> None:
        self.pending_bytes += size
        self._received += count

    def _refuse(self, column: Counter[str], reason: str) -> None:
        self._received += 1
        column[reason] += 1
        self._ended += 1

    def _leave(self) -> None:
        self._left = self.pending

    def _add_retry(self) -> None:
        self._retries += 1

    def _add_unannounced(self, count: int) -> None:
        self._unannounced += count

    def _lose(self, count: int) -> None:
        # Nobody knows how large they were: their share of what is pending makes room again.
        size = self.pending_bytes * count // max(self.pending, count)
        self._settle(size, 0, NOTHING, {"damaged": count}, 0)

    def _settle(
        self,
        size: int,
        sent: int,
        failed: Mapping[str, int],
        dropped: Mapping[str, int],
        unannounced: int,
    ) -> None:
        count = sent + sum(failed.values()) + sum(dropped.values())
        self._unannounced += unannounced
        self._sent += sent
        self._failed.update(failed)
        self._dropped.update(dropped)
        self._ended += count
        # Of what was lost, nobody knows the size.
        self.pending_bytes = max(self.pending_bytes - size, 0) if self.pending else 0
