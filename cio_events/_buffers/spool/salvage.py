"""Read what can still be read in a damaged spool file."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeAlias
from zlib import crc32

from cio_events._buffers.spool.places import Places

_CHUNK = 256

Row: TypeAlias = "tuple[int, int, bytes]"
"""A call in a file: its place, checksum and envelope."""

Execute: TypeAlias = Callable[..., sqlite3.Cursor]


def intact(crc: object, stored: object) -> bool:
    """
    Whether what is *stored* is what was written.
    """
    return isinstance(stored, bytes) and crc32(stored) == crc


def marks_of(
    execute: Execute, below: int, maybe_sent: frozenset[int]
) -> tuple[int, frozenset[int]]:
    """
    The place below which calls are done with, and the places of those that may have been sent.

    What cannot be read is as it was known before.
    """
    with suppress(sqlite3.Error, TypeError):
        (found,) = execute("SELECT below FROM done").fetchone()
        below = max(below, found)
        sending = execute("SELECT place FROM sending").fetchall()
        maybe_sent = frozenset(place for (place,) in sending)
    return below, maybe_sent


def salvage(execute: Execute, places: Places) -> Iterator[list[Row]]:
    """
    Give the calls that are not done with: from the front up to the damage, then from the end back.
    """
    low, high = places.below - 1, sys.maxsize
    for direction in ("", " DESC"):
        most = _CHUNK
        while most:
            try:
                rows = execute(
                    "SELECT place, crc, envelope FROM calls WHERE place > ? AND place < ? "  # noqa: S608 - the one of two words that is filled in is ours
                    f"ORDER BY place{direction} LIMIT ?",
                    (low, high, most),
                ).fetchall()
            except sqlite3.Error:
                # Up to the very row, one by one.
                most = 0 if most == 1 else 1
                continue
            if not rows:
                return
            low, high = (rows[-1][0], high) if not direction else (low, rows[-1][0])
            whole = [row for row in rows if intact(*row[1:]) and not places.finished(row[0])]
            if whole:
                yield whole
