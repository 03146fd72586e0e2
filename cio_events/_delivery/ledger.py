"""
The ledger: how many calls there were, and what became of them.

It knows counts and bytes only, neither calls nor the network.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from cio_events._exported import exported

NOTHING: Mapping[str, int] = MappingProxyType({})


@exported
@dataclass(frozen=True, slots=True)
class Stats:
    """
    A pipeline's counts at one moment: ``received == sent + failed + dropped + pending``.

    Attributes:
        received: Calls that were handed in, or taken over from a spool.

        sent: Calls that Customer.io, or the Redis of a relay, has accepted.

        failed: Calls that never will be; `failed_by_reason` says why.

        dropped: Calls given up without asking anybody; `dropped_by_reason` says why.

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


class _Ended(NamedTuple):
    """What became of calls, and what is left to be said of it; a new one for each change."""

    sent: int = 0
    failed: Mapping[str, int] = NOTHING
    dropped: Mapping[str, int] = NOTHING
    retries: int = 0
    unannounced: int = 0
    left: int = 0

    def plus(
        self,
        sent: int = 0,
        failed: Mapping[str, int] = NOTHING,
        dropped: Mapping[str, int] = NOTHING,
        unannounced: int = 0,
        retries: int = 0,
    ) -> _Ended:
        """The same and so many more."""
        # Not by _replace(), which makes more objects: they could set off the garbage collector
        # again and again, and each time a finalizer may log, which comes back here.
        return _Ended(
            self.sent + sent,
            _added(self.failed, failed),
            _added(self.dropped, dropped),
            self.retries + retries,
            self.unannounced + unannounced,
            self.left,
        )


# How many calls are pending, their bytes, what became of all others, and the change that has led
# here. All in one, so that each change is made or not made, wherever an interrupt comes.
_Book: TypeAlias = "tuple[int, int, _Ended, object]"

# What takes calls where they wait.
_Enter: TypeAlias = Callable[[Iterable[Any]], object]

_nowhere: _Enter = deque[Any](maxlen=0).extend


class _Change(NamedTuple):
    """A change that waits to be made: what becomes of what is pending, its bytes, and the rest."""

    make: Callable[[int, int, _Ended], tuple[int, int, _Ended]]
    enter: _Enter = _nowhere
    entering: Iterable[Any] = ()


class Ledger:
    """
    The counts of one pipeline, and the bounds on what may be pending.

    What was received is what is pending and what has ended, so that the ledger balances whenever
    it is read.

    Changes may come from any thread, and from within another change: a signal handler or a
    ``__del__`` that logs runs between any two lines of ours. So the lock is re-entrant, and a
    change that has interrupted another is left for the interrupted one to make. If what
    interrupts raises, the change is whole all the same, or was not made.
    """

    def __init__(self, max_pending: int, max_pending_bytes: int) -> None:
        self._max_pending = max_pending
        self._max_pending_bytes = max_pending_bytes
        # The same, with room for what a spool has taken over.
        self._most, self._most_bytes = max_pending, max_pending_bytes
        self._lock = threading.RLock()  # held by whoever changes what follows
        # Whether this thread does so; a flag could be left behind by an exception.
        self._is_changing: Callable[[], bool] = self._lock._is_owned  # type: ignore[attr-defined] # noqa: SLF001
        self._book: _Book = (0, 0, _Ended(), None)
        self._postponed: deque[_Change] = deque()

    @property
    def pending(self) -> int:
        """How many calls wait."""
        return self._book[0]

    @property
    def pending_bytes(self) -> int:
        """How many bytes they have."""
        return self._book[1]

    def admit(self, size: int, enter: _Enter = _nowhere, entering: Iterable[Any] = ()) -> bool:
        """
        Count one more pending call of *size* bytes and have it wait, if there is room.

        Whatever interrupts this, both is done, or neither.

        Args:
            size: Its bytes.

            enter: Takes all that *entering* has to where it waits. It runs no code of Python's.

            entering: An iterator over the call, which has it once: to enter it again does
                nothing.
        """
        if self._is_changing():
            if not self.has_room(size):
                return False
            self._postponed.append(_Change(_adding(1, size), enter, entering))
            return True
        try:
            # By hand, as `with` takes three times as long, and each call comes through here. An
            # interrupt right behind it finds its way to the release below.
            self._lock.acquire()
            if self._postponed:
                self._make_postponed()
            pending, pending_bytes, ended, _ = self._book
            if pending >= self._most or pending_bytes + size > self._most_bytes:
                return False
            self._book = (pending + 1, pending_bytes + size, ended, entering)
            enter(entering)
        except BaseException:
            if self._book[3] is entering:
                enter(entering)
            raise
        finally:
            try:  # noqa: SIM105 - one call, before which no interrupt comes
                self._lock.release()
            except RuntimeError:  # an interrupt came before it was ours
                pass
        if self._postponed:
            self._catch_up()
        return True

    def has_room(self, size: int) -> bool:
        """Whether `admit` would let one more call of *size* bytes in."""
        pending, pending_bytes, _, _ = self._book
        return pending < self._most and pending_bytes + size <= self._most_bytes

    def make_room(self, count: int, size: int) -> None:
        """
        Let the bounds be over all but *count* calls of *size* bytes, which are a spool's adopted.
        """
        self._most = self._max_pending + count
        self._most_bytes = self._max_pending_bytes + size

    def adopt(self, count: int, size: int) -> None:
        """Count calls as pending that a spool has taken over; `make_room` comes first."""
        self._change(_adding(count, size))

    def send(self) -> None:
        """Count a call that is sent before it is pending."""
        self._end(lambda ended: ended.plus(sent=1))

    def fail(self, reason: str) -> None:
        """Count a call that fails before it is pending."""
        self._end(lambda ended: ended.plus(failed={reason: 1}))

    def drop(self, reason: str) -> None:
        """Count a call that is dropped before it is pending."""
        self._end(lambda ended: ended.plus(dropped={reason: 1}))

    def retry(self) -> None:
        """Count a request that is sent again."""
        self._end(lambda ended: ended.plus(retries=1))

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
        count = sent + sum(failed.values()) + sum(dropped.values())
        self._change(
            lambda pending, pending_bytes, ended: (
                pending - count,
                pending_bytes - size,
                ended.plus(sent, failed, dropped, unannounced),
            )
        )

    def lose(self, count: int) -> None:
        """Count pending calls as dropped that were damaged where they waited."""
        # Nobody knows how large they were: their share of what is pending makes room again.
        self._change(
            lambda pending, pending_bytes, ended: (
                pending - count,
                pending_bytes - pending_bytes * count // max(pending, count),
                ended.plus(dropped={"damaged": count}),
            )
        )

    def announced(self, count: int) -> None:
        """The signals of *count* settled calls were sent."""
        self._end(lambda ended: ended.plus(unannounced=-count))

    def hand_over(self) -> None:
        """What is pending now stays in a spool, for whoever opens it next."""
        self._change(
            lambda pending, pending_bytes, ended: (
                pending,
                pending_bytes,
                ended._replace(left=pending),
            )
        )

    def idle(self) -> bool:
        """Whether nothing is pending that we deliver, and every signal has been sent."""
        self._catch_up()
        pending, _, ended, _ = self._book
        return not (self._postponed or pending > ended.left or ended.unannounced)

    def stats(self, in_memory: int) -> Stats:
        """The counts now."""
        self._catch_up()
        pending, _, ended, _ = self._book
        failed, dropped = sum(ended.failed.values()), sum(ended.dropped.values())
        return Stats(
            received=ended.sent + failed + dropped + pending,
            sent=ended.sent,
            failed=failed,
            dropped=dropped,
            pending=pending,
            retries=ended.retries,
            failed_by_reason=dict(ended.failed),
            dropped_by_reason=dict(ended.dropped),
            in_memory=in_memory,
        )

    def _end(self, end: Callable[[_Ended], _Ended]) -> None:
        self._change(lambda pending, pending_bytes, ended: (pending, pending_bytes, end(ended)))

    def _change(self, make: Callable[[int, int, _Ended], tuple[int, int, _Ended]]) -> None:
        self._postponed.append(_Change(make))
        self._catch_up()

    def _catch_up(self) -> None:
        # Again, as an interrupt may have postponed its change as long as the lock was held.
        while self._postponed and not self._is_changing():
            with self._lock:
                self._make_postponed()

    def _make_postponed(self) -> None:
        """Make each change once, also one in whose midst an exception came before."""
        while self._postponed:
            change = self._postponed[0]
            pending, size, ended, made = self._book
            if made is not change:
                pending, size, ended = change.make(pending, size, ended)
                # Of what was lost, nobody knows the size.
                self._book = (pending, max(size, 0) if pending else 0, ended, change)
            change.enter(change.entering)
            self._postponed.popleft()


def _adding(count: int, size: int) -> Callable[[int, int, _Ended], tuple[int, int, _Ended]]:
    return lambda pending, pending_bytes, ended: (pending + count, pending_bytes + size, ended)


def _added(counts: Mapping[str, int], more: Mapping[str, int]) -> Mapping[str, int]:
    if not more:
        return counts
    return {**counts, **{reason: counts.get(reason, 0) + more[reason] for reason in more}}
