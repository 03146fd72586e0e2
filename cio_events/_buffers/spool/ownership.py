"""
How a file of a spool comes to be ours: made, or claimed when nobody has it.

The proof of ownership is SQLite's own lock, which EXCLUSIVE locking mode holds for as long as the
file is open; it also spares each insert the locking, which makes it cheap. It is a POSIX record
lock: the kernel drops it with the process, however that ends; a forked child does not inherit it
(one of `flock` would keep a dead parent's file from being adopted while any child lives); and
SQLite keeps it right between several connections of one process. Hence nothing but SQLite may
open such a file: closing any other descriptor of it would drop the lock.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import nullcontext, suppress
from itertools import count
from pathlib import Path

from cio_events._buffers.spool import sqlite, wal
from cio_events._buffers.spool.file import PAGE_BYTES, SCHEMA, Guard, SpoolFile
from cio_events._buffers.spool.sqlite import journal_of, transaction
from cio_events._calls.ulid import new_id, valid_id
from cio_events.errors import ParamError

SUFFIX = ".spool"

# "CIOS": what `file` and SQLite's own tools show of whose file it is.
_APPLICATION_ID = 0x43494F53

_VERSION = 1

# From the digits of a ULID to those that Python reads.
_DIGITS = str.maketrans("ABCDEFGHJKMNPQRSTVWXYZ", "ABCDEFGHIJKLMNOPQRSTUV")

_LAST_MOMENT = 2**48 - 2

# A backstop: usually the flushing thread sees to the journal, long before an insert has to.
_AUTOCHECKPOINT_BYTES = 64 * 1024 * 1024

# An empty file that is older was left by a process that died while it made it.
_BIRTH_SECONDS = 60.0


def create(directory: Path, guard: Guard = nullcontext, age: str | None = None) -> SpoolFile:
    """
    A new, empty file of our own.

    Args:
        directory: Where.

        guard: As in `SpoolFile`.

        age: As a file of which age it counts; None is new.

    Raises:
        OSError, sqlite3.Error: It cannot be made.
    """
    path = directory / f"{os.getpid()}-{age or new_id(time.time_ns() // 1_000_000)}{SUFFIX}"
    sqlite.create_private(path)
    connection = None
    try:
        connection = _connect(path)
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        with transaction(connection):
            sqlite.lay_out(connection, _APPLICATION_ID, _VERSION, SCHEMA)
        _settle(connection)
        # If somebody deleted it before it was locked, SQLite would not notice.
        path.stat()
        return SpoolFile(path, age_of(path), connection, guard)
    except BaseException:
        if connection is not None:
            connection.close()
        sqlite.delete(path)
        raise


def claim(path: Path) -> tuple[SpoolFile, int] | None:
    """
    The file at *path*, if nobody owns it, and how many calls its journal has lost.

    Raises:
        OtherVersionError: It has to be left alone.

        sqlite3.Error: It cannot be opened; `is_damage` tells whether it ever can.

        OSError: It cannot be read.
    """
    # Asked in this order, as a file that is being made has its first page before it has a journal.
    has_journal = journal_of(path).exists()
    found = path.stat()
    if found.st_size < PAGE_BYTES:
        if found.st_size or has_journal:
            # SQLite would take it for new, and delete the journal.
            raise sqlite3.DatabaseError("it was truncated")
        if time.time() - found.st_mtime < _BIRTH_SECONDS:
            return None
    connection = _connect(path)
    try:
        # Otherwise, of a truncated file, SQLite would not read what is left.
        connection.execute("PRAGMA writable_schema = ON")
        if not _lock(connection):
            connection.close()
            return None
        marks = sqlite.marks(connection)
        unfinished = marks == (0, 0) and sqlite.is_empty(connection)
        if marks != (_APPLICATION_ID, _VERSION) and not unfinished:
            raise sqlite.OtherVersionError
        lost = _save_journal(connection, path)
        if unfinished:
            if lost:
                raise sqlite3.DatabaseError("its journal cannot be read")
            connection.close()
            sqlite.delete(path)
            return None
        _settle(connection)
        return SpoolFile(path, age_of(path), connection, nullcontext), lost
    except BaseException:
        connection.close()
        raise


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
        """
        The next one.
        """
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
    """
    When the backlog of the file at *path* was begun, by its name, in Unix milliseconds.
    """
    with suppress(ParamError):
        letters = valid_id(backlog_of(path), "name")[:10]
        return min(int(letters.translate(_DIGITS), 32), _LAST_MOMENT)
    return 0


def backlog_of(path: Path) -> str:
    """
    What the files of one spool have in common, from the name of the file at *path*.
    """
    return age_of(path).partition("-")[0]


def owner_of(path: Path) -> int | None:
    """
    The id of the process that made the file at *path*, from the file's name.
    """
    pid = path.stem.partition("-")[0]
    return int(pid) if pid.isdecimal() else None


def age_of(path: Path) -> str:
    """
    What sorts files by age, from the file's name: the backlog it belongs to, and its number there.
    """
    return path.stem.partition("-")[2]


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite.connect(path, timeout=0)
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
        if not copy.exists():
            sqlite.create_private(copy)
        copy.write_bytes(journal_of(path).read_bytes())
    return lost


def _settle(connection: sqlite3.Connection) -> None:
    # Survives the end of the process; after a loss of power the last calls may be missing.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_AUTOCHECKPOINT_BYTES // PAGE_BYTES}")
    # So that its size tells how much of it is in use.
    connection.execute("PRAGMA journal_size_limit = 0").fetchone()
    # Some builds overwrite what is deleted, which takes longer than deleting.
    connection.execute("PRAGMA secure_delete = OFF").fetchone()
