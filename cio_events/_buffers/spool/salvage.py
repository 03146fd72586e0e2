"""Read what can still be read in a damaged spool file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeAlias
from zlib import crc32

from cio_events._wire.envelope import are_envelopes, is_envelope

LARGEST_BYTES = 16 * 1024 * 1024
"""What is larger was not written by us: a message may have some megabytes."""

_CHUNK = 256

Row: TypeAlias = "tuple[int, int, bytes]"
"""A call in a file: its place, checksum and envelope."""

Execute: TypeAlias = Callable[..., sqlite3.Cursor]


def is_call(place: object, crc: object, stored: object) -> bool:
    """
    Whether what is *stored* is what was written: a call, and not larger than any that is taken.
    """
    return (
        isinstance(place, int)
        and is_envelope(stored)
        and len(stored) <= LARGEST_BYTES
        and crc32(stored) == crc
    )


def are_calls(rows: Sequence[tuple[object, object, object]]) -> bool:
    """Whether each of the *rows*, as SQLite gave them, is one: as quickly as a backlog is read."""
    stored = [row[2] for row in rows]
    return (
        are_envelopes(stored)
        and max(map(len, stored), default=0) <= LARGEST_BYTES
        and [*map(crc32, stored)] == [row[1] for row in rows]
    )


def marks_of(
    execute: Execute, below: int, maybe_sent: frozenset[int] | None
) -> tuple[int, frozenset[int] | None]:
    """
    The place below which calls are done with, and the places of those that may have been sent.

    What cannot be read is as it was known before.
    """
    with suppress(sqlite3.Error, TypeError):
        (found,) = execute("SELECT below FROM done").fetchone()
        below = max(below, found)
    with suppress(sqlite3.Error):
        sending = execute("SELECT place FROM sending").fetchall()
        maybe_sent = frozenset(place for (place,) in sending)
    return below, maybe_sent


def salvaged(execute: Execute) -> Iterator[Row]:
    """Give the calls that SQLite can still read, in order."""
    last = 0
    with suppress(sqlite3.Error):
        while rows := execute(
            "SELECT place, crc, envelope FROM calls WHERE place > ? ORDER BY place LIMIT ?",
            (last, _CHUNK),
        ).fetchall():
            last = rows[-1][0]
            yield from (row for row in rows if is_call(*row))
