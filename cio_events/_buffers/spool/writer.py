"""
Write calls to a spool, from any thread: into the own file, or into memory while the disk fails.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cio_events._buffers.spool import backlog, ownership, sqlite
from cio_events._buffers.spool.descriptors import ClosedDescriptorsError
from cio_events._buffers.spool.owned_file import SpoolFile
from cio_events._buffers.spool.problems import Problems, described
from cio_events._buffers.workspace import Workspace
from cio_events._interrupts import faults, holds
from cio_events._process.clock import monotonic
from cio_events._wire.envelope import Envelope

# In seconds: how long calls may go to a file that was deleted or replaced, with its directory,
# until the next delivery saves them. A look takes half as long as a call, which calls that follow
# each other at once are to be spared mostly.
_LOOK_INTERVAL = 0.001


class SpoolWriter:
    """The side of a spool that every thread may use."""

    def __init__(self, directory: Path, workspace: Workspace) -> None:
        self._directory = directory
        self._workspace = workspace

    def _begin_writing(self, problems: Problems) -> None:
        self._problems = problems

        # Guards the own file's connection; nobody holds it longer than a few inserts take.
        # An interrupt of whoever holds it may put a call at any moment, and leaves it in
        # `_incoming`, to be written once the lock is free.
        self._lock = threading.RLock()
        self._incoming: deque[Envelope] = deque()
        self.enter: Callable[[Iterable[Envelope]], None] = self._incoming.extend
        self._ages = ownership.Ages(self._directory)
        self._own: SpoolFile | None = None
        self._displaced: deque[SpoolFile] = deque()  # were the own one, until nobody found them
        self._look_at = 0.0  # when the own file is looked for again
        self._degraded = False  # calls stay in _incoming, as the disk cannot be written

        # Held by the flushing side, for what is its own.
        self._turn = threading.RLock()
        self._retry_at = 0.0  # when the disk is tried again

    def write(self) -> None:
        """
        Write what has entered to the file.

        Any thread may, also from within a signal handler or a ``__del__`` that interrupted
        another `write` on the same thread: that one writes all when it goes on.
        """
        try:
            if holds(self._lock):
                return
            self._write_incoming()
            if self._problems.unsaid and not holds(self._turn):
                self._problems.speak()
        except RecursionError:
            pass  # the caller's stack is nearly full; the next call writes it
        except faults(Exception):
            pass  # likewise

    def _write_incoming(self) -> None:
        # Again, since an interrupt may have added to it as long as the lock was held.
        incoming = self._incoming
        while incoming and not self._degraded:
            with self._lock:
                try:
                    own = self._own
                    if own is None or monotonic() >= self._look_at:
                        own = self._look()
                    while incoming:
                        own.append(incoming[0])
                        incoming.popleft()
                except faults(sqlite3.Error, OSError) as error:
                    self._degrade(error)

    def _look(self) -> SpoolFile:
        """
        Return the own file, which is found by its name: a new one, unless that before still is.

        Raises:
            OSError, sqlite3.Error: It cannot be made.
        """
        self._look_at = monotonic() + _LOOK_INTERVAL
        own = self._own
        if own is not None and not own.is_there():
            self._displace(own)
            own = None
        if own is None:
            own = self._own = self._new_file()
        return own

    def _displace(self, own: SpoolFile) -> None:
        """
        Write no more to the *own* file, which was deleted or replaced: nobody would find it.

        What it has is for the flushing side to save.

        Raises:
            OSError: The directory that is there now is not ours, or cannot be made.
        """
        # First, since what is there now may be somebody else's.
        sqlite.create_private_directory(self._directory)
        if own not in self._displaced:
            self._displaced.append(own)
        self._own = None

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Use the own file's connection; what is put meanwhile is written afterwards."""
        try:
            with self._lock:
                yield
        finally:
            self._write_incoming()

    def _new_file(self) -> SpoolFile:
        return ownership.create(
            self._directory, self._undisturbed, self._ages.new(), str(self._workspace)
        )

    def _degrade(self, error: Exception) -> None:
        """Let calls wait in memory, since the disk cannot be written."""
        if self._degraded:
            return
        self._degraded = True
        # What is wrong with descriptors is not wrong with the disk.
        soon = isinstance(error, ClosedDescriptorsError)
        self._retry_at = monotonic() + (0.0 if soon else backlog.RETRY_INTERVAL)
        self._problems.add(
            "spool",
            f"the spool in {self._directory} cannot be written ({described(error)}): calls "
            "wait in memory until it can",
        )
