"""
Know whether SQLite's descriptors still are those of its files.

An application that closes what it has not opened, as a daemon does with all descriptors, gives
their numbers to files of its own, into which SQLite would write.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

Identity: TypeAlias = "tuple[int, int]"
"""Which file it is, whatever its name: device and inode."""

MARK: int = 0x43494F53
"""
Where descriptors stand that are what they were: nothing that is opened later stands there.

SQLite reads and writes by position, and so does not move them; where it does, each is looked at.
"""

_LIST = Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")


class ClosedDescriptorsError(OSError):
    """Somebody has closed the descriptors of a file, and SQLite does not know."""

    def __init__(self) -> None:
        super().__init__("its descriptors were closed by somebody else")


class Descriptors:
    """Some descriptors, and which file each is of."""

    def __init__(self, found: Sequence[tuple[int, Identity]] = ()) -> None:
        self._found = tuple(found)
        for descriptor, _ in found:
            with suppress(OSError):
                os.lseek(descriptor, MARK, os.SEEK_SET)

    def of(self, identity: Identity | None) -> int:
        """The one of the file with that *identity*; -1 unless there is just one."""
        those = [descriptor for descriptor, one in self._found if one == identity]
        return those[0] if len(those) == 1 else -1

    def intact(self) -> bool:
        """Whether each is what it was."""
        for descriptor, identity in self._found:
            try:
                if os.lseek(descriptor, 0, os.SEEK_CUR) == MARK:
                    continue
                if _identity(os.fstat(descriptor)) != identity:
                    return False
            except OSError:
                return False
        return True


def open_of(
    identities: Collection[Identity | None], but: Collection[int] = ()
) -> list[tuple[int, Identity]]:
    """The descriptors of this process for the files with these *identities*, *but* for some."""
    found = []
    with suppress(OSError):
        for name in os.listdir(_LIST):  # noqa: PTH208 - paths of each would take longer
            with suppress(OSError, ValueError):
                identity = _identity(os.fstat(int(name)))
                if identity in identities and int(name) not in but:
                    found.append((int(name), identity))
    return found


def identity_of(path: Path) -> Identity | None:
    """Which file is at *path*; None if there is none."""
    try:
        return _identity(path.stat(follow_symlinks=False))
    except OSError:
        return None


def identity_at(descriptor: int) -> Identity:
    """
    Which file a *descriptor* is of.

    Raises:
        OSError: It is closed.
    """
    return _identity(os.fstat(descriptor))


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino
