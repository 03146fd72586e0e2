"""Look into a spool's directory from outside, as the commands do: its files and their state."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from cio_events._buffers.spool import ownership, sqlite
from cio_events._buffers.spool.sqlite import OtherVersionError, journal_of

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
    """

    path: Path
    made_by: int | None
    state: FileState
    calls: int | None
    size: int


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
        state, calls = _look_into(path)
        if path.exists():
            seen.append(FileSeen(path, ownership.owner_of(path), state, calls, size))
    return seen


def set_aside_in(directory: Path) -> list[Path]:
    """
    What was damaged, and is kept in *directory* for somebody to look into.

    Raises:
        OSError: The directory cannot be read.
    """
    return sorted(path for path in directory.iterdir() if ".damaged" in path.suffix)


def _look_into(path: Path) -> tuple[FileState, int | None]:
    try:
        claimed = ownership.claim(path)
    except OtherVersionError:
        return "other version", None
    except (sqlite3.Error, OSError) as error:
        return "damaged" if sqlite.is_damage(error) else "not accessible", None
    if claimed is None:
        return "in use", None
    file, lost = claimed
    try:
        calls, _ = file.count()
    except sqlite3.Error:
        return "damaged", None
    finally:
        file.close()
    return "damaged" if lost else "free", calls
