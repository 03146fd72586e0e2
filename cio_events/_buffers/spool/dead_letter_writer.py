"""Write dead letters for a spool: those that the disk refuses wait, and problems are logged."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from cio_events._buffers.failures import DeadLetter, Failure
from cio_events._buffers.spool import sqlite
from cio_events._buffers.spool.dead_letters import (
    KEEP_BYTES,
    KEEP_SECONDS,
    DeadLetters,
)
from cio_events._buffers.spool.problems import Problems, described
from cio_events._buffers.workspace import Workspace
from cio_events._process.clock import monotonic
from cio_events._wire.envelope import Envelope

# Dead letters that could not be written yet: their calls stay in the spool meanwhile.
_WAITING_MOST = 1000

# And those of calls that never were in it, which memory alone holds.
_WAITING_BYTES = 16 * 1024 * 1024

# Written at once.
_CHUNK = 256

# In seconds.
_PRUNE_INTERVAL = 3600.0

_LOST = "dead letters that cannot be written are discarded"


class DeadLetterWriter:
    """The dead letters of the spool in *directory*, with problems logged instead of raised."""

    def __init__(self, directory: Path, problems: Problems, workspace: Workspace) -> None:
        self._letters = DeadLetters(directory, workspace)
        self._problems = problems
        self._waiting: deque[tuple[Envelope, Failure]] = deque()
        self._prune_at = 0.0

    @property
    def lock(self) -> threading.RLock:
        """Held while SQLite is used."""
        return self._letters.lock

    def add(self, envelope: Envelope, failure: Failure) -> None:
        """Have `proceed` write a call."""
        self._waiting.append((envelope, failure))

    def add_refused(self, envelope: Envelope, failure: Failure) -> None:
        """Have `proceed` write a call that is in no file, unless too much waits already."""
        size = sum(len(waiting) for waiting, _ in list(self._waiting))
        if len(self._waiting) < _WAITING_MOST and size + len(envelope) <= _WAITING_BYTES:
            self._waiting.append((envelope, failure))
        else:
            self._problems.note("dead letters lost", _LOST)

    def keep(self, failed: Sequence[tuple[Envelope, Failure]]) -> bool:
        """Write these now; returns whether they could be written."""
        try:
            self._say_discarded(self._letters.add(failed))
        except sqlite.ERRORS as error:
            self._problem(error)
            return False
        return True

    def proceed(self) -> list[Envelope]:
        """Write what waits; return the calls that the spool need not keep any more."""
        written: list[Envelope] = []
        while self._waiting:
            # As many as there are by now: what is refused meanwhile comes in at the end.
            waiting = list(islice(self._waiting, _CHUNK))
            try:
                self._say_discarded(self._letters.add(waiting))
            except sqlite.ERRORS as error:
                self._problem(error)
                if len(self._waiting) <= _WAITING_MOST:
                    break
                self._problems.note("dead letters lost", _LOST)
                waiting = list(islice(self._waiting, len(self._waiting) - _WAITING_MOST))
            for envelope, _ in waiting:
                self._waiting.popleft()
                written.append(envelope)
        return written

    @property
    def waiting(self) -> list[tuple[Envelope, Failure]]:
        """What could not be written yet."""
        return list(self._waiting)

    def prune(self) -> None:
        """Discard letters that are too old, now and then."""
        now = monotonic()
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE_INTERVAL
            try:
                self._say_discarded(self._letters.prune())
            except sqlite.ERRORS as error:
                self._problem(error)

    def _say_discarded(self, count: int) -> None:
        if count:
            self._problems.note(
                "dead letters full",
                f"the oldest in {self._letters.path} were discarded: dead letters are "
                f"kept for {KEEP_SECONDS / 86400:g} days, up to {KEEP_BYTES >> 20} MiB",
            )

    def failures(self) -> Iterator[DeadLetter]:
        """All dead letters, oldest first."""
        try:
            yield from self._letters.select()
        except sqlite.ERRORS as error:
            self._problem(error)
            self._problems.speak()

    def resend(self, ids: Sequence[str] | None) -> int:
        """As `DeadLetters.resend`."""
        return self._do(self._letters.resend, ids)

    def discard(self, ids: Sequence[str] | None) -> int:
        """As `DeadLetters.discard`."""
        return self._do(self._letters.discard, ids)

    def close(self) -> None:
        """Forget what still waits: it has ended, and whoever opens the spool next is told so."""
        self._waiting.clear()

    def leave_to_parent(self) -> None:
        """As `DeadLetters.leave_to_parent`."""
        self._letters.leave_to_parent()

    def _do(self, change: Callable[[Sequence[str] | None], int], ids: Sequence[str] | None) -> int:
        try:
            return change(ids)
        except sqlite.ERRORS as error:
            self._problem(error)
            self._problems.speak()
            return 0

    def _problem(self, error: Exception) -> None:
        aside = self._letters.set_aside() if sqlite.is_damage(error) else None
        self._problems.add(
            "dead letters",
            f"{self._letters.path} cannot be used ({described(error)})"
            + (f"; it is set aside as {aside.name}" if aside is not None else ""),
        )
