"""
The SQLite database of a spool's dead letters: made, opened, read, written and set aside.

All processes with the spool share it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

from cio_events._buffers.spool import sqlite, trust

NAME = "dead-letters.sqlite"

# "CIOD"
_APPLICATION_ID = 0x43494F44
_VERSION = 1

# How long to wait for another process that is writing.
_BUSY_SECONDS = 5.0

_SCHEMA = (
    """
    CREATE TABLE letters (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL,
        reason TEXT NOT NULL,
        status INTEGER,
        detail TEXT,
        failed_at INTEGER NOT NULL,
        workspace TEXT NOT NULL,
        envelope BLOB NOT NULL
    )
    """,
    "CREATE INDEX letters_by_id ON letters (id)",
)


class DeadLetterFile:
    """
    The database in *directory*, for any thread. It is not there before there is a dead letter.

    It is open only while it is used, and reading it writes nothing.

    Attributes:
        path: Where it is.

        lock: Held while SQLite is used, so that a fork can wait for it.
    """

    def __init__(self, directory: Path) -> None:
        self.path: Path = directory / NAME
        self.lock: threading.RLock = threading.RLock()
        self._inode = 0

    def leave_to_parent(self) -> None:
        """In a forked child: start afresh."""
        self.lock = threading.RLock()

    def set_aside(self) -> Path | None:
        """
        Rename the damaged database; returns its new name, or None if another process has done so.
        """
        with self.lock:
            try:
                if self.path.stat().st_ino != self._inode:
                    return None
            except FileNotFoundError:
                return None
            return sqlite.set_aside(self.path, f"{NAME}.{now()}.damaged")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self.lock:
            if not self.path.exists():
                # There are none, and to look for some leaves no trace.
                with closing(sqlite3.connect(":memory:")) as nothing:
                    for statement in _SCHEMA:
                        nothing.execute(statement)
                    yield nothing
                return
            with ExitStack() as stack:
                try:
                    connection = self._open(read_only=True)
                except sqlite3.OperationalError:
                    connection = self._open_copy(stack)
                yield stack.enter_context(closing(connection))

    @contextmanager
    def _writing(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        with self.lock:
            if create:
                with suppress(FileExistsError):
                    sqlite.write_private(self.path)
            with closing(self._open()) as connection, sqlite.transaction(connection):
                yield connection

    def _open_copy(self, stack: ExitStack) -> sqlite3.Connection:
        """
        Open a copy of what a process left half written, which has to be put right to be read.

        Raises:
            sqlite3.OperationalError: As is being handled: it is not half written.
        """
        journal = self.path.with_name(f"{NAME}-journal")
        if not sqlite.bytes_of(journal):
            raise
        place = Path(stack.enter_context(TemporaryDirectory()))
        for path in (self.path, journal):
            copyfile(path, place / path.name)
        return _prepared(sqlite.connect(place / NAME, _BUSY_SECONDS))

    def _open(self, *, read_only: bool = False) -> sqlite3.Connection:
        found = self.path.stat(follow_symlinks=False)
        trust.check_file(NAME, found)
        self._inode = found.st_ino
        return _prepared(sqlite.connect(self.path, _BUSY_SECONDS, read_only=read_only))


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    # What is discarded is not to be found on the disk.
    connection.execute("PRAGMA secure_delete = ON").fetchone()
    connection.execute("PRAGMA synchronous = NORMAL")
    if sqlite.marks(connection) == (_APPLICATION_ID, _VERSION):
        sqlite.check_tables(connection, _SCHEMA)
        return
    with sqlite.transaction(connection):
        # Another process may have been faster.
        marks = sqlite.marks(connection)
        if marks == (0, 0) and sqlite.is_empty(connection):
            sqlite.lay_out(connection, _APPLICATION_ID, _VERSION, _SCHEMA)
        elif marks != (_APPLICATION_ID, _VERSION):
            raise sqlite.OtherVersionError


def now() -> int:
    """The time in Unix milliseconds."""
    return time.time_ns() // 1_000_000
