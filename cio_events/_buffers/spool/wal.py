"""
What SQLite's write-ahead journal has lost.

SQLite itself stops at the first bad frame and says nothing.

The layout is SQLite's file format, "The Write-Ahead Log" (https://sqlite.org/fileformat2.html).
"""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path
from typing import BinaryIO

_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24

# Frames that tell what belongs together.
_ENOUGH = 9

_LITTLE_ENDIAN_MAGIC, _BIG_ENDIAN_MAGIC = 0x377F0682, 0x377F0683


def commits_after(journal: Path, frames: int, page_bytes: int) -> int:
    """
    How many commits are in the *journal* after the first *frames*, which are all SQLite took.

    Raises:
        OSError: It cannot be read.
    """
    step = _FRAME_HEADER_BYTES + page_bytes
    commits = 0
    try:
        size = journal.stat().st_size
        with journal.open("rb") as file:
            salts = _salts(file.read(_HEADER_BYTES))
            if salts is None:
                # A damaged header leaves the frames' own word for what belongs together.
                starts = range(_HEADER_BYTES, size - step + 1, step)[:_ENOUGH]
                salts = _common(file, starts)
            # What is not complete was cut off while it was written: nobody was told it is there.
            for start in range(_HEADER_BYTES + max(frames, 0) * step, size - step + 1, step):
                file.seek(start)
                _, committed, *of_frame = struct.unpack(">IIII8x", file.read(_FRAME_HEADER_BYTES))
                commits += of_frame == salts and committed != 0
    except FileNotFoundError:
        return 0
    return commits


def _common(file: BinaryIO, starts: range) -> list[int]:
    """What most of the frames at these places have in common."""
    found: Counter[tuple[int, int]] = Counter()
    for start in starts:
        file.seek(start + 8)
        found[struct.unpack(">II", file.read(8))] += 1
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
