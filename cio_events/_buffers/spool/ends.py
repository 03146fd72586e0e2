"""
Note how calls of a spool file ended while the disk is full: over bytes laid down when it was not.

What ended must not come back with the next process. A person would end with an older attribute,
and a message could go twice.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import get_args
from zlib import crc32

from cio_events._buffers.spool.sqlite import ends_of, write_private
from cio_events.signals import FailedReason

_BYTES = 4096

# Place, HTTP status, reason, nothing, checksum of these.
_ENTRY = struct.Struct(">IHBBI")
_SUMMED = 8

# What is delivered has none. Only ever added to, at the end.
_REASONS: tuple[str, ...] = ("", *get_args(FailedReason))

_UP_TO = 255
"""In place of a reason: all up to this place have ended."""


@dataclass(frozen=True, slots=True)
class End:
    """
    How a call ended.

    Attributes:
        place: Its place in the file.

        reason: Why it failed; None if it was delivered, or is kept elsewhere.

        status: The HTTP status, where there was one.
    """

    place: int
    reason: str | None = None
    status: int | None = None


class Ends:
    """
    The notes beside one spool file.

    Attributes:
        found: What the owner before has noted.

        below: What is below this place has ended, as far as was noted.
    """

    def __init__(self, path: Path) -> None:
        self.found: list[End] = []
        self.below: int = 0
        self._path = ends_of(path)
        self._used = 0
        self._last_below: int | None = None  # where it was noted
        self._noted: set[End] = set()

    @classmethod
    def create(cls, path: Path) -> Ends:
        """
        Make room for notes beside the new file at *path*.

        Raises:
            OSError: There is none.
        """
        ends = cls(path)
        write_private(ends._path, bytes(_BYTES))
        return ends

    @classmethod
    def read(cls, path: Path) -> Ends:
        """What is noted beside the file at *path*; nothing where that is damaged or gone."""
        ends = cls(path)
        content = b""
        with suppress(OSError):
            content = ends._path.read_bytes()[:_BYTES]
        for start in range(0, len(content) - _ENTRY.size + 1, _ENTRY.size):
            place, status, reason, _, checksum = _ENTRY.unpack_from(content, start)
            if checksum != crc32(content[start : start + _SUMMED]):
                continue
            ends._used = start + _ENTRY.size
            if reason == _UP_TO:
                ends.below = max(ends.below, place)
            elif reason < len(_REASONS):
                ends.found.append(End(place, _REASONS[reason] or None, status or None))
        return ends

    def note(self, below: int, ends: Iterable[End]) -> bool:
        """
        Note that everything *below* a place has ended, and these; returns whether there was room.
        """
        new = [
            end for end in ends if end not in self._noted and (end.reason or end.place >= below)
        ]
        entries = [(end.place, end.status or 0, _REASONS.index(end.reason or "")) for end in new]
        at, start = self._last_below, self._used
        if at is None:
            at, start = start, start + _ENTRY.size
        if start + len(entries) * _ENTRY.size > _BYTES:
            return False
        try:
            descriptor = os.open(self._path, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0))
        except OSError:
            return False
        try:
            os.pwrite(descriptor, _packed(below, 0, _UP_TO), at)
            os.pwrite(descriptor, b"".join(_packed(*entry) for entry in entries), start)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        self._noted.update(new)
        self._last_below, self._used = at, start + len(entries) * _ENTRY.size
        return True


def _packed(place: int, status: int, reason: int) -> bytes:
    summed = struct.pack(">IHBB", place, status, reason, 0)
    return summed + crc32(summed).to_bytes(4, "big")
