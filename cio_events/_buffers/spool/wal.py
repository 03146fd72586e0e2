"""
SQLite's write-ahead journal, read without SQLite, which stops at the first bad frame.

The layout is SQLite's file format, "The Write-Ahead Log" (https://sqlite.org/fileformat2.html).
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24

# Frames that tell what belongs together.
_ENOUGH = 9

_LITTLE_ENDIAN_MAGIC, _BIG_ENDIAN_MAGIC = 0x377F0682, 0x377F0683


class Frame(NamedTuple):
    """
    A page in a journal.

    Attributes:
        number: Which page of the file it is.

        start: Where in the journal it begins.

        commits: Whether what was written is whole with it.
    """

    number: int
    start: int
    commits: bool


def frames(journal: BinaryIO, page_bytes: int, first: int = 0) -> Iterator[Frame]:
    """
    The frames from *first* on, but those of an earlier journal, which may follow.

    Raises:
        OSError: It cannot be read.
    """
    step = _FRAME_HEADER_BYTES + page_bytes
    size = os.fstat(journal.fileno()).st_size
    salts = _salts(journal.read(_HEADER_BYTES))
    if salts is None:
        # A damaged header leaves the frames' own word for what belongs together.
        salts = _common(journal, range(_HEADER_BYTES, size - step + 1, step)[:_ENOUGH])
    # What is not complete was cut off while it was written: nobody was told it is there.
    for start in range(_HEADER_BYTES + first * step, size - step + 1, step):
        journal.seek(start)
        number, committed, *of_frame = struct.unpack(">IIII8x", journal.read(_FRAME_HEADER_BYTES))
        if of_frame == salts:
            yield Frame(number, start + _FRAME_HEADER_BYTES, committed != 0)


def commits_after(path: Path, taken: int, page_bytes: int) -> int:
    """
    How many commits are in the journal at *path* after the *taken* frames, which SQLite took.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with path.open("rb") as journal:
            return sum(frame.commits for frame in frames(journal, page_bytes, max(taken, 0)))
    except FileNotFoundError:
        return 0


def _common(journal: BinaryIO, starts: range) -> list[int]:
    """What most of the frames at these places have in common."""
    found: Counter[tuple[int, int]] = Counter()
    for start in starts:
        journal.seek(start + 8)
        found[struct.unpack(">II", journal.read(8))] += 1
    return list(found.most_common(1)[0][0]) if found else []


def _salts(header: bytes) -> list[int] | None:
    """What the journal's valid frames have in common; older frames may follow them."""
    if len(header) < _HEADER_BYTES:
        return None
    magic, *_, salt1, salt2, sum1, sum2 = struct.unpack(">8I", header)
    if magic not in (_LITTLE_ENDIAN_MAGIC, _BIG_ENDIAN_MAGIC):
        return None
    words = struct.unpack(">6I" if magic == _BIG_ENDIAN_MAGIC else "<6I", header[:24])
    s1 = s2 = 0
    for first, second in zip(words[::2], words[1::2], strict=True):
        s1 = (s1 + first + s2) & 0xFFFFFFFF
        s2 = (s2 + second + s1) & 0xFFFFFFFF
    return [salt1, salt2] if (s1, s2) == (sum1, sum2) else None
