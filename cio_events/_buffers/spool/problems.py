"""Count what goes wrong with a spool, and log it when no lock is held."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

from cio_events._buffers.spool.owned_file import SpoolFile
from cio_events._buffers.spool.sqlite import OtherVersionError
from cio_events._interrupts import faults
from cio_events._process.diagnostics import calls


class Problems:
    """
    The problems of the spool in *directory*.

    Args:
        directory: Where the spool is.

        report: Gets what is to be logged, as a kind and a sentence.

    Attributes:
        count: How many there were.

        lost: How many calls are gone with what was damaged.

        unsaid: What has not been logged yet, each a kind and a sentence.
    """

    def __init__(self, directory: Path, report: Callable[[str, str], None]) -> None:
        self._directory = directory
        self._report = report
        self.unsaid: deque[tuple[str, str]] = deque()
        self.count: int = 0
        self.lost: int = 0

    def add(self, kind: str, message: str) -> None:
        """Count a problem, and have it logged."""
        self.count += 1
        self.note(kind, message)

    def add_error(self, error: Exception) -> None:
        """Count what has failed and will be tried again."""
        self.add(
            "spool problem", f"the spool in {self._directory} has a problem ({described(error)})"
        )

    def lose_unreadable(self, file: SpoolFile) -> None:
        """Count what turned out to be damaged in *file*."""
        if file.unreadable:
            self.lost += file.unreadable
            self.add(
                "spool damaged", f"{calls(file.unreadable, 'is', 'are')} damaged in {file.path}"
            )
            file.unreadable = 0

    def note(self, kind: str, message: str) -> None:
        """Have something logged that is no problem."""
        self.unsaid.append((kind, message))

    def speak(self) -> None:
        """Log what has been noted; the caller holds no lock, as logging has locks of its own."""
        while self.unsaid:
            try:
                self._report(*self.unsaid.popleft())
            except faults(Exception):  # it must not reach the application
                continue


def described(error: Exception) -> str:
    """*error* as a part of a sentence."""
    if isinstance(error, OtherVersionError):
        return "another version"
    return str(error)
