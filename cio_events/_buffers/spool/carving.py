"""
Find calls in a spool file that SQLite cannot open: page by page, without its trees.

The layout is SQLite's file format (https://sqlite.org/fileformat2.html): leaves of tables, and
their cells, each with a row of `calls`. A row's checksum tells whether it is one.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from cio_events._buffers.spool import wal
from cio_events._buffers.spool.file import PAGE_BYTES
from cio_events._buffers.spool.salvage import LARGEST_BYTES, Row, is_call
from cio_events._buffers.spool.sqlite import journal_of

_LEAF = 0x0D
_FILE_HEADER = 100

# What a row of three values may have in its page, and must have if it has more elsewhere.
_USABLE = PAGE_BYTES
_MOST_HERE = _USABLE - 35
_LEAST_HERE = (_USABLE - 12) * 32 // 255 - 23

# Bytes of the whole numbers that a record says are there, by what it says.
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def carved(path: Path) -> Iterator[Row]:
    """
    Give the calls that are in the file at *path* or its journal, whole and in order.

    Only where they are is kept in memory, as such a file may be large.

    Raises:
        OSError: It cannot be read.
    """
    with ExitStack() as opened:
        file = opened.enter_context(_opened(path))
        journal = None
        with suppress(FileNotFoundError):
            journal = opened.enter_context(_opened(journal_of(path)))
        pages = _Pages(file, journal)
        found: dict[int, int] = {}
        for number in pages.numbers():
            page = pages[number]
            for cell in _cells(page):
                row = _row(pages, page, cell)
                if row is not None:
                    found[row[0]] = number * PAGE_BYTES + cell
        for place in sorted(found):
            number, cell = divmod(found[place], PAGE_BYTES)
            row = _row(pages, pages[number], cell)
            if row is not None:
                yield row


class _Pages:
    """The latest form of each page, read when it is asked for."""

    def __init__(self, file: BinaryIO, journal: BinaryIO | None) -> None:
        self._file = file
        self._journal = journal
        self._count = os.fstat(file.fileno()).st_size // PAGE_BYTES
        self._newer: dict[int, int] = {}
        if journal is not None:
            self._newer = {one.number: one.start for one in wal.frames(journal, PAGE_BYTES)}

    def numbers(self) -> Iterator[int]:
        own = range(1, self._count + 1)
        return chain(own, [number for number in self._newer if number not in own])

    def __getitem__(self, number: int) -> bytes:
        start = self._newer.get(number)
        if start is None or self._journal is None:
            self._file.seek((number - 1) * PAGE_BYTES)
            return self._file.read(PAGE_BYTES)
        self._journal.seek(start)
        return self._journal.read(PAGE_BYTES)


def _opened(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb")


def _cells(page: bytes) -> tuple[int, ...]:
    """Where the rows in *page* begin, if it is a leaf."""
    start = _FILE_HEADER if page.startswith(b"SQLite format 3") else 0
    if len(page) != PAGE_BYTES or page[start] != _LEAF:
        return ()
    (count,) = struct.unpack_from(">H", page, start + 3)
    most = PAGE_BYTES // 2 - start // 2 - 4
    return struct.unpack_from(f">{min(count, most)}H", page, start + 8)


def _row(pages: _Pages, page: bytes, cell: int) -> Row | None:
    """The row that begins there, if it is a call."""
    with suppress(struct.error, IndexError, KeyError, ValueError):
        row = _read(pages, page, cell)
        if is_call(*row):
            return row
    return None


def _read(pages: _Pages, page: bytes, cell: int) -> Row:
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
