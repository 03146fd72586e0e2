"""
The spool as a pipeline's buffer: take calls, note how they ended, adopt others, and close.

`writer` puts the calls in.
"""

from __future__ import annotations

import math
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cio_events._buffers.failures import DeadLetter, Failure
from cio_events._buffers.spool import sqlite
from cio_events._buffers.spool.backlog import OlderFiles
from cio_events._buffers.spool.dead_letter_writer import DeadLetterWriter
from cio_events._buffers.spool.owned_file import SpoolFile
from cio_events._buffers.spool.problems import Problems
from cio_events._buffers.spool.upkeep import SpoolUpkeep
from cio_events._buffers.workspace import NOBODYS, Workspace
from cio_events._interrupts import holds
from cio_events._process import forks
from cio_events._process.clock import monotonic
from cio_events._wire.envelope import Envelope

# Calls read or written at once while somebody may wait to put one: about 0.1 ms.
_CHUNK = 64

# Of SQLite's journal: what a crash leaves to read again, and the space that calls may take that
# were delivered long ago.
_JOURNAL_BYTES = 8 * 1024 * 1024

# A new file, instead of the one whose journal is full, spares the waiting for the disk; and the
# old one needs no emptying, as it is deleted as a whole. But not any number of files.
_OLDER_MOST = 4

# In seconds. A fork waits that long only when it is made within an interrupt of ours.
_FORK_PATIENCE = 2.0


class Spool(SpoolUpkeep):
    """
    A buffer in *directory*, which any number of processes and pipelines may share.

    `take` hands out what was adopted before what is our own, file by file, the oldest first. The
    files of one process are adopted together, by one process. So a customer's older calls go
    before newer ones, unless several processes that are gone had calls of the same customer at
    the same time.

    When the disk cannot be written, calls wait in memory, and `take` and `adopt` try every
    `RETRY_INTERVAL` seconds to write them.

    Args:
        directory: Created with mode 0700 if it is not there.

        report: Gets what there is to say, as a kind and a sentence without personal data. It is
            called on the thread that met it, with no lock held.

        adopts: Whether `adopt` does anything; not where nothing can be delivered, so that others
            get what they can deliver.

        workspace: Whose calls they are; those of others are left to others.

        max_age: Over how many seconds calls of others are too old, as far as the clock can be
            believed: such a backlog is adopted only once the clock has said so for
            `CLOCK_SECONDS`.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        report: Callable[[str, str], None],
        adopts: bool = True,
        workspace: Workspace = NOBODYS,
        max_age: float = math.inf,
    ) -> None:
        super().__init__(Path(directory).absolute(), workspace)
        self._max_age = max_age
        self._report = report
        self._adopts = adopts
        self._start_afresh()
        try:
            sqlite.create_private_directory(self._directory)
        except OSError as error:
            self._degrade(error)
        forks.rest_over_forks(self)
        self._problems.speak()

    def __repr__(self) -> str:
        return f"<Spool {self._directory}>"

    def _start_afresh(self) -> None:
        self._pid = os.getpid()
        self._begin_writing(Problems(self._directory, self._report))

        # The flushing side's, who has the turn.
        letters = DeadLetterWriter(self._directory, self._problems, self._workspace)
        self._dead_letters = letters
        self._older = OlderFiles(
            self._directory, self._problems, letters, self._workspace, self._max_age
        )
        self._late = False  # whether the process ends, and has given up what it had
        self._unspooled: Counter[Envelope] = Counter()  # taken, and in no file
        self._sent: set[Envelope] = set()  # of those, what must not be sent again
        self._forgotten_late: list[Envelope] = []
        self._idle_at = -1  # the last place in the own file when it was idle

    @property
    def in_memory(self) -> int:
        """How many calls are in no file."""
        # As a list first: the flushing thread may be changing it.
        return len(self._incoming) + sum(list(self._unspooled.values()))

    @property
    def lost(self) -> int:
        """How many calls that were put, or adopted, are gone with a damaged file."""
        return self._problems.lost

    @property
    def problems(self) -> int:
        """How often the disk failed, or a file was damaged."""
        return self._problems.count

    @property
    def adopted(self) -> tuple[int, int]:
        """How many of the pending calls were adopted, and of how many bytes."""
        return self._older.adopted

    @property
    def behind(self) -> bool:
        """Whether there are more files of processes that are gone than are adopted at a time."""
        return self._older.more

    # For the flushing side.

    def take(self, most: int) -> list[Envelope]:
        """The next calls that were not taken yet, at most so many."""
        taken: list[Envelope] = []
        with self._turn_of_flushing() as alone:
            if alone:
                self._miss_own_file()
                self._look_after_disk()
                self._older.take(most, taken)
                self._take_own(most, taken)
                if self._degraded:
                    self._take_from_memory(most, taken)
        return taken

    def forget(self, envelopes: Sequence[Envelope]) -> None:
        """These calls have arrived at Customer.io, or were given up."""
        with self._turn_of_flushing() as alone:
            if alone:
                self._forget(envelopes)
            else:
                self._forgotten_late.extend(envelopes)

    def dead_letter(self, envelopes: Sequence[Envelope], failures: Sequence[Failure]) -> None:
        """These calls have failed for good: keep them as dead letters."""
        with self._turn_of_flushing() as alone:
            for envelope, failure in zip(envelopes, failures, strict=True):
                self._dead_letters.add(envelope, failure)
            if alone:
                self._write_waiting()
                waiting = self._dead_letters.waiting
                for envelope, failure in waiting[-len(envelopes) :]:
                    # It is an end, also if this process is killed now.
                    file = self._holder(envelope)
                    if file is not None:
                        file.note_failed(envelope, failure.reason, failure.status)
                    else:
                        self._drop_from_memory(envelope)

    def keep_refused(self, envelope: Envelope, failure: Failure) -> None:
        """Have the flushing side keep a call that never was put as a dead letter."""
        # Not written here: another process may be busy with the dead letters for seconds.
        self._dead_letters.add_refused(envelope, failure)

    def adopt(self) -> tuple[int, int]:
        """
        Make the files of processes that are gone our own.

        To be called at the start, and every `ADOPT_INTERVAL` seconds.

        Returns:
            How many calls were adopted, and of how many bytes.
        """
        with self._turn_of_flushing() as alone:
            if alone:
                self._miss_files()
                self._look_after_disk()
                self._leave_no_trace()
                if not self._adopts:
                    return 0, 0
                return self._older.adopt(self._own.path if self._own is not None else None)
        return 0, 0

    def sending(self, envelope: Envelope) -> bool:
        """
        A request with *envelope*, which must not be sent twice, is about to be made.

        Should this process die now, whoever adopts the call learns so from `maybe_sent`.

        Returns:
            Whether that is certain; otherwise the request must not be made.
        """
        with self._turn_of_flushing() as alone:
            if alone:
                # Where nobody finds the mark, the message could go twice.
                self._miss_files()
            if self._holder(envelope) is None:
                self._sent.add(envelope)
                return True
        return self._mark(envelope, SpoolFile.sending)

    def unsent(self, envelope: Envelope) -> None:
        """That request has certainly not arrived."""
        self._sent.discard(envelope)
        self._mark(envelope, SpoolFile.unsent)

    def maybe_sent(self, envelope: Envelope) -> bool:
        """Whether *envelope*, taken from here, was `sending` when the process died that had it."""
        with self._turn_of_flushing():
            file = self._holder(envelope)
            return file is not None and file.maybe_sent(envelope)

    def close(self, taken: Sequence[Envelope] = (), *, ending: bool = False) -> list[Envelope]:
        """
        Leave everything to whoever adopts it, what was *taken* as well.

        What is put later goes to a new file: one for all, if the process is *ending*.

        Returns:
            The calls that could not be written, and are lost.
        """
        left: list[Envelope] = []
        with self._turn_of_flushing() as alone:
            if alone:
                self._miss_files()
                self._write_waiting()
                with self._undisturbed():
                    # Taken or not, they were not delivered; what has failed has ended, though.
                    for envelope, _ in self._dead_letters.waiting:
                        self._unspooled[envelope] -= 1
                    self._incoming.extendleft(reversed(list(self._unspooled.elements())))
                    self._unspooled.clear()
                self._retry_at = 0.0
                self._look_after_disk()
                own = self._own
                if own is not None and ending and self._late:
                    own.read_again()
                else:
                    self._retire_own()
                self._late = ending
                while self._degraded and self._incoming:
                    left.append(self._incoming.popleft())
                self._sent.clear()
                self._older.give_up_all()
                self._dead_letters.close()
        return left

    # For whoever looks after dead letters, on any thread.

    def failures(self) -> Iterator[DeadLetter]:
        """The calls that have failed for good, in all processes with this directory."""
        with self._turn_of_flushing() as alone:
            if alone:
                self._write_waiting()
        return self._dead_letters.failures()

    def resend(self, ids: Sequence[str] | None = None) -> int:
        """
        Make dead letters pending again, those of these *ids* or all; returns how many.

        They are there for the next `adopt`, in whichever process it comes first.
        """
        with self._turn_of_flushing() as alone:
            if alone:
                self._write_waiting()
        return self._dead_letters.resend(ids)

    def discard(self, ids: Sequence[str] | None = None) -> int:
        """Delete dead letters, those of these *ids* or all; returns how many."""
        with self._turn_of_flushing() as alone:
            if alone:
                self._write_waiting()
        return self._dead_letters.discard(ids)

    # Told by `cio_events._process.forks`.

    def before_fork(self) -> None:
        """Wait until SQLite is not in use, whose own locks a fork would copy as they are."""
        locks = (self._turn, self._lock, self._dead_letters.lock)
        self._held = [lock for lock in locks if lock.acquire(timeout=_FORK_PATIENCE)]

    def after_fork_in_parent(self) -> None:
        """Go on."""
        for lock in self._held:
            lock.release()

    def abandon(self) -> None:
        """In a forked child: leave everything to the parent, whose it is, and start afresh."""
        if self._pid == os.getpid():
            return
        for file in self._files():
            file.strand()
        self._dead_letters.leave_to_parent()
        self._start_afresh()

    # Taking turns.

    @contextmanager
    def _turn_of_flushing(self) -> Iterator[bool]:
        """The flushing side's turn; False within an interrupt of anybody's on the same thread."""
        if holds(self._lock) or holds(self._turn):
            yield False
            return
        with self._turn:
            self._miss_descriptors()
            self._save_displaced()
            yield True
            late, self._forgotten_late = self._forgotten_late, []
            self._forget(late)
        self._problems.speak()

    # What the flushing side does in its turn.

    def _holder(self, envelope: Envelope) -> SpoolFile | None:
        return next((file for file in self._files() if file.holds(envelope)), None)

    def _take_own(self, most: int, taken: list[Envelope]) -> None:
        own = self._own
        while own is not None and len(taken) < most and not own.exhausted:
            try:
                taken += own.take(min(_CHUNK, most - len(taken)))
            except sqlite3.Error as error:
                self._degrade(error)
                self._retire_own()
                self._older.take(most, taken)
                return
            self._problems.lose_unreadable(own)

    def _take_from_memory(self, most: int, taken: list[Envelope]) -> None:
        # While the disk fails, nobody else takes from here.
        while len(taken) < most and self._incoming:
            envelope = self._incoming.popleft()
            self._unspooled[envelope] += 1
            taken.append(envelope)

    def _forget(self, envelopes: Sequence[Envelope]) -> None:
        for file in self._files():
            if not envelopes:
                break
            places, envelopes = file.release(envelopes)
            if places:
                try:
                    file.be_done_with(places)
                except sqlite3.Error as error:
                    # The next time makes up for it; at worst, calls are sent again.
                    self._problems.add_error(error)
        for envelope in envelopes:
            self._drop_from_memory(envelope)
        self._older.remove_finished()

    def _write_waiting(self) -> None:
        self._forget(self._dead_letters.proceed())

    def _mark(self, envelope: Envelope, mark: Callable[[SpoolFile, Envelope], None]) -> bool:
        with self._turn_of_flushing():
            file = self._holder(envelope)
            if file is not None:
                try:
                    file.check()
                    mark(file, envelope)
                except (sqlite3.Error, OSError) as error:
                    self._problems.add_error(error)
                    return False
        return True

    # The own file, and the disk.

    def _look_after_disk(self) -> None:
        if self._degraded:
            self._retire_own()
            if monotonic() >= self._retry_at:
                self._return_to_disk()
        self._write_waiting()
        own = self._own
        if own is not None and own.journal_bytes() > _JOURNAL_BYTES:
            try:
                if len(self._older) < _OLDER_MOST:
                    self._replace_own()
                else:
                    own.checkpoint()
            except (sqlite3.Error, OSError) as error:
                self._problems.add_error(error)
