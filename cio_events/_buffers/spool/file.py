"""
One SQLite file of waiting calls, owned by the one process that has it open.

How it is made or claimed is in `opening`; whose calls go first is decided elsewhere.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TypeAlias
from zlib import crc32

from cio_events._buffers.spool import sqlite
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

_SALVAGE_CHUNK = 256

# The newest calls are taken from memory rather than read again, up to so many of so many bytes,
# which is 4 MiB at the most.
_FRESH_MOST, _FRESH_BYTES = 1024, 4096

_INSERT = "INSERT INTO calls VALUES (?, ?, ?)"

_Row: TypeAlias = "tuple[int, int, bytes]"

_Found: TypeAlias = "tuple[int, Envelope | None]"  # without what is damaged

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

        unreadable: How many calls turned out to be damaged when they were to be taken.
    """

    def __init__(self, path: Path, age: str, connection: sqlite3.Connection, guard: Guard) -> None:
        self.path = path
        self.age = age
        self.guard = guard
        self.unreadable: int = 0
        self._connection = connection
        # One cursor for all: it is never used by two at a time.
        self._execute = connection.cursor().execute
        self._last: tuple[int, Envelope | None] = (0, None)
        self._fresh: deque[tuple[int, Envelope]] = deque(maxlen=_FRESH_MOST)
        self._absent = 0  # places up to the last that hold no live call
        self._below = 1
        self._read_up_to = 0
        self._taken: dict[Envelope, tuple[int, ...]] = {}
        self._order: deque[int] = deque()  # the places taken, but for the first that are done
        self._done: set[int] = set()  # those of _order that are done already
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
    def _in_hand(self) -> int:
        return len(self._order) - len(self._done)

    @property
    def exhausted(self) -> bool:
        """
        Whether every call was taken.
        """
        return self._read_up_to >= self._last[0]

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

    def _fill(self, rows: Sequence[_Row]) -> None:
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
        taken, order = self._taken, self._order
        envelopes = []
        for place, envelope in found:
            if envelope is not None:
                # Nothing keeps two calls from being equal to the byte.
                taken[envelope] = (*taken.get(envelope, ()), place)
                order.append(place)
                envelopes.append(envelope)
        if len(found) < most or found[-1][0] == last:
            self._read_up_to = last
            missing = last - self._absent - self._in_hand
            self._absent += missing
            self.unreadable += missing
        else:
            self._read_up_to = found[-1][0]
        return envelopes

    def _pop_fresh(self, most: int) -> Sequence[_Found]:
        """
        The next calls, if all that are left are the newest.
        """
        fresh = self._fresh
        while fresh and fresh[0][0] <= self._read_up_to:
            fresh.popleft()
        if len(fresh) != self._last[0] - self._read_up_to:
            return []
        return [fresh.popleft() for _ in range(min(most, len(fresh)))]

    def _read(self, most: int) -> Sequence[_Found]:
        rows = self._execute(
            "SELECT place, crc, envelope FROM calls WHERE place > ? ORDER BY place LIMIT ?",
            (self._read_up_to, most),
        ).fetchall()
        return [(place, stored if _intact(crc, stored) else None) for place, crc, stored in rows]

    def release(self, envelopes: Sequence[Envelope]) -> tuple[list[int], list[Envelope]]:
        """
        Let go of those of *envelopes* that were taken from here.

        Returns:
            Their places, for `be_done_with`, and the other envelopes.
        """
        taken = self._taken
        places: list[int] = []
        others: list[Envelope] = []
        for envelope in envelopes:
            found = taken.pop(envelope, None)
            if found is None:
                others.append(envelope)
                continue
            places.append(found[0])
            if len(found) > 1:
                taken[envelope] = found[1:]
        return places, others

    def be_done_with(self, places: list[int]) -> None:
        """
        The calls at these places were delivered, or given up.
        """
        order, done = self._order, self._done
        done.update(places)
        while order and order[0] in done:
            done.remove(order.popleft())
        below = order[0] if order else self._read_up_to + 1
        self._absent += len(places)
        apart = [(place,) for place in places if place in done]
        with self.guard():
            if apart:
                with transaction(self._connection):
                    self._connection.executemany("DELETE FROM calls WHERE place = ?", apart)
            if below > self._below:
                self._execute("UPDATE done SET below = ?", (below,))
        self._below = below

    def holds(self, envelope: Envelope) -> bool:
        """
        Whether *envelope* was taken from here and is not done with.
        """
        return envelope in self._taken

    def sending(self, envelope: Envelope) -> None:
        """
        Note that from now on *envelope* may have reached Customer.io.
        """
        with self.guard():
            self._execute("INSERT OR IGNORE INTO sending VALUES (?)", self._taken[envelope][:1])

    def unsent(self, envelope: Envelope) -> None:
        """
        Note that *envelope* has certainly not reached Customer.io.
        """
        with self.guard():
            self._execute("DELETE FROM sending WHERE place = ?", self._taken[envelope][:1])

    def maybe_sent(self, envelope: Envelope) -> bool:
        """
        Whether the owner before may have sent *envelope*.
        """
        return not self._maybe_sent.isdisjoint(self._taken[envelope])

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
        (self._below,) = self._execute("SELECT below FROM done").fetchone()
        self._read_up_to = self._below - 1
        last, count, size = self._execute(
            "SELECT max(place), count(*), total(length(envelope)) FROM calls WHERE place >= ?",
            (self._below,),
        ).fetchone()
        places = self._execute("SELECT place FROM sending").fetchall()
        self._maybe_sent = frozenset(place for (place,) in places)
        self._last = (last or self._read_up_to, None)
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
        untaken = damaged.live - damaged._in_hand
        saved, last = 0, damaged._last[0]
        with damaged.guard():
            for rows in damaged._salvage():
                self._fill(rows)
                saved += sum(place > damaged._read_up_to for place, _, _ in rows)
                last = max(last, *(place for place, _, _ in rows))
            maybe_sent = damaged._maybe_sent
        with transaction(self._connection):
            self._execute("UPDATE done SET below = ?", (damaged._below,))
            self._connection.executemany(
                "INSERT INTO sending VALUES (?)", [(place,) for place in maybe_sent]
            )
        self._below, self._read_up_to = damaged._below, damaged._read_up_to
        self._taken, self._order, self._done = damaged._taken, damaged._order, damaged._done
        self._maybe_sent = maybe_sent
        self._last = (last, None)
        self._absent = last - saved - self._in_hand
        return saved, max(untaken - saved, 0)

    def _salvage(self) -> Iterator[list[_Row]]:
        """
        What can be read, from the front up to the damage, and then from the end back to it.
        """
        # Otherwise what was known of it before holds.
        with suppress(sqlite3.Error, TypeError):
            (below,) = self._execute("SELECT below FROM done").fetchone()
            self._below = max(self._below, below)
            places = self._execute("SELECT place FROM sending").fetchall()
            self._maybe_sent = frozenset(place for (place,) in places)
        self._read_up_to = max(self._read_up_to, self._below - 1)
        low, high = self._below - 1, sys.maxsize
        for direction in ("", " DESC"):
            most = _SALVAGE_CHUNK
            while most:
                try:
                    rows = self._execute(
                        "SELECT place, crc, envelope FROM calls WHERE place > ? AND place < ? "  # noqa: S608 - the one of two words that is filled in is ours
                        f"ORDER BY place{direction} LIMIT ?",
                        (low, high, most),
                    ).fetchall()
                except sqlite3.Error:
                    # Up to the very row, one by one.
                    most = 0 if most == 1 else 1
                    continue
                if not rows:
                    return
                low, high = (rows[-1][0], high) if not direction else (low, rows[-1][0])
                intact = [row for row in rows if _intact(*row[1:]) and row[0] not in self._done]
                if intact:
                    yield intact

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


def _intact(crc: object, stored: object) -> bool:
    return isinstance(stored, bytes) and crc32(stored) == crc
