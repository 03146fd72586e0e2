"""
The buffer of a relay's engine: calls come from entries of the stream, and entries end with them.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Protocol, TypeAlias

from cio_events._buffers.failures import Failure
from cio_events._delivery.bundle import Bundle
from cio_events._redis.entries import Entry, Kind
from cio_events._relay import letters, scripts
from cio_events._relay.link import ERRORS, FencedError
from cio_events._wire.batch import BATCH_ROOM
from cio_events._wire.envelope import Envelope

if TYPE_CHECKING:
    from cio_events._relay.lease import Lease
    from cio_events._relay.link import Link

Number: TypeAlias = "tuple[str, int]"
"""By which an entry is known, however often it was stored: its publisher and sequence."""

# What is taken at once, and as much again: few enough to stay at hand for the processor.
_ENOUGH = 8_192

# What fills so much of a request travels as it is; smaller entries share one.
_WHOLE_BYTES = BATCH_ROOM // 2

# Of how many entries it is known that they have ended, should Redis come back from before that.
_REMEMBERED = 10_000

# The letters of those may have so much in all.
_REMEMBERED_BYTES = 16 * 1024 * 1024


@dataclass(slots=True, eq=False)
class InHand:
    """
    An entry that was read.

    Attributes:
        number: By which it is known.

        ids: Under which it is in the stream, each with its size there.

        left: How many of its calls have not ended.

        counts: How its calls have ended, as the ledger in Redis counts them.

        letters: What is kept of those that have failed.

        marked: Whether an earlier relay may have sent it, though it must not be sent twice.

        repeats: Those of its ids that were not counted as read, as another one was.
    """

    number: Number
    ids: dict[bytes, int]
    left: int
    counts: Counter[str] = field(default_factory=Counter)
    letters: list[list[bytes]] = field(default_factory=list, repr=False)
    marked: bool = False
    repeats: set[bytes] = field(default_factory=set)

    @property
    def name(self) -> str:
        """Under which it is marked, whatever its ids: a promoted replica may have others."""
        publisher, sequence = self.number
        return f"{publisher}.{sequence}"

    def add(self, id_: bytes, size: int, *, repeats: bool) -> None:
        """It was read under that id."""
        self.ids[id_] = size
        (self.repeats.add if repeats else self.repeats.discard)(id_)


class Ended(Protocol):
    """Is told of entries that have ended."""

    def __call__(self, entry: InHand, *, more: bool = False) -> None:
        """It is *entry*, and *more* are in hand."""


class Memory:
    """The entries that ended last in this process, whoever led in between."""

    def __init__(self) -> None:
        self._entries: dict[Number, InHand] = {}
        self._sizes: dict[Number, int] = {}  # of the letters of those that have some
        self._bytes = 0

    def add(self, entry: InHand) -> None:
        """Remember *entry*, which has ended."""
        self._drop(entry.number)
        self._entries[entry.number] = entry
        if entry.letters:
            size = sum(len(part) for letter in entry.letters for part in letter)
            self._sizes[entry.number] = size
            self._bytes += size
        while len(self._entries) > _REMEMBERED:
            self._drop(next(iter(self._entries)))
        # Of those that have failed only: sent once more, they fail once more.
        while self._bytes > _REMEMBERED_BYTES:
            self._drop(next(iter(self._sizes)))

    def _drop(self, number: Number) -> None:
        self._entries.pop(number, None)
        self._bytes -= self._sizes.pop(number, 0)

    def find(self, number: Number) -> InHand | None:
        """The entry of that *number*, if it has ended here."""
        return self._entries.get(number)


class StreamBuffer:
    """
    Calls from the stream, in its order. They stay there until their entry has ended.

    Args:
        ended: Told of each entry that has, and whether more are in hand.
    """

    def __init__(
        self,
        link: Link,
        lease: Lease,
        memory: Memory,
        ended: Ended,
    ) -> None:
        self._link = link
        self._lease = lease
        self._memory = memory
        self.end = ended
        self._waiting: deque[Envelope | Bundle] = deque()
        self._added = self._taken = 0  # calls; each is counted on one thread
        # By the identity of calls and of bundles: two entries may hold equal ones.
        self._entry_of: dict[int, InHand] = {}
        self._in_hand: dict[Number, InHand] = {}
        self._lock = threading.Lock()  # held while an entry ends, or is found once more
        self.room = threading.Event()

    def add(self, entry: InHand, found: Entry) -> None:
        """Have the calls of *entry*, which is that *found*, delivered."""
        self._in_hand[entry.number] = entry
        if found.kind is Kind.BATCH and len(found.body) >= _WHOLE_BYTES:
            take_apart = partial(self._take_apart, entry, found)
            bundle = Bundle(found.body, found.count, found.size, found.first, take_apart)
            self._entry_of[id(bundle)] = entry
            self._waiting.append(bundle)
        else:
            self._waiting += self._calls_of(entry, found)
        self._added += found.count

    def _take_apart(self, entry: InHand, found: Entry, bundle: Bundle) -> list[Envelope]:
        del self._entry_of[id(bundle)]
        return self._calls_of(entry, found)

    def _calls_of(self, entry: InHand, found: Entry) -> list[Envelope]:
        envelopes = found.envelopes()
        self._entry_of.update(zip(map(id, envelopes), repeat(entry)))
        return envelopes

    def knows(self, number: Number, id_: bytes, size: int, *, repeats: bool) -> bool:
        """
        Whether the entry of that *number*, read as *id_*, is or was in hand; it ends as that does.
        """
        with self._lock:
            ended = None
            entry = self._in_hand.get(number)
            if entry is None:
                ended = entry = self._memory.find(number)
            if entry is None:
                return False
            entry.add(id_, size, repeats=repeats)
            if ended is not None:
                self.end(ended)
            return True

    def take(self, most: int) -> Sequence[Envelope]:
        """The next calls, oldest first; a bundle comes alone."""
        taken = self._next(most)
        self._taken += len(taken)
        self.room.set()
        return taken

    def _next(self, most: int) -> Sequence[Envelope]:
        waiting = self._waiting
        calls: list[Envelope] = []
        while waiting and len(calls) < most:
            following = waiting.popleft()
            if not isinstance(following, Bundle):
                calls.append(following)
            elif calls:
                waiting.appendleft(following)
                break
            else:
                return following
        return calls

    @property
    def has_enough(self) -> bool:
        """Whether more calls wait to be taken than are taken at once."""
        return self._added - self._taken > _ENOUGH

    @property
    def is_idle(self) -> bool:
        """Whether all that was added has ended."""
        with self._lock:
            return not self._in_hand

    def forget(self, envelopes: Sequence[Envelope]) -> None:
        """These calls have arrived."""
        if isinstance(envelopes, Bundle) and envelopes.is_whole:
            entry = self._entry_of.pop(id(envelopes))
            entry.counts["relay_sent"] += len(envelopes)
            self._end_some(entry, len(envelopes))
            return
        # Thousands at a time, of a few entries.
        for entry, count in Counter(map(self._entry_of.pop, map(id, envelopes))).items():
            entry.counts["relay_sent"] += count
            self._end_some(entry, count)

    def dead_letter(self, envelopes: Sequence[Envelope], failures: Sequence[Failure]) -> None:
        """These calls have failed for good."""
        for envelope, failure in zip(envelopes, failures, strict=True):
            entry = self._entry_of.pop(id(envelope))
            entry.counts[f"relay_failed:{failure.reason}"] += 1
            entry.letters.append(letters.fields(envelope, failure, time.time()))
            self._end_some(entry, 1)

    def _end_some(self, entry: InHand, count: int) -> None:
        entry.left -= count
        if not entry.left:
            with self._lock:
                del self._in_hand[entry.number]
                self._memory.add(entry)
                self.end(entry, more=bool(self._in_hand))
            self.room.set()

    # What must not be sent twice.

    def sending(self, envelope: Envelope) -> bool:
        """Mark that a call is about to be sent; returns whether Redis has that for sure."""
        entry = self._entry_of[id(envelope)]
        keys = self._link.keys
        arguments = [self._lease.token, entry.name, self._lease.generation]
        try:
            if self._link.run_surely(scripts.MARK, [keys.lease, keys.marks], arguments):
                return True
        except (FencedError, *ERRORS):
            return False
        self.unsent(envelope)
        return False

    def unsent(self, envelope: Envelope) -> None:
        """It has certainly not arrived."""
        entry = self._entry_of.get(id(envelope))
        keys = self._link.keys
        if entry is not None:
            try:
                arguments = [self._lease.token, entry.name]
                self._link.run(scripts.UNMARK, [keys.lease, keys.marks], arguments)
            except (FencedError, *ERRORS):
                return  # then a later relay takes it for ambiguous, which harms less than twice

    def maybe_sent(self, envelope: Envelope) -> bool:
        """Whether an earlier relay was about to send it, and did not note how that ended."""
        return self._entry_of[id(envelope)].marked

    def close(self, taken: Sequence[Envelope], *, ending: bool = False) -> list[Envelope]:
        """Nothing is lost: all that has not ended is in the stream."""
        return []
