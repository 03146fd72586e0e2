"""
How a file of a spool comes to be ours: made, or claimed when nobody has it.

`holds` has the proof of ownership. SQLite's own lock comes on top of it: EXCLUSIVE locking mode
spares each insert the locking, which makes it cheap, and keeps SQLite's tools from the file.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from contextlib import nullcontext, suppress
from itertools import count
from pathlib import Path

from cio_events._buffers.spool import holds, sqlite, wal
from cio_events._buffers.spool.ends import Ends
from cio_events._buffers.spool.file import PAGE_BYTES, SCHEMA, Guard
from cio_events._buffers.spool.owned_file import SpoolFile
from cio_events._buffers.spool.sqlite import journal_of, transaction
from cio_events._buffers.workspace import Workspace, workspace_of
from cio_events._calls.ulid import new_id, valid_id
from cio_events.errors import ParamError

SUFFIX = ".spool"

# "CIOS": what `file` and SQLite's own tools show of whose file it is.
_APPLICATION_ID = 0x43494F53

_VERSION = 1

MARKS: tuple[int, int] = (_APPLICATION_ID, _VERSION)
"""Those of a spool file, as `sqlite.marks` gives them."""

# From the digits of a ULID to those that Python reads.
_DIGITS = str.maketrans("ABCDEFGHJKMNPQRSTVWXYZ", "ABCDEFGHIJKLMNOPQRSTUV")

_LAST_MOMENT = 2**48 - 2

# A backstop: usually the flushing thread sees to the journal, long before an insert has to.
_AUTOCHECKPOINT_BYTES = 64 * 1024 * 1024

# An empty file that is older was left by a process that died while it made it.
_BIRTH_SECONDS = 60.0

_LONGEST_PID = 12


def create(
    directory: Path,
    guard: Guard = nullcontext,
    age: str | None = None,
    workspace: str | None = None,
) -> SpoolFile:
    """
    A new, empty file of our own.

    Args:
        directory: Where.

        guard: As in `SpoolFile`.

        age: As a file of which age it counts; None is new.

        workspace: Whose calls it is to hold, as text.

    Raises:
        OSError, sqlite3.Error: It cannot be made.
    """
    age = age or new_id(time.time_ns() // 1_000_000)
    path = directory / f"{os.getpid()}-{age}.{workspace or Workspace()}{SUFFIX}"
    hold = holds.take(path, create=True)
    if hold is None:
        raise BlockingIOError(errno.EAGAIN, "somebody took it while it was made", str(path))
    connection = None
    try:
        connection = _connect(path)
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        with transaction(connection):
            sqlite.lay_out(connection, _APPLICATION_ID, _VERSION, SCHEMA)
        # With the tables in it, a damaged journal costs no more than what is in the journal.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        _settle(connection)
        ends = Ends.create(path)
        journal = hold.find_descriptors(path)
        # If somebody deleted it before it was locked, SQLite would not notice.
        if not hold.names(path):
            raise FileNotFoundError(2, "it was deleted while it was made", str(path))
        return SpoolFile(path, age_of(path), connection, guard, hold, journal, ends)
    except BaseException:
        if connection is not None:
            connection.close()
        hold.release()
        sqlite.delete(path)
        raise


def claim(path: Path) -> tuple[SpoolFile, int | None] | None:
    """
    The file at *path*, if nobody owns it, and how many calls are lost with a damaged journal.

    Raises:
        OtherVersionError: It has to be left alone.

        sqlite3.Error: It cannot be opened; `is_damage` tells whether it ever can.

        OSError: It cannot be read.
    """
    # Before its maker has it, nobody else may, not even to look.
    if _is_being_made(path):
        return None
    hold = holds.take(path)
    if hold is None:
        return None
    claimed = None
    try:
        claimed = _claim(path, hold)
        return claimed
    finally:
        if claimed is None:
            hold.release()


def _is_being_made(path: Path) -> bool:
    # Asked in this order, as a file that is being made has its first page before it has others.
    has_others = journal_of(path).exists() or sqlite.ends_of(path).exists()
    found = path.stat()
    is_new = time.time() - found.st_mtime < _BIRTH_SECONDS
    return not has_others and found.st_size == 0 and is_new


def _claim(path: Path, hold: holds.Hold) -> tuple[SpoolFile, int | None] | None:
    size = path.stat().st_size
    if size < PAGE_BYTES and (size or journal_of(path).exists() or sqlite.ends_of(path).exists()):
        # SQLite would take it for new, and delete the journal.
        raise sqlite3.DatabaseError("it was truncated")
    connection = _connect(path)
    try:
        # Otherwise, of a truncated file, SQLite would not read what is left.
        connection.execute("PRAGMA writable_schema = ON")
        if not _lock(connection):
            connection.close()
            return None
        marks = sqlite.marks(connection)
        unfinished = marks == (0, 0) and sqlite.is_empty(connection)
        if marks == (0, 0) and not unfinished:
            raise sqlite3.DatabaseError("whose it is was deleted")
        if marks != MARKS and not unfinished:
            raise sqlite.OtherVersionError
        if unfinished and sqlite.ends_of(path).exists():
            raise sqlite3.DatabaseError("it was emptied")
        if not unfinished:
            sqlite.check_tables(connection, SCHEMA)
        lost = _save_journal(connection, path)
        if unfinished:
            if lost:
                raise sqlite3.DatabaseError("its journal cannot be read")
            connection.close()
            sqlite.delete(path)
            return None
        _settle(connection)
        journal = hold.find_descriptors(path)
        ends = Ends.read(path)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.OperationalError) and not sqlite.is_about_disk(error):
            # The file is ours: what it says of its form is wrong.
            raise sqlite3.DatabaseError(str(error)) from None
        raise
    file = SpoolFile(
        path, age_of(path), connection, nullcontext, hold, journal, ends, maybe_sent=None
    )
    if not lost:
        return file, None
    with suppress(sqlite3.Error, OSError):
        lost = file.add_lost(lost)
    return file, lost


class Ages:
    """
    The ages of the files that one spool makes, in the order in which it makes them.

    The clock alone does not tell: it may be set back, and files may be made in one millisecond.
    They are one backlog, as which another process adopts them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._backlog = ""
        self._numbers = count(1)

    def new(self) -> str:
        """The next one."""
        # Not before it is needed, and by an interrupt twice at the worst.
        self._backlog = self._backlog or self._after_those_there()
        return f"{self._backlog}-{next(self._numbers):06}"

    def _after_those_there(self) -> str:
        now = time.time_ns() // 1_000_000
        with suppress(OSError):
            for path in self._directory.iterdir():
                if path.suffix == SUFFIX:
                    now = max(now, _made_at(path) + 1)
        return new_id(now)


def _made_at(path: Path) -> int:
    """When the backlog of the file at *path* was begun, by its name, in Unix milliseconds."""
    with suppress(ParamError):
        letters = valid_id(backlog_of(path), "name")[:10]
        return min(int(letters.translate(_DIGITS), 32), _LAST_MOMENT)
    return 0


def backlog_of(path: Path) -> str:
    """What the files of one spool have in common, from the name of the file at *path*."""
    return age_of(path).partition("-")[0]


def owner_of(path: Path) -> int | None:
    """The id of the process that made the file at *path*, from the file's name."""
    pid = path.name.partition("-")[0]
    return int(pid) if pid.isascii() and pid.isdecimal() and len(pid) < _LONGEST_PID else None


def age_of(path: Path) -> str:
    """
    What sorts files by age, from the file's name: the backlog it belongs to, and its number there.
    """
    return path.name.partition(".")[0].partition("-")[2]


def workspace_at(path: Path) -> Workspace:
    """Whose calls the file at *path* holds, from the file's name."""
    return workspace_of(path.name.removesuffix(SUFFIX).partition(".")[2])


def _connect(path: Path) -> sqlite3.Connection:
    # Where its locks mean nothing, it would believe that somebody else has the file.
    connection = sqlite.connect(path, timeout=0, locked=not holds.is_estranged(path))
    connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
    return connection


def _lock(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if sqlite.is_locked(error):
            return False
        raise
    connection.execute("COMMIT")
    return True


def _save_journal(connection: sqlite3.Connection, path: Path) -> int:
    """
    Move what SQLite takes of the journal into the file; returns how many calls are lost.

    If there are any, a copy of the journal is kept.
    """
    try:
        _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.OperationalError:
        # The disk is full; that must not keep the calls from being read and sent.
        return 0
    lost = wal.commits_after(journal_of(path), frames, PAGE_BYTES)
    if lost:
        copy = path.with_name(f"{path.name}-wal.damaged")
        with suppress(FileExistsError):
            sqlite.write_private(copy, journal_of(path).read_bytes())
    return lost


def _settle(connection: sqlite3.Connection) -> None:
    # Survives the end of the process; after a loss of power the last calls may be missing.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_AUTOCHECKPOINT_BYTES // PAGE_BYTES}")
    # So that its size tells how much of it is in use.
    connection.execute("PRAGMA journal_size_limit = 0").fetchone()
    # Some builds overwrite what is deleted, which takes longer than deleting.
    connection.execute("PRAGMA secure_delete = OFF").fetchone()
