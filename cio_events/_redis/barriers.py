"""
Barriers as the fields that Redis keeps: what lies before one in any partition is delivered before.

A barrier is a call. It lies in partition 0, and its id there says which of two comes first. Each
other partition has a mark of it, or of a later one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cio_events._redis.entries import BARRIER_VERSION, ENCODING, Entry, encode

_FIELD = b"barrier"

# The value of a barrier itself; of a mark, it is the barrier's id.
_HERE = b"here"

_MARK = b"mark"

_ID = re.compile(rb"(\d{1,15})-(\d{1,15})")


def encode_barrier(entry: Entry) -> list[bytes]:
    """The fields of *entry*, which holds one call, as a barrier: each name before its value."""
    fields = encode(entry)
    fields[1] = b"%d" % BARRIER_VERSION
    return [*fields, _FIELD, _HERE]


def encode_mark(barrier: bytes) -> list[bytes]:
    """The fields of a mark of the barrier with that id."""
    return [
        *(b"version", b"%d" % BARRIER_VERSION),
        *(b"encoding", b"%d" % ENCODING),
        *(b"kind", _MARK),
        *(b"count", b"0"),
        *(_FIELD, barrier),
    ]


def is_waited_for(fields: Mapping[bytes, bytes]) -> bool:
    """Whether an entry with these fields is a barrier or the mark of one."""
    return _FIELD in fields


def is_barrier(fields: Mapping[bytes, bytes]) -> bool:
    """Whether an entry with these fields is a barrier itself."""
    return fields.get(_FIELD) == _HERE


def marked_by(fields: Mapping[bytes, bytes]) -> bytes | None:
    """Of which barrier an entry with these fields is a mark, by its id; None if it is none."""
    id_ = fields.get(_FIELD, b"")
    is_mark = fields.get(b"version") == b"%d" % BARRIER_VERSION and fields.get(b"kind") == _MARK
    return id_ if is_mark and _ID.fullmatch(id_) else None


def place_of(id_: bytes | None) -> tuple[int, int]:
    """An id as what can be compared; none is before all others."""
    found = _ID.fullmatch(id_ or b"")
    return (int(found[1]), int(found[2])) if found else (0, 0)
