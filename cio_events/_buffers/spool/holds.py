"""
Hold a file for as long as this process has it, by a lock that others' descriptors do not touch.

It is Linux's lock of an open file description. The kernel drops it with the process, however that
ends, and a forked child closes its copy. SQLite's own locks are the process's: they go as soon as
anybody in it closes a descriptor of the file, as an application does that copies its files. Where
there are no better ones, they are all there is.
"""

from __future__ import annotations

import os
import struct
import sys
from contextlib import suppress
from pathlib import Path

from cio_events._buffers.spool import trust
from cio_events._buffers.spool.descriptors import (
    ClosedDescriptorsError,
    Descriptors,
    Identity,
    identity_at,
    identity_of,
    open_of,
)

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCKS: bool = sys.platform == "linux" and hasattr(fcntl, "F_OFD_SETLK")
"""Whether there are such locks."""

# One byte, far from those that SQLite locks.
_LOCKED_BYTE = 2**62

_FLAGS = 0
for _name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY"):
    _FLAGS |= getattr(os, _name, 0)

# Files that this process has.
_held: set[Identity] = set()

# Files of which SQLite believes that this process has them: those of the process that it was
# forked from, and those whose descriptors somebody closed.
_estranged: set[Identity] = set()


class Hold:
    """
    A file that is this process's.

    Args:
        identity: Which file it is.

        descriptor: Ours, with the lock; None where there are no such locks.

        others: Descriptors of the file that were open before.
    """

    def __init__(
        self,
        identity: Identity,
        descriptor: int | None = None,
        others: frozenset[int] = frozenset(),
    ) -> None:
        self.identity = identity
        self._descriptor = descriptor
        self._others = others
        self._own = Descriptors([] if descriptor is None else [(descriptor, identity)])
        self._sqlites = Descriptors()
        self._over = False
        _held.add(identity)

    def __del__(self) -> None:
        # One that an interrupt has left behind.
        with suppress(Exception):
            self.release()

    def find_descriptors(self, path: Path) -> int:
        """
        Find those that SQLite has of the file at *path* and its journal, which are open by now.

        Returns:
            That of the journal; -1 if it was not found.
        """
        journal = identity_of(path.with_name(f"{path.name}-wal"))
        but = self._others if self._descriptor is None else {*self._others, self._descriptor}
        self._sqlites = Descriptors(open_of({self.identity, journal}, but))
        return self._sqlites.of(journal)

    def check(self) -> None:
        """
        Raise unless all descriptors are what they were.

        Raises:
            ClosedDescriptorsError: They are not.
        """
        if self._over or not (self._sqlites.intact() and self._own.intact()):
            raise ClosedDescriptorsError

    def names(self, path: Path) -> bool:
        """Whether it is this file that is at *path*."""
        return identity_of(path) == self.identity

    def release(self) -> None:
        """Let others have it; SQLite has closed it already."""
        if self._over:
            return
        self._over = True
        _held.discard(self.identity)
        if self._descriptor is not None and self._own.intact():
            os.close(self._descriptor)

    def estrange(self) -> None:
        """Let others have it though SQLite goes on to believe that it is open here."""
        _estranged.add(self.identity)
        self.release()


def take(path: Path, *, create: bool = False) -> Hold | None:
    """
    Make the file at *path* ours; returns None if somebody has it.

    Args:
        path: Where it is.

        create: Whether it has to be made first.

    Raises:
        OSError: It cannot be opened or made, or is not one that could be ours.
    """
    identity = identity_of(path)
    others: frozenset[int] = frozenset()
    if not create:
        if identity in _held:
            return None
        others = frozenset(descriptor for descriptor, _ in open_of({identity}))
    descriptor = os.open(
        path, _FLAGS | os.O_RDWR | (os.O_CREAT | os.O_EXCL if create else 0), 0o600
    )
    kept = False
    try:
        if create and hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)  # whatever the umask
        trust.check_file(path.name, os.fstat(descriptor))
        if not LOCKS:
            return Hold(identity_at(descriptor))
        if not _lock(descriptor):
            return None
        kept = True
        return Hold(identity_at(descriptor), descriptor, others)
    finally:
        if not kept:
            with suppress(OSError):
                os.close(descriptor)


def is_held(path: Path) -> bool:
    """
    Whether somebody has the file at *path*, this process included. Nothing is locked by that.

    Raises:
        OSError: It cannot be opened, or is not one that could be ours.
    """
    if identity_of(path) in _held:
        return True
    descriptor = os.open(path, _FLAGS | os.O_RDONLY)
    try:
        trust.check_file(path.name, os.fstat(descriptor))
        return LOCKS and _is_locked(descriptor)
    finally:
        os.close(descriptor)


def is_estranged(path: Path) -> bool:
    """Whether SQLite's own locks of the file at *path* mean nothing in this process."""
    return LOCKS and identity_of(path) in _estranged


def _lock(descriptor: int) -> bool:
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _wanted())
    except (BlockingIOError, PermissionError):
        return False
    return True


def _is_locked(descriptor: int) -> bool:
    found = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _wanted())
    return bool(struct.unpack_from("@h", found)[0] != fcntl.F_UNLCK)


def _wanted() -> bytes:
    # struct flock, at whose end there may be some bytes that mean nothing.
    return struct.pack("@hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, _LOCKED_BYTE, 1, 0)
