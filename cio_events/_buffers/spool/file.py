"""One SQLite file of waiting calls, owned by the one process that has it open."""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TypeAlias
from zlib import crc32

from cio_events._buffers.spool import sqlite
from cio_events._buffers.spool.places import Found, Places
from cio_events._buffers.spool.salvage import Row, intact, marks_of, salvage
from cio_events._buffers.spool.sqlite import journal_of, transaction
from cio_events._wire.envelope import Envelope

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

_INSERT = "INSERT INTO calls VALUES (?, ?, ?)"

Guard: TypeAlias = Callable[[], AbstractContextManager[object]]


class SpoolFile:
    """
    An open file of waiting calls.

    Each has its place, by which they are in order. `append` and `append_all` are for whoever
    holds the guard; all else is for the flushing side, of which there is one at a time.

    Args:
        path: Where it is.

        age: What sorts files by age.

        connection: To it.

        guard: Held while others than `append` and `append_all` use the connection.

    Attributes:
        path: Where it is.

        age: What sorts files by age.

        guard: As above.

        adopted_bytes: The bytes of the live calls of a file that another process has written.

        unreadable: How many calls turned out to be damaged when they were to be taken.
    """

    def __init__(self, path: Path, age: str, connection: sqlite3.Connection, guard: Guard) -> None:
        self.path = path
        self.age = age
        self.guard = guard
        self.adopted_bytes: int = 0
        self.unreadable: int = 0
        self._connection = connection
        # One cursor for all: it is never used by two at a time.
        self._execute = connection.cursor().execute
        self._last: tuple[int, Envelope | None] = (0, None)
        self._fresh: deque[tuple[int, Envelope]] = deque(maxlen=_FRESH_MOST)
        self._absent = 0  # places up to the last that hold no live call
        self._places = Places()
        self._maybe_sent: frozenset[int] = frozenset()

    def __repr__(self) -> str:
        return f"<SpoolFile {self.path.name} live={self.live}>"

    @property
    def live(self) -> int:
        """
        How many calls it holds that are not done with.
        """
        return self._last[0] - self._absent

    @property
    def exhausted(self) -> bool:
        """
        Whether every call was taken.
        """
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
        place = last + 1
        try:  # noqa: SIM105 - this is what a log call waits for, and suppress() takes longer
            self._execute(_INSERT, (place, crc32(envelope), envelope))
        except sqlite3.IntegrityError:
            # An interrupt came between the insert and what is next: it has its place already.
            pass
        self._last = fresh = (place, envelope)
        if len(envelope) <= _FRESH_BYTES:
            self._fresh.append(fresh)

    def append_all(self, envelopes: Sequence[Envelope]) -> None:
        """
        Write more calls, all of them or, if it raises, none.
        """
        first = self._last[0] + 1
        rows = [(place, crc32(one), one) for place, one in enumerate(envelopes, first)]
        self._fill(rows)
        self._last = (rows[-1][0], envelopes[-1])

    def _fill(self, rows: Sequence[Row]) -> None:
        with transaction(self._connection):
            self._connection.executemany(_INSERT, rows)

    # For the flushing side.

    def take(self, most: int) -> list[Envelope]:
        """
        The next calls, at most so many places on.
        """
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
        """
        The next calls, if all that are left are the newest.
        """
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
        return [(place, stored if intact(crc, stored) else None) for place, crc, stored in rows]

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

    def be_done_with(self, places: list[int]) -> None:
        """
        The calls at these places were delivered, or given up.
        """
        below, apart = self._places.finish(places)
        self._absent += len(places)
        with self.guard():
            if apart:
                with transaction(self._connection):
                    rows = [(place,) for place in apart]
                    self._connection.executemany("DELETE FROM calls WHERE place = ?", rows)
            if below > self._places.below:
                self._execute("UPDATE done SET below = ?", (below,))
        self._places.below = below

    def holds(self, envelope: Envelope) -> bool:
        """
        Whether *envelope* was taken from here and is not done with.
        """
        return bool(self._places.of(envelope))

    def sending(self, envelope: Envelope) -> None:
        """
        Note that from now on *envelope* may have reached Customer.io.
        """
        with self.guard():
            self._execute(
                "INSERT OR IGNORE INTO sending VALUES (?)", self._places.of(envelope)[:1]
            )

    def unsent(self, envelope: Envelope) -> None:
        """
        Note that *envelope* has certainly not reached Customer.io.
        """
        with self.guard():
            self._execute("DELETE FROM sending WHERE place = ?", self._places.of(envelope)[:1])

    def maybe_sent(self, envelope: Envelope) -> bool:
        """
        Whether the owner before may have sent *envelope*.
        """
        return not self._maybe_sent.isdisjoint(self._places.of(envelope))

    def journal_bytes(self) -> int:
        """
        The size of SQLite's journal.
        """
        try:
            return journal_of(self.path).stat().st_size
        except OSError:
            return 0

    def checkpoint(self) -> None:
        """
        Move the journal's content into the file, so that the journal starts anew.
        """
        # Most of the waiting for the disk is done here, while nobody waits for the guard.
        descriptor = os.open(journal_of(self.path), os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with self.guard():
            self._execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    # The file's life.

    def count(self) -> tuple[int, int]:
        """
        Find out what a file holds that was just claimed: how many calls, of how many bytes.

        Raises:
            sqlite3.Error: It is damaged.
        """
        places = self._places
        (places.below,) = self._execute("SELECT below FROM done").fetchone()
        places.read_up_to = places.below - 1
        last, count, size = self._execute(
            "SELECT max(place), count(*), total(length(envelope)) FROM calls WHERE place >= ?",
            (places.below,),
        ).fetchone()
        sending = self._execute("SELECT place FROM sending").fetchall()
        self._maybe_sent = frozenset(place for (place,) in sending)
        self._last = (last or places.read_up_to, None)
        self._absent = self._last[0] - count
        return count, int(size)

    def rescue(self, damaged: SpoolFile) -> tuple[int, int]:
        """
        Write here, into a new file, what can still be read in *damaged*, and go on in its place.

        Returns:
            How many calls it has that were not taken yet, and how many of such are lost.

        Raises:
            sqlite3.Error: This file cannot be written.
        """
        places = damaged._places
        untaken = damaged.live - places.in_hand
        saved, last = 0, damaged._last[0]
        with damaged.guard():
            places.below, maybe_sent = marks_of(
                damaged._execute, places.below, damaged._maybe_sent
            )
            places.read_up_to = max(places.read_up_to, places.below - 1)
            for rows in salvage(damaged._execute, places):
                self._fill(rows)
                saved += sum(place > places.read_up_to for place, _, _ in rows)
                last = max(last, *(place for place, _, _ in rows))
        with transaction(self._connection):
            self._execute("UPDATE done SET below = ?", (places.below,))
            self._connection.executemany(
                "INSERT INTO sending VALUES (?)", [(place,) for place in maybe_sent]
            )
        self._places = places
        self._maybe_sent = maybe_sent
        self.adopted_bytes = damaged.adopted_bytes
        self._last = (last, None)
        self._absent = last - saved - places.in_hand
        return saved, max(untaken - saved, 0)

    def leave_to_parent(self) -> None:
        """
        In a forked child: see to it that the parent's file is never closed here.
        """
        sqlite.immortal(self._connection)

    def close(self) -> None:
        """
        Give it up: whoever opens it next owns it.
        """
        self._connection.close()

    def remove(self) -> None:
        """
        Close and delete it.

        Raises:
            OSError, sqlite3.Error: It is still there.
        """
        # What is about to be deleted need not reach the disk.
        with suppress(sqlite3.Error):
            self._execute("PRAGMA synchronous = OFF")
        self.close()
        sqlite.delete(self.path)
