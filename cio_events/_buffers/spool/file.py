"""The calls of one SQLite file: written in order, taken in order, and done with in any order."""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Container, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias
from zlib import crc32

from cio_events._buffers.spool.descriptors import MARK
from cio_events._buffers.spool.ends import End, Ends
from cio_events._buffers.spool.holds import Hold
from cio_events._buffers.spool.places import Found, Places
from cio_events._buffers.spool.salvage import Row, are_calls, is_call
from cio_events._buffers.spool.sqlite import journal_of, transaction
from cio_events._wire.envelope import Envelope, Route

# Half of SQLite's default: an insert writes one whole page to the journal.
PAGE_BYTES = 2048

SCHEMA = (
    "CREATE TABLE calls (place INTEGER PRIMARY KEY, crc INTEGER NOT NULL, envelope BLOB NOT NULL)",
    # What is below this place is done with. To say so is cheaper than to delete it.
    "CREATE TABLE done (below INTEGER NOT NULL)",
    "INSERT INTO done VALUES (1)",
    # Which calls may have reached Customer.io already, of those that must not be sent twice.
    "CREATE TABLE sending (place INTEGER PRIMARY KEY)",
)

# The newest calls are taken from memory rather than read again, up to so many of so many bytes,
# which is 4 MiB at the most.
_FRESH_MOST, _FRESH_BYTES = 1024, 4096

_LAST_PLACE = 2**31

_seek = os.lseek

_INSERT = "INSERT INTO calls VALUES (?, ?, ?)"

Guard: TypeAlias = Callable[[], AbstractContextManager[object]]


class CallsFile:
    """
    An open file of waiting calls.

    Each has its place, by which they are in order. `append` and `append_all` are for whoever
    holds the guard; all else is for the flushing side, of which there is one at a time.

    Args:
        path: Where it is.

        age: What sorts files by age.

        connection: To it.

        guard: Held while others than `append` and `append_all` use the connection.

        hold: What makes it ours.

        journal: The descriptor of SQLite's journal; -1 if it is not known.

        ends: What was noted of it while it could not be written.

        maybe_sent: Which calls the owner before may have sent; None is not known.

    Attributes:
        path: Where it is.

        age: What sorts files by age.

        guard: As above.

        adopted_bytes: The bytes of the live calls of a file that another process has written.

        unreadable: How many calls turned out to be damaged when they were to be taken.

        unkept: How many calls in it have failed and cannot be kept as dead letters yet.
    """

    def __init__(
        self,
        path: Path,
        age: str,
        connection: sqlite3.Connection,
        guard: Guard,
        hold: Hold,
        journal: int,
        ends: Ends,
        maybe_sent: frozenset[int] | None = frozenset(),
    ) -> None:
        self.path = path
        self.age = age
        self.guard = guard
        self.adopted_bytes: int = 0
        self.unreadable: int = 0
        self.unkept: int = 0
        self._connection = connection
        # One cursor for all: it is never used by two at a time.
        self._execute = connection.cursor().execute
        self._hold = hold
        self._journal = journal
        self._ends = ends
        self._below = 1  # what is below this place is done with, and the file is to say so
        self._unwritten: set[End] = set()  # what is done with above it, likewise
        self._wiped = 1
        self._ended_before: frozenset[int] = frozenset()  # places, as noted beside the file
        self._last: tuple[int, Envelope | None] = (0, None)
        self._fresh: deque[tuple[int, Envelope]] = deque(maxlen=_FRESH_MOST)
        self._absent = 0  # places up to the last that hold no live call
        self._places = Places()
        self._maybe_sent = maybe_sent
        self._marks_lost = False  # whether those of its calls are not all there

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path.name} live={self.live}>"

    @property
    def live(self) -> int:
        """How many calls it holds that are not done with."""
        return self._last[0] - self._absent

    @property
    def last_place(self) -> int:
        """The place of the last call, 0 if there was none."""
        return self._last[0]

    @property
    def exhausted(self) -> bool:
        """Whether every call was taken."""
        return self._places.read_up_to >= self._last[0]

    # For whoever holds the guard.

    def append(self, envelope: Envelope) -> None:
        """
        Write one more call.

        To append the same object again changes nothing, so that a caller whom an exception of a
        signal handler interrupts can just repeat it.
        """
        last, written = self._last
        if written is envelope:
            return
        journal = self._journal
        if journal >= 0 and _seek(journal, 0, os.SEEK_CUR) != MARK:
            self._hold.check()
        place = last + 1
        try:  # noqa: SIM105 - this is what a log call waits for, and suppress() takes longer
            self._execute(_INSERT, (place, crc32(envelope), envelope))
        except sqlite3.IntegrityError:
            # An interrupt came between the insert and what is next: it has its place already.
            pass
        self._last = fresh = (place, envelope)
        if len(envelope) <= _FRESH_BYTES:
            self._fresh.append(fresh)

    def append_all(
        self, envelopes: Sequence[Envelope], sent: Container[Envelope] = frozenset()
    ) -> None:
        """Write more calls, all of them or, if it raises, none; those *sent* may have been so."""
        first = self._last[0] + 1
        rows = [(place, crc32(one), one) for place, one in enumerate(envelopes, first)]
        self._keep(rows, maybe_sent=frozenset(place for place, _, one in rows if one in sent))
        self._last = (rows[-1][0], envelopes[-1])

    def append_taken(self, envelopes: Sequence[Envelope], sent: Container[Envelope]) -> None:
        """Write calls that were taken already, all or none, to a file that has no others yet."""
        first = self._last[0] + 1
        self.append_all(envelopes, sent)
        self._places.take(list(enumerate(envelopes, first)))
        self._places.read_up_to = self._last[0]

    def _keep(self, rows: Sequence[Row], maybe_sent: frozenset[int] | None) -> None:
        """Write calls with their marks, all of them or none."""
        marks = [
            (place,)
            for place, _, envelope in rows
            if (envelope[:1] == Route.APP if maybe_sent is None else place in maybe_sent)
        ]
        with transaction(self._connection):
            self._connection.executemany(_INSERT, rows)
            self._connection.executemany("INSERT INTO sending VALUES (?)", marks)

    # For the flushing side.

    def take(self, most: int) -> list[Envelope]:
        """The next calls, at most so many places on."""
        with self.guard():
            found = self._pop_fresh(most) or self._read(most)
            last = self._last[0]
        places = self._places
        envelopes = places.take(found)
        if len(found) < most or found[-1][0] == last:
            places.read_up_to = last
            missing = last - self._absent - places.in_hand
            self._absent += missing
            self.unreadable += missing
        else:
            places.read_up_to = found[-1][0]
        return envelopes

    def _pop_fresh(self, most: int) -> Sequence[Found]:
        """The next calls, if all that are left are the newest."""
        fresh, read_up_to = self._fresh, self._places.read_up_to
        while fresh and fresh[0][0] <= read_up_to:
            fresh.popleft()
        if len(fresh) != self._last[0] - read_up_to:
            return []
        return [fresh.popleft() for _ in range(min(most, len(fresh)))]

    def _read(self, most: int) -> Sequence[Found]:
        rows = self._execute(
            "SELECT place, crc, envelope FROM calls WHERE place > ? ORDER BY place LIMIT ?",
            (self._places.read_up_to, most),
        ).fetchall()
        ended = self._ended_before
        if not ended and are_calls(rows):
            return [(place, stored) for place, _, stored in rows]
        return [
            (place, stored if place not in ended and is_call(place, crc, stored) else None)
            for place, crc, stored in rows
        ]

    def release(self, envelopes: Sequence[Envelope]) -> tuple[list[int], list[Envelope]]:
        """
        Release those of *envelopes* that were taken from here.

        Returns:
            Their places, for `be_done_with`, and the other envelopes.
        """
        places, others = self._places.release(envelopes)
        if self.adopted_bytes and places:
            self.adopted_bytes -= sum(map(len, envelopes)) - sum(map(len, others))
        return places, others

    def be_done_with(self, places: Sequence[int]) -> None:
        """
        The calls at these places were delivered, or given up.

        Raises:
            sqlite3.Error: The file cannot be written. It is an end all the same: it is noted
                beside the file as far as there is room, and the next time makes up for it.
        """
        self._below, apart = self._places.finish(places)
        self._absent += len(places)
        self._unwritten.update(map(End, apart))
        self.write_ends()

    def write_ends(self) -> None:
        """
        Write what has ended, as far as the file does not say so.

        Raises:
            sqlite3.Error: As above.
        """
        below, unwritten = self._below, self._unwritten
        apart = [(end.place,) for end in unwritten if end.place >= below]
        try:
            with self.guard():
                if apart:
                    with transaction(self._connection):
                        self._connection.executemany("DELETE FROM calls WHERE place = ?", apart)
                if below > self._places.below:
                    self._execute("UPDATE done SET below = ?", (below,))
        except sqlite3.Error:
            self._ends.note(below, unwritten)
            raise
        self._places.below = below
        unwritten.clear()

    def note_failed(self, envelope: Envelope, reason: str, status: int | None) -> None:
        """Note that *envelope* has failed, though it cannot be kept as a dead letter yet."""
        places = self._places.of(envelope)
        if places:
            self._ends.note(self._places.below, [End(places[0], reason, status)])

    def holds(self, envelope: Envelope) -> bool:
        """Whether *envelope* was taken from here and is not done with."""
        return bool(self._places.of(envelope))

    def sending(self, envelope: Envelope) -> None:
        """Note that from now on *envelope* may have reached Customer.io."""
        with self.guard():
            self._execute(
                "INSERT OR IGNORE INTO sending VALUES (?)", self._places.of(envelope)[:1]
            )

    def unsent(self, envelope: Envelope) -> None:
        """Note that *envelope* has certainly not reached Customer.io."""
        with self.guard():
            self._execute("DELETE FROM sending WHERE place = ?", self._places.of(envelope)[:1])

    def maybe_sent(self, envelope: Envelope) -> bool:
        """Whether the owner before may have sent *envelope*."""
        marks = self._maybe_sent
        return marks is None or not marks.isdisjoint(self._places.of(envelope))

    def journal_bytes(self) -> int:
        """The size of SQLite's journal."""
        try:
            return journal_of(self.path).stat().st_size
        except OSError:
            return 0

    def checkpoint(self) -> None:
        """Move the journal's content into the file, so that the journal starts anew."""
        # Most of the waiting for the disk is done here, while nobody waits for the guard.
        descriptor = os.open(journal_of(self.path), os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with self.guard():
            self._execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
