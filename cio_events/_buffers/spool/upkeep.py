"""
Look after a spool's files: those that somebody deleted or closed, or whose disk is back again.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from itertools import islice

from cio_events._buffers.spool import backlog, sqlite
from cio_events._buffers.spool.backlog import OlderFiles
from cio_events._buffers.spool.dead_letter_writer import DeadLetterWriter
from cio_events._buffers.spool.descriptors import ClosedDescriptorsError
from cio_events._buffers.spool.owned_file import SpoolFile
from cio_events._buffers.spool.writer import SpoolWriter
from cio_events._interrupts import faults
from cio_events._process.clock import monotonic
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
        # The own one first: it is displaced before there is another.
        own = self._own
        displaced = [file for file in self._displaced if file is not own]
        return [*self._older, *displaced, *filter(None, [own])]

    def _miss_descriptors(self) -> None:
        """
        Notice that somebody has closed the descriptors of a file, before SQLite uses them again.
        """
        for file in self._files():
            try:
                file.check()
            except ClosedDescriptorsError as error:
                if file is self._own:
                    self._degrade(error)
                    self._retire_own()
                self._older.reopen(file)

    def _miss_files(self) -> None:
        """
        Notice files that were deleted, or replaced by others: nobody would find what is written.
        """
        self._miss_own_file()
        for file in list(self._older):
            if not file.is_there():
                self._older.save_missing(file)

    def _miss_own_file(self) -> None:
        """Notice the same of the own file."""
        own = self._own
        if own is not None and not own.is_there():
            with self._undisturbed():
                try:
                    self._displace(own)
                except OSError as error:
                    self._degrade(error)
                    self._retire_own()
        self._save_displaced()

    def _save_displaced(self) -> None:
        """Save what is in files that were found to be gone when a call was put."""
        while self._displaced:
            file = self._displaced[0]
            if file not in self._older:
                self._older.add(file)
            self._displaced.popleft()
            if file in self._older:
                self._older.save_missing(file)

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

    def _drop_from_memory(self, envelope: Envelope) -> None:
        """Keep a call in memory no more that was taken from there."""
        self._sent.discard(envelope)
        self._unspooled[envelope] -= 1
        if self._unspooled[envelope] <= 0:
            del self._unspooled[envelope]

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
        """Write what is in memory, taken or not, to a new file, to which calls go from then on."""
        try:
            sqlite.create_private_directory(self._directory)
            file = self._new_file()
        except faults(sqlite3.Error, OSError):
            self._retry_at = monotonic() + backlog.RETRY_INTERVAL
            return
        try:
            # First, as they are the older ones: otherwise a later process would send them last.
            taken = list(self._unspooled.elements())
            for start in range(0, len(taken), _CHUNK):
                chunk = taken[start : start + _CHUNK]
                file.append_taken(chunk, self._sent)
                for envelope in chunk:
                    self._drop_from_memory(envelope)
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
        except faults(sqlite3.Error):
            self._retry_at = monotonic() + backlog.RETRY_INTERVAL
            self._older.add(file)
            return
        self._problems.note("spool", f"the spool in {self._directory} can be written again")
