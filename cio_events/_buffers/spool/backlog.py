"""
The files of a spool that are only read: of processes that are gone, and earlier ones of our own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain
from pathlib import Path

from cio_events._buffers.failures import Failure
from cio_events._buffers.spool import ownership, sqlite
from cio_events._buffers.spool.carving import carved
from cio_events._buffers.spool.dead_letter_writer import DeadLetterWriter
from cio_events._buffers.spool.descriptors import ClosedDescriptorsError
from cio_events._buffers.spool.owned_file import SpoolFile
from cio_events._buffers.spool.problems import Problems
from cio_events._buffers.spool.sqlite import OtherVersionError, is_damage
from cio_events._buffers.spool.too_old import TooOld
from cio_events._buffers.workspace import Workspace
from cio_events._process.clock import monotonic
from cio_events._process.diagnostics import calls
from cio_events._wire.envelope import Envelope

# In seconds: a disk is rarely full for less, and to try costs a millisecond.
RETRY_INTERVAL = 5.0

# Files that one process adopts at a time; each has two open file descriptors, of which a process
# has 1024 by default. Others may adopt the rest, or we later.
_ADOPT_MOST = 64

# Calls read at once.
_CHUNK = 1000


class OlderFiles:
    """
    The files in *directory* that are ours to read, oldest first. It is for one thread at a time.

    Attributes:
        more: Whether nobody owns others, as far as is known, which are too many for now.
    """

    def __init__(
        self,
        directory: Path,
        problems: Problems,
        letters: DeadLetterWriter,
        workspace: Workspace,
        max_age: float,
    ) -> None:
        self._directory = directory
        self._problems = problems
        self._letters = letters
        self._workspace = workspace
        self._strangers: set[Workspace] = set()  # those of which it was said that they are
        self._files: list[SpoolFile] = []
        self._left_alone: set[Path] = set()
        self._too_old = TooOld(max_age)
        self._rescue_again_at = 0.0
        self.more: bool = False

    def __iter__(self) -> Iterator[SpoolFile]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    @property
    def adopted(self) -> tuple[int, int]:
        """How many live calls are in files that were adopted, and of how many bytes."""
        files = [file for file in self._files if file.adopted_bytes]
        return sum(file.live for file in files), sum(file.adopted_bytes for file in files)

    def add(self, file: SpoolFile) -> None:
        """Add a file to which nothing more will be written, unless it is done with."""
        file.guard = nullcontext
        if file.live:
            self._files.append(file)
            self._files.sort(key=lambda file: file.age)
        else:
            self.give_up(file)

    def take(self, most: int, taken: list[Envelope]) -> None:
        """Add the next calls to *taken*, until it has *most*."""
        for file in list(self._files):
            reading: SpoolFile | None = file
            while reading is not None and len(taken) < most and not reading.exhausted:
                try:
                    taken += reading.take(min(_CHUNK, most - len(taken)))
                except sqlite3.Error as error:
                    reading = self.rescue(reading, error)
                else:
                    self._problems.lose_unreadable(reading)

    def remove_finished(self) -> None:
        """Delete the files with no call left."""
        for file in [file for file in self._files if not file.live]:
            self._files.remove(file)
            self.give_up(file)

    def give_up(self, file: SpoolFile) -> None:
        """Close *file*, and delete it if it has no call left."""
        try:
            if file.live or file.unkept:
                file.close()
            else:
                file.remove()
        except (sqlite3.Error, OSError) as error:
            self._problems.add_error(error)

    def give_up_all(self) -> None:
        """Leave all of them to whoever adopts them."""
        self._rescue_again_at = 0.0
        self.more = False
        for file in self._files:
            self.give_up(file)
        self._files.clear()

    def adopt(self, own: Path | None) -> tuple[int, int]:
        """
        Add the files that nobody owns.

        Args:
            own: The one that we are writing.

        Returns:
            How many calls they have, and of how many bytes.
        """
        calls = size = 0
        if self.more and len(self._files) >= _ADOPT_MOST:
            return 0, 0  # without a look at so many files
        owned: set[str] = set()  # backlogs that are another process's
        self.more = False
        for path in self._unowned(own):
            if len(self._files) >= _ADOPT_MOST:
                self.more = True
                break
            backlog = ownership.backlog_of(path)
            if backlog in owned or self._too_old.waits(backlog):
                continue
            claimed = self._claim(path, owned)
            if claimed is not None:
                if self._too_old.is_seen(backlog, claimed.first_accepted()):
                    claimed.close()
                    continue
                counted = self._count(claimed)
                calls += counted[0]
                size += counted[1]
        return calls, size

    def rescue(self, damaged: SpoolFile, error: sqlite3.Error) -> SpoolFile | None:
        """
        Replace a file by what can still be read in it.

        Returns:
            None if *error* is no damage, or the disk does not take what was read.
        """
        if not is_damage(error) or monotonic() < self._rescue_again_at:
            self._problems.add_error(error)
            return None
        try:
            sqlite.create_private_directory(self._directory)
            file = self._successor_of(damaged.path)
            try:
                saved, lost = file.rescue(damaged)
                aside = None
                if damaged.is_there():
                    aside = sqlite.set_aside(damaged.path)
                else:
                    damaged.remove_copy()
            except BaseException:
                file.remove()
                raise
        except (sqlite3.Error, OSError) as failure:
            self._rescue_again_at = monotonic() + RETRY_INTERVAL
            self._problems.add_error(failure)
            return None
        self._files[self._files.index(damaged)] = file
        damaged.close()
        self._problems.lost += lost
        then = f", and is set aside as {aside.name}" if aside else ""
        self._problems.add(
            "spool damaged",
            f"{damaged.path} is damaged ({error}){then}; {calls(saved)} could be read",
        )
        return file

    def save_missing(self, file: SpoolFile) -> None:
        """Save what is in a *file* that nobody finds by its name any more."""
        if file.live:
            self.rescue(file, sqlite3.DatabaseError("it was deleted, or replaced by another"))

    def reopen(self, file: SpoolFile) -> None:
        """Open a file again whose descriptors somebody has closed."""
        self._problems.add_error(ClosedDescriptorsError())
        try:
            file.strand()
            claimed = ownership.claim(file.path)
            if claimed is not None:
                file.continue_as(claimed[0])
        except (sqlite3.Error, OSError, OtherVersionError) as error:
            self._problems.add_error(error)

    def tidy(self) -> None:
        """Leave no trace of what was delivered in files that wait for something else."""
        for file in self._files:
            try:
                file.wipe()
            except sqlite3.Error as error:
                self._problems.add_error(error)

    def _successor_of(self, path: Path) -> SpoolFile:
        # In the same place of its backlog, and as old.
        age = f"{ownership.age_of(path)}-r"
        return ownership.create(
            self._directory, age=age, workspace=str(ownership.workspace_at(path))
        )

    def _unowned(self, own: Path | None) -> list[Path]:
        ours = {file.path for file in self._files} | self._left_alone
        try:
            found = [path for path in self._directory.iterdir() if path.suffix == ownership.SUFFIX]
        except OSError:
            return []
        return sorted(
            (p for p in found if p != own and p not in ours and self._is_for_us(p)),
            key=ownership.age_of,
        )

    def _is_for_us(self, path: Path) -> bool:
        workspace = ownership.workspace_at(path)
        if self._workspace.delivers(workspace):
            return True
        if workspace not in self._strangers:
            self._strangers.add(workspace)
            self._problems.note(
                "spool workspace",
                f"calls of another workspace ({workspace}) are in {self._directory}; they are "
                "left to a process with its settings",
            )
        return False

    def _claim(self, path: Path, owned: set[str]) -> SpoolFile | None:
        try:
            claimed = ownership.claim(path)
        except OtherVersionError:
            self._left_alone.add(path)
            self._problems.add("spool version", f"{path} is of another version; it is left alone")
        except (sqlite3.Error, OSError) as error:
            if is_damage(error):
                return self._set_aside(path, error)
            if not isinstance(error, FileNotFoundError):  # otherwise somebody else was faster
                self._problems.add_error(error)
        else:
            if claimed is None:
                # An empty one, which is being made or was given up then, keeps no others back.
                if sqlite.bytes_of(path):
                    owned.add(ownership.backlog_of(path))
                return None
            file, lost = claimed
            if lost is not None:
                self._problems.add(
                    "spool damaged",
                    f"the journal of {path} is damaged: about {calls(lost, 'is', 'are')} "
                    "lost with it; a copy of it is beside it",
                )
            return file
        return None

    def _set_aside(self, path: Path, error: Exception) -> SpoolFile | None:
        """Save what can be found in a file that cannot be opened; returns the file that has it."""
        file, saved = None, 0
        try:
            rows = carved(path)
            first = next(rows, None)
            if first is not None:
                file = self._successor_of(path)
                saved = file.refill(chain([first], rows))
            aside = sqlite.set_aside(path)
        except (sqlite3.Error, OSError) as failure:
            self._problems.add_error(failure)
            if file is not None:
                file.remove()
            return None
        self._problems.add(
            "spool damaged",
            f"{path} is damaged ({error}), and is set aside as {aside.name}; "
            f"{calls(saved)} could be read",
        )
        return file

    def _count(self, file: SpoolFile) -> tuple[int, int]:
        """Add a file that was just claimed; returns what it has."""
        self._files.append(file)
        try:
            counted = file.count()
        except sqlite3.Error as error:
            rescued = self.rescue(file, error)
            if rescued is None:
                self._files.remove(file)
                file.close()
                return 0, 0
            file = rescued
            counted = file.live, file.size()
        self._files.remove(file)
        self._keep_failed(file)
        file.adopted_bytes = counted[1]
        self.add(file)
        return counted

    def _keep_failed(self, file: SpoolFile) -> None:
        """Make dead letters of what had failed when nothing could be written."""
        try:
            failed = [
                (envelope, Failure(end.reason or "", end.status, None))
                for envelope, end in file.failed_before()
            ]
            if failed and not self._letters.keep(failed):
                file.unkept = len(failed)
            elif file.ended_before:
                file.drop_ended()
        except sqlite3.Error as error:
            self._problems.add_error(error)
