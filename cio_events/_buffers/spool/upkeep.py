"""
Look after a spool's files: those that somebody deleted or closed, or whose disk is back again.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from itertools import islice

from cio_events._buffers.spool import backlog, sqlite
from cio_events._buffers.spool.backlog import OlderFiles
from cio_events._buffers.spool.dead_letter_writer import DeadLetterWriter
from cio_events._buffers.spool.descriptors import ClosedDescriptorsError
from cio_events._buffers.spool.owned_file import SpoolFile
from cio_events._buffers.spool.writer import SpoolWriter
from cio_events._wire.envelope import Envelope

# Calls written at once while somebody may wait to put one: about 0.1 ms.
_CHUNK = 64


class SpoolUpkeep(SpoolWriter):
    """What the flushing side of a spool does for its files, in its turn."""

    _older: OlderFiles
    _dead_letters: DeadLetterWriter
    _unspooled: Counter[Envelope]
    _sent: set[Envelope]
    _idle_at: int

    def _files(self) -> list[SpoolFile]:
        return [*self._older, *filter(None, [self._own])]

    def _miss_descriptors(self) -> None:
        """
        Notice that somebody has closed the descriptors of a file, before SQLite uses them again.
        """
        for file in self._files():
            try:
                file.check()
            except ClosedDescriptorsError as error:
                if file is self._own:
                    self._rest(error)
                    self._retire_own()
                self._older.reopen(file)

    def _miss_files(self) -> None:
        """
        Notice files that were deleted, or replaced by others: nobody would find what is written.
        """
        for file in self._files():
            if file.is_there():
                continue
            gone = sqlite3.DatabaseError("it was deleted, or replaced by another")
            if file is self._own:
                self._rest(gone)
                self._retire_own()
                self._retry_at = 0.0
            if file.live:
                self._older.rescue(file, gone)

    def _leave_no_trace(self) -> None:
        """Have what was delivered go from the disk, once nothing new comes."""
        self._dead_letters.prune()
        self._older.tidy()
        own = self._own
        if own is None or own.live or not own.last_place:
            self._idle_at = -1
        elif own.last_place != self._idle_at:
            self._idle_at = own.last_place
        else:
            self._retire_own()
            self._idle_at = -1

    def _replace_own(self) -> None:
        file = self._new_file()
        with self._undisturbed():
            own, self._own = self._own, file
        if own is not None:
            self._older.add(own)

    def _retire_own(self) -> None:
        """Write no more to the own file."""
        with self._undisturbed():
            own, self._own = self._own, None
        if own is not None:
            self._older.add(own)

    def _return_to_disk(self) -> None:
        """Write what waits in memory, to a new file; then calls go to the disk again."""
        try:
            sqlite.create_private_directory(self._directory)
            file = self._new_file()
        except (sqlite3.Error, OSError):
            self._retry_at = time.monotonic() + backlog.RETRY_INTERVAL
            return
        try:
            while self._degraded:
                with self._undisturbed():
                    chunk = list(islice(self._incoming, _CHUNK))
                    if chunk:
                        file.append_all(chunk, self._sent)
                        for _ in chunk:
                            self._incoming.popleft()
                    else:
                        self._own = file
                        self._degraded = False
        except sqlite3.Error:
            self._retry_at = time.monotonic() + backlog.RETRY_INTERVAL
            self._older.add(file)
            return
        self._problems.note("spool", f"the spool in {self._directory} can be written again")
