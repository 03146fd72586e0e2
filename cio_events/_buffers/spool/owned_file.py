"""One SQLite file of waiting calls, owned by the one process that has it open."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

from cio_events._buffers.spool import holds, sqlite
from cio_events._buffers.spool.carving import carved
from cio_events._buffers.spool.descriptors import ClosedDescriptorsError
from cio_events._buffers.spool.ends import End
from cio_events._buffers.spool.file import CallsFile
from cio_events._buffers.spool.salvage import Row, is_call, marks_of, salvaged
from cio_events._buffers.spool.sqlite import transaction
from cio_events._wire.envelope import Envelope, accepted_at

_LAST_PLACE = 2**31

_CHUNK = 256

# Pages that can be checked in no time.
_FEW_PAGES = 128


class SpoolFile(CallsFile):
    """An open file of waiting calls, from when it is made or claimed until it is given up."""

    def count(self) -> tuple[int, int]:
        """
        Find out what a file holds that was just claimed: how many calls, of how many bytes.

        Raises:
            sqlite3.Error: It is damaged.
        """
        places = self._places
        noted = {end.place for end in self._ends.found}
        ended: dict[int, int] = {}  # how many bytes is at each
        try:
            (below,) = self._execute("SELECT below FROM done").fetchone()
            places.below = self._below = max(int(below), self._ends.below)
            places.read_up_to = places.below - 1
            last, count, size = self._execute(
                "SELECT max(place), count(*), total(length(envelope)) FROM calls WHERE place >= ?",
                (places.below,),
            ).fetchone()
            sending = self._execute("SELECT place FROM sending").fetchall()
            if noted:
                found = self._execute("SELECT place, length(envelope) FROM calls").fetchall()
                ended = {place: length for place, length in found if place in noted}
        except (TypeError, ValueError, OverflowError):
            raise sqlite3.DatabaseError("what was done with is not known") from None
        if not (0 < places.below <= _LAST_PLACE and (last or 1) <= _LAST_PLACE):
            raise sqlite3.DatabaseError("its numbers are not those of calls")
        (pages,) = self._execute("PRAGMA page_count").fetchone()
        if pages <= _FEW_PAGES or count != (last or places.below - 1) - places.below + 1:
            # Calls may be missing, and nothing else says so.
            (said,) = self._execute("PRAGMA quick_check(1)").fetchone()
            if said != "ok":
                raise sqlite3.DatabaseError("its pages do not fit together")
        self._maybe_sent = None if self._marks_lost else frozenset(place for (place,) in sending)
        self._ended_before = frozenset(ended)
        self._last = (last or places.read_up_to, None)
        not_live = [size for place, size in ended.items() if place >= places.below]
        live = count - len(not_live)
        self._absent = self._last[0] - live
        return live, int(size) - sum(not_live)

    def first_accepted(self) -> int | None:
        """When its first call was accepted, in Unix milliseconds; None if that cannot be read."""
        try:
            row = self._execute(
                "SELECT place, crc, envelope FROM calls "
                "WHERE place >= (SELECT below FROM done) ORDER BY place LIMIT 1"
            ).fetchone()
        except sqlite3.Error:
            return None
        return accepted_at(row[2]) if row is not None and is_call(*row) else None

    def failed_before(self) -> list[tuple[Envelope, End]]:
        """
        The calls that have failed, as far as the owner before could not keep them as dead letters.
        """
        found = []
        for end in self._ends.found:
            if end.reason is not None and end.place in self._ended_before:
                row = self._execute(
                    "SELECT place, crc, envelope FROM calls WHERE place = ?", (end.place,)
                ).fetchone()
                if row is not None and is_call(*row):
                    found.append((row[2], end))
        return found

    def drop_ended(self) -> None:
        """
        Delete what had ended before, as it is a dead letter now or was delivered.

        Raises:
            sqlite3.Error: It cannot be written.
        """
        rows = [(place,) for place in self._ended_before]
        with transaction(self._connection):
            self._connection.executemany("DELETE FROM calls WHERE place = ?", rows)

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
            for rows in damaged._found():
                self._keep(rows, maybe_sent)
                saved += sum(place > places.read_up_to for place, _, _ in rows)
                last = max(last, rows[-1][0])
        self._execute("UPDATE done SET below = ?", (places.below,))
        self._places = places
        self._below = places.below
        self._maybe_sent = maybe_sent
        self._ended_before = damaged._ended_before
        self._unwritten = damaged._unwritten
        self.adopted_bytes = damaged.adopted_bytes
        self._last = (last, None)
        self._absent = last - saved - places.in_hand
        return saved, max(untaken - saved, 0)

    def _found(self) -> Iterator[list[Row]]:
        """The calls that can be read and are not done with, in order."""
        places = self._places
        # Of a file without a name, SQLite alone knows where it is.
        found = carved(self.path) if self.is_there() else salvaged(self._execute)
        return _chunks(
            row
            for row in found
            if row[0] >= places.below
            and not places.finished(row[0])
            and row[0] not in self._ended_before
        )

    def add_lost(self, lost: int) -> int:
        """
        Add what can be found of *lost* calls in a damaged journal; returns how many it cannot.

        Raises:
            sqlite3.Error, OSError: It cannot be read or written.
        """
        known = {place for (place,) in self._execute("SELECT place FROM calls").fetchall()}
        below, _ = marks_of(self._execute, 1, None)
        # All of them before one is written, which moves others.
        rows = [row for row in carved(self.path) if row[0] >= below and row[0] not in known]
        self._marks_lost = True
        if rows:
            self._keep(rows, None)
        return max(lost - len(rows), 0)

    def refill(self, rows: Iterable[Row]) -> int:
        """
        Hold what was found in another file, of which nothing else is known; returns how many.

        Raises:
            sqlite3.Error: It cannot be written.
        """
        self._maybe_sent = None
        kept = 0
        for some in _chunks(rows):
            self._keep(some, None)
            kept += len(some)
        return kept

    def size(self) -> int:
        """The bytes of the calls it holds."""
        (size,) = self._execute("SELECT total(length(envelope)) FROM calls").fetchone()
        return int(size)

    @property
    def ended_before(self) -> bool:
        """Whether something was noted beside it when it was claimed."""
        return bool(self._ended_before)

    def check(self) -> None:
        """
        Raise unless the descriptors are what they were.

        Raises:
            ClosedDescriptorsError: Somebody has closed them.
        """
        self._hold.check()

    def is_there(self) -> bool:
        """Whether it is this file that is found by its name."""
        return self._hold.names(self.path)

    def continue_as(self, other: SpoolFile) -> None:
        """Go on with the same file as *other* has just opened it, since ours was closed."""
        self._connection, self._execute = other._connection, other._execute
        self._hold, self._journal = other._hold, other._journal

    def read_again(self) -> None:
        """Take anew what was taken and is not done with."""
        with self.guard():
            self._fresh.clear()
            self._places.read_again()
            unwritten = {end.place for end in self._unwritten}
            self._ended_before = self._ended_before | unwritten

    def wipe(self) -> None:
        """
        Leave no trace of what is done with.

        Raises:
            sqlite3.Error: It cannot be written.
        """
        if self._wiped >= self._places.below or self.unkept:
            return
        with self.guard():
            self._execute("PRAGMA secure_delete = ON").fetchone()
            self._execute("DELETE FROM calls WHERE place < ?", (self._places.below,))
            self._execute("PRAGMA secure_delete = OFF").fetchone()
            self._execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._wiped = self._places.below

    def strand(self) -> None:
        """
        Never close what SQLite believes to be open: it is the parent's, or somebody else's now.
        """
        sqlite.immortal(self._connection)
        self._hold.estrange()
        self._journal = -1

    def close(self) -> None:
        """Give it up: whoever opens it next owns it."""
        try:
            self._hold.check()
        except ClosedDescriptorsError:
            # They are somebody else's now.
            self.strand()
        else:
            self._connection.close()
            self._hold.release()

    def remove(self) -> None:
        """
        Close and delete it.

        Raises:
            OSError, sqlite3.Error: It is still there.
        """
        there = self.is_there()
        try:
            self._hold.check()
        except ClosedDescriptorsError:
            self.strand()
            return
        # What is about to be deleted need not reach the disk.
        with suppress(sqlite3.Error):
            self._execute("PRAGMA synchronous = OFF")
        self._connection.close()
        if there:
            sqlite.delete(self.path)
        else:
            self.remove_copy()
        self._hold.release()

    def remove_copy(self) -> None:
        """
        Delete what has its name in its place, in a copy of the directory that has replaced it.

        Each call would be there twice. What another process has claimed already is that one's.

        Raises:
            OSError: It is still there.
        """
        with suppress(FileNotFoundError):
            hold = holds.take(self.path)
            if hold is not None:
                sqlite.delete(self.path)
                hold.release()


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    following = iter(rows)
    while some := list(islice(following, _CHUNK)):
        yield some
