"""Look into a spool's directory from outside, as the commands do: its files and their state."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from cio_events._buffers.spool import holds, ownership, sqlite
from cio_events._buffers.spool.file import SCHEMA
from cio_events._buffers.spool.sqlite import journal_of
from cio_events._wire.envelope import accepted_at, is_envelope

_WAITING = "FROM calls WHERE place >= (SELECT below FROM done)"

FileState: TypeAlias = Literal["in use", "free", "damaged", "other version", "not accessible"]
"""
What is to become of a file.

- ``in use``: a process has it, and delivers what is in it
- ``free``: the next process with this spool adopts it
- ``damaged``: the next process with this spool saves what it can
- ``other version``: it is left alone
- ``not accessible``: this process cannot open it
"""


@dataclass(frozen=True, slots=True)
class FileSeen:
    """
    A file of waiting calls.

    Attributes:
        path: Where it is.

        made_by: The id of the process that made it.

        state: A `FileState`.

        calls: How many calls wait in it; None if that cannot be known, as of one in use.

        size: Its bytes on the disk, with its journal.

        workspace: Whose calls they are.

        oldest: When the oldest of them was accepted, in Unix milliseconds, if that can be known.
    """

    path: Path
    made_by: int | None
    state: FileState
    calls: int | None
    size: int
    workspace: str
    oldest: int | None = None


def files_in(directory: Path) -> list[FileSeen]:
    """
    The files of waiting calls in *directory*, oldest first.

    Raises:
        OSError: The directory cannot be read.
    """
    paths = [path for path in directory.iterdir() if path.suffix == ownership.SUFFIX]
    seen = []
    for path in sorted(paths, key=ownership.age_of):
        size = sqlite.bytes_of(path) + sqlite.bytes_of(journal_of(path))
        state, calls, oldest = _look_into(path)
        if path.exists():
            workspace = str(ownership.workspace_at(path))
            maker = ownership.owner_of(path)
            seen.append(FileSeen(path, maker, state, calls, size, workspace, oldest))
    return seen


def set_aside_in(directory: Path) -> list[Path]:
    """
    What was damaged, and is kept in *directory* for somebody to look into.

    Raises:
        OSError: The directory cannot be read.
    """
    return sorted(path for path in directory.iterdir() if ".damaged" in path.suffix)


def _look_into(path: Path) -> tuple[FileState, int | None, int | None]:
    try:
        if holds.is_held(path):
            return "in use", None, None
        with closing(_opened(path)) as connection:
            marks = sqlite.marks(connection)
            if marks == (0, 0):
                return "in use", None, None  # it is being made
            if marks != ownership.MARKS:
                return "other version", None, None
            sqlite.check_tables(connection, SCHEMA)
            (calls,) = connection.execute(f"SELECT count(*) {_WAITING}").fetchone()
            first = connection.execute(f"SELECT envelope {_WAITING} ORDER BY place LIMIT 1")
            oldest = next((accepted_at(one) for (one,) in first if is_envelope(one)), None)
    except (sqlite3.Error, OSError) as error:
        return "damaged" if sqlite.is_damage(error) else "not accessible", None, None
    return "free", calls, oldest


def _opened(path: Path) -> sqlite3.Connection:
    """Open a file that nobody has so that nothing is written, with what its journal has."""
    has_journal = sqlite.bytes_of(journal_of(path)) > 0
    connection = sqlite.connect(
        path, timeout=0, locked=False, read_only=True, alone=not has_journal
    )
    connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
    return connection
