"""
Find calls in a spool file that SQLite cannot open: page by page, without its trees.

The layout is SQLite's file format (https://sqlite.org/fileformat2.html): leaves of tables, and
their cells, each with a row of `calls`. A row's checksum tells whether it is one.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from contextlib import suppress
from pathlib import Path

from cio_events._buffers.spool.file import PAGE_BYTES
from cio_events._buffers.spool.salvage import LARGEST_BYTES, Row, is_call
from cio_events._buffers.spool.sqlite import journal_of

_LEAF = 0x0D
_FILE_HEADER, _WAL_HEADER, _FRAME_HEADER = 100, 32, 24

# What a row of three values may have in its page, and must have if it has more elsewhere.
_USABLE = PAGE_BYTES
_MOST_HERE = _USABLE - 35
_LEAST_HERE = (_USABLE - 12) * 32 // 255 - 23

# Frames of a journal, to tell those of the latest one.
_ENOUGH = 9

# Bytes of the whole numbers that a record says are there, by what it says.
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def carved(path: Path) -> list[Row]:
    """
    The calls that are in the file at *path* or its journal, whole and in order.

    Raises:
        OSError: It cannot be read.
    """
    pages = _pages(path)
    rows: dict[int, Row] = {}
    for page in list(pages.values()):
        start = _FILE_HEADER if page.startswith(b"SQLite format 3") else 0
        if len(page) != PAGE_BYTES or page[start] != _LEAF:
            continue
        (count,) = struct.unpack_from(">H", page, start + 3)
        for number in range(min(count, PAGE_BYTES // 2 - start // 2 - 4)):
            with suppress(struct.error, IndexError, KeyError, ValueError):
                (cell,) = struct.unpack_from(">H", page, start + 8 + 2 * number)
                row = _row(page, cell, pages)
                if is_call(*row):
                    rows[row[0]] = row
    return [rows[place] for place in sorted(rows)]


def _pages(path: Path) -> dict[int, bytes]:
    """The latest form of each page."""
    pages: dict[int, bytes] = {}
    content = _read(path)
    for start in range(0, len(content), PAGE_BYTES):
        pages[start // PAGE_BYTES + 1] = content[start : start + PAGE_BYTES]
    with suppress(FileNotFoundError):
        journal = _read(journal_of(path))
        step = _FRAME_HEADER + PAGE_BYTES
        starts = range(_WAL_HEADER, len(journal) - step + 1, step)
        # What most frames from the front have in common; the header may be damaged.
        common = Counter(journal[start + 8 : start + 16] for start in starts[:_ENOUGH])
        salts = common.most_common(1)[0][0] if common else b""
        for start in starts:
            number = int.from_bytes(journal[start : start + 4], "big")
            # Frames of an earlier journal are older than what is in the file.
            if journal[start + 8 : start + 16] == salts:
                pages[number] = journal[start + _FRAME_HEADER : start + step]
    return pages


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _row(page: bytes, cell: int, pages: dict[int, bytes]) -> Row:
    size, at = _varint(page, cell)
    place, at = _varint(page, at)
    if size > LARGEST_BYTES:
        raise ValueError
    here = size
    if size > _MOST_HERE:
        here = _LEAST_HERE + (size - _LEAST_HERE) % (_USABLE - 4)
        if here > _MOST_HERE:
            here = _LEAST_HERE
    payload = bytearray(page[at : at + here])
    if here < size:
        following = int.from_bytes(page[at + here : at + here + 4], "big")
        while following and len(payload) < size:
            more = pages[following]
            following = int.from_bytes(more[:4], "big")
            payload += more[4:_USABLE]
    record = bytes(payload[:size])
    header, at = _varint(record, 0)
    kinds = []
    while at < header:
        kind, at = _varint(record, at)
        kinds.append(kind)
    key, number, blob = kinds
    if key or blob < 12 or blob % 2:
        raise ValueError
    width = _INTEGERS[number]
    checksum = int.from_bytes(record[header : header + width], "big")
    start = header + width
    return place, checksum, record[start : start + (blob - 12) // 2]


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for n in range(8):
        byte = content[at + n]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + n + 1
    return value << 8 | content[at + 8], at + 9
