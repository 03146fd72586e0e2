"""
What the SQLite files of a spool have in common, and how they are created, renamed and deleted.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cio_events._buffers.spool import trust

try:
    import ctypes
except ImportError:  # some builds of Python lack it
    ctypes = None  # type: ignore[assignment]


class OtherVersionError(Exception):
    """The file is not one of ours, or of a version that is not known here."""


ERRORS = (sqlite3.Error, OSError, OtherVersionError)
"""Whatever can be wrong with a file."""

_OF_THE_DISK = ("full", "I/O", "unable to open", "memory", "locked")

_immortal: list[sqlite3.Connection] = []


def is_damage(error: Exception) -> bool:
    """Whether *error* says that the file itself is broken, and not the disk, or its space."""
    # SQLITE_CORRUPT and SQLITE_NOTADB are the ones that have no class of their own.
    return type(error) is sqlite3.DatabaseError


def is_about_disk(error: sqlite3.OperationalError) -> bool:
    """Whether *error* says that the disk, its space, the memory or a lock is in the way."""
    return any(
        word in str(error) for word in ("full", "I/O", "unable to open", "memory", "locked")
    )


def is_locked(error: sqlite3.Error) -> bool:
    """Whether *error* says that somebody else has the file."""
    return "locked" in str(error)


def connect(
    path: Path,
    timeout: float,
    *,
    locked: bool = True,
    read_only: bool = False,
    alone: bool = False,
) -> sqlite3.Connection:
    """
    A connection to the file at *path*, which has to be there, for use on any thread.

    Args:
        path: Where it is.

        timeout: How many seconds it may wait for others.

        locked: Whether SQLite locks it, too.

        read_only: Whether nothing is to be written to it.

        alone: Whether nobody writes it meanwhile, and it has no journal.
    """
    how = f"mode={'ro' if read_only else 'rw'}"
    if not locked and sys.platform != "win32":
        how += "&vfs=unix-none"
    if alone:
        how += "&immutable=1"
    connection = sqlite3.connect(
        f"{path.as_uri()}?{how}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    # What is no UTF-8 any more would be an error whose text shows it.
    connection.text_factory = _text
    # What is in a file may be a stranger's.
    connection.execute("PRAGMA trusted_schema = OFF").fetchone()
    return connection


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")


def check_tables(connection: sqlite3.Connection, schema: tuple[str, ...]) -> None:
    """
    Raise unless the tables are those of *schema*, and there is nothing that SQLite would run.

    Raises:
        sqlite3.DatabaseError: They are not, or cannot be read.
    """
    wanted = {statement.strip() for statement in schema if statement.strip().startswith("CREATE")}
    found = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    if {
        str(sql).strip() for _, name, sql in found if not str(name).startswith("sqlite_")
    } != wanted:
        raise sqlite3.DatabaseError("its tables are not those of a spool")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk has rolled it back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def marks(connection: sqlite3.Connection) -> tuple[int, int]:
    """Which application's file it is, and of which version; zeros in a new file."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application, version


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether it has no tables."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return not tables


def lay_out(
    connection: sqlite3.Connection, application: int, version: int, schema: tuple[str, ...]
) -> None:
    """Make the tables of a new file, and mark whose they are."""
    for statement in schema:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {application}")
    connection.execute(f"PRAGMA user_version = {version}")


def immortal(connection: sqlite3.Connection) -> None:
    """
    Keep *connection* from being finalised, even by the end of the interpreter.

    In a forked child, to close a connection of the parent's would empty and delete the journal
    that the parent goes on to write.
    """
    _immortal.append(connection)
    if ctypes is not None:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def journal_of(path: Path) -> Path:
    """Where SQLite keeps the journal of the file at *path*."""
    return path.with_name(f"{path.name}-wal")


def ends_of(path: Path) -> Path:
    """Where it is noted of the file at *path* what ended while nothing could be written to it."""
    return path.with_name(f"{path.name}-ends")


def bytes_of(path: Path) -> int:
    """The size of the file at *path*; 0 if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def write_private(path: Path, content: bytes = b"") -> None:
    """
    Make a file with this *content* that only its owner can read.

    Raises:
        OSError: It cannot be made, or is there already.
    """
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)  # whatever the umask
        file.write(content)


def create_private_directory(directory: Path) -> None:
    """
    Create *directory*, unless it is there and ours.

    Raises:
        OSError: It cannot be created, or is not ours.
    """
    for missing in reversed([each for each in directory.parents if not each.exists()]):
        with suppress(FileExistsError):
            missing.mkdir(mode=0o755)  # at the most, whatever the umask
    trust.check_parents(directory)
    if not os.path.lexists(directory):
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
            directory.chmod(0o700)  # whatever the umask
    trust.check_directory(directory)


def set_aside(path: Path, name: str | None = None) -> Path:
    """
    Rename the damaged file at *path*, with its journal; returns its new path.

    Args:
        path: Where it is.

        name: Its new name; None is the old one with ``.damaged``.

    Raises:
        OSError: It cannot be renamed.
    """
    aside = path.with_name(name or f"{path.name}.damaged")
    with suppress(FileNotFoundError):
        path.rename(aside)
        for each in (journal_of, ends_of):
            with suppress(FileNotFoundError):
                each(path).rename(each(aside))
    return aside


def delete(path: Path) -> None:
    """
    Delete the file at *path* and its journals, as far as they are there.

    Raises:
        OSError: It cannot be deleted.
    """
    path.unlink(missing_ok=True)
    journal_of(path).unlink(missing_ok=True)
    ends_of(path).unlink(missing_ok=True)
    # That of its first moments.
    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
