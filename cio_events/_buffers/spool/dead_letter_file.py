"""
The SQLite database of a spool's dead letters: made, opened, read, written and set aside.

All processes with the spool share it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from cio_events._buffers.spool import sqlite

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
        envelope BLOB NOT NULL
    )
    """,
    "CREATE INDEX letters_by_id ON letters (id)",
)


class DeadLetterFile:
    """
    The database in *directory*, for any thread. It is not there before there is a dead letter.

    Attributes:
        path: Where it is.

        lock: Held while SQLite is used, so that a fork can wait for it.
    """

    def __init__(self, directory: Path) -> None:
        self.path: Path = directory / NAME
        self.lock: threading.RLock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def close(self) -> None:
        """
        Close the database; what is asked next opens it again.
        """
        with self.lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def leave_to_parent(self) -> None:
        """
        In a forked child: keep the parent's connection from ever being closed, and start afresh.
        """
        self.lock = threading.RLock()
        connection, self._connection = self._connection, None
        if connection is not None:
            sqlite.immortal(connection)

    def set_aside(self) -> Path | None:
        """
        Rename the damaged database; returns its new name, or None if another process has done so.
        """
        with self.lock:
            self.close()
            try:
                if self.path.stat().st_ino != self._inode:
                    return None
            except FileNotFoundError:
                return None
            aside = sqlite.set_aside(self.path, f"{NAME}.{now()}.damaged")
            self.path.with_name(f"{NAME}-shm").unlink(missing_ok=True)
            return aside

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self.lock:
            if self.path.exists():
                yield self._open()
            else:
                # There are none, and to look for some leaves no trace.
                with closing(sqlite3.connect(":memory:")) as nothing:
                    for statement in _SCHEMA:
                        nothing.execute(statement)
                    yield nothing

    @contextmanager
    def _writing(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        with self.lock:
            if create:
                with suppress(FileExistsError):
                    sqlite.create_private(self.path)
            connection = self._open()
            with sqlite.transaction(connection):
                yield connection

    def _open(self) -> sqlite3.Connection:
        inode = self.path.stat().st_ino
        if self._connection is not None and inode == self._inode:
            return self._connection
        self.close()
        self._inode = inode
        connection = sqlite.connect(self.path, _BUSY_SECONDS)
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = NORMAL")
    if sqlite.marks(connection) == (_APPLICATION_ID, _VERSION):
        return
    with sqlite.transaction(connection):
        # Another process may have been faster.
        marks = sqlite.marks(connection)
        if marks == (0, 0) and sqlite.is_empty(connection):
            sqlite.lay_out(connection, _APPLICATION_ID, _VERSION, _SCHEMA)
        elif marks != (_APPLICATION_ID, _VERSION):
            raise sqlite.OtherVersionError


def now() -> int:
    """
    The time in Unix milliseconds.
    """
    return time.time_ns() // 1_000_000
