"""
An entry of the stream: calls that were published together, as the fields that Redis keeps.

Whoever reads one takes it for a stranger's.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate, groupby
from operator import itemgetter

from cio_events._wire import batch as v2
from cio_events._wire.envelope import (
    BATCH_BYTE,
    HEADER_BYTES,
    ULID_BYTES,
    ULID_LETTERS,
    Envelope,
    Route,
    accepted_at,
    route_of,
)

DIGITS = 15
"""How many a number may have; the scripts' numbers are exact as far as that."""

VERSION = 1
"""Which fields there are, and what they mean."""

BARRIER_VERSION = 2
"""The same of a barrier and its marks (`barriers`), which a relay must not pass over."""

ENCODING = 1
"""How calls are written in them: the form of headers and of each route's body."""

_BATCH_START, _BATCH_END = v2.batch([bytes(HEADER_BYTES)]).split(b"]}", 1)[0], b"]}"
_ULID_AT = HEADER_BYTES - ULID_BYTES

_FRAME_BYTES = len(_BATCH_START) + len(_BATCH_END)


class Kind(bytes, Enum):
    """What an entry holds."""

    BATCH = b"batch"
    """Some Track v2 operations; the body is that of the request."""

    CALL = b"call"
    """One operation that v2 does not carry; the body is that of its envelope."""

    MESSAGE = b"message"
    """One transactional message, never to be sent twice; the body is that of its envelope."""


# Of an envelope.
_ROUTE = itemgetter(0)
_HEADER = itemgetter(slice(HEADER_BYTES))
_BODY = itemgetter(slice(HEADER_BYTES, None))

_KINDS = {Route.BATCH: Kind.BATCH, Route.SINGLE: Kind.CALL, Route.APP: Kind.MESSAGE}

_HEADS = {kind: bytes(route) for route, kind in _KINDS.items()}


class NewerEntryError(ValueError):
    """An entry of a later version of this package."""


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """
    Calls that were published together. It holds personal data.

    Attributes:
        publisher: Who published it: a ULID, new for each process and pipeline.

        sequence: Its number, from 1, at this publisher and in this partition.

        kind: What it holds.

        headers: The headers of the calls' envelopes, 33 bytes each.

        sizes: How many bytes each call has in the body, four bytes each, the highest first.

        body: What is sent, or of what it is made.
    """

    publisher: str
    sequence: int
    kind: Kind
    headers: bytes
    sizes: bytes
    body: bytes

    def __repr__(self) -> str:
        return f"<Entry {self.publisher}.{self.sequence} {self.kind.name} calls={self.count}>"

    @property
    def count(self) -> int:
        """How many calls it holds."""
        return len(self.headers) // HEADER_BYTES

    @property
    def size(self) -> int:
        """How many bytes the envelopes of its calls have."""
        frame = 0 if self.kind is not Kind.BATCH else _FRAME_BYTES + self.count - 1
        return len(self.headers) + len(self.body) - frame

    @property
    def first(self) -> int:
        """When the first of its calls was accepted, in Unix milliseconds."""
        return accepted_at(self.headers)

    @property
    def ids(self) -> list[str]:
        """The ULIDs of its calls, in order."""
        headers = self.headers.decode("latin-1")
        return [headers[n - 26 : n] for n in range(HEADER_BYTES, len(headers) + 1, HEADER_BYTES)]

    @property
    def repeatable(self) -> bool:
        """Whether its calls may be sent again after they may have arrived."""
        return self.kind is not Kind.MESSAGE

    def envelopes(self) -> list[Envelope]:
        """The calls, each as it waited at its publisher."""
        sizes = _unpacked(self.sizes)
        headers = struct.unpack(f"{HEADER_BYTES}s" * len(sizes), self.headers)
        # Between two calls there is a comma. One look at the body takes all of them apart.
        start = len(_BATCH_START) if self.kind is Kind.BATCH else 0
        calls = struct.unpack_from("sx".join(map(str, sizes)) + "s", self.body, start)
        return [header + call for header, call in zip(headers, calls, strict=True)]


def parts(envelopes: Iterable[Envelope]) -> Iterator[list[Envelope]]:
    """Part calls, in their order, into those of one entry each."""
    # No step for each of thousands is one of Python's.
    for route, run in groupby(envelopes, _ROUTE):
        if route != BATCH_BYTE:
            yield from ([envelope] for envelope in run)
            continue
        calls, start, before = list(run), 0, 0
        # Between two calls there is a comma.
        ends = [*accumulate(map((1 - HEADER_BYTES).__add__, map(len, calls)))]
        while start < len(calls):
            end = max(bisect_right(ends, before + v2.BATCH_ROOM, start), start + 1)
            yield calls[start:end]
            start, before = end, ends[end - 1]


def entry_of(envelopes: Sequence[Envelope], publisher: str, sequence: int) -> Entry:
    """One entry of these calls, which are one of `parts`."""
    kind = _KINDS[route_of(envelopes[0])]
    headers = b"".join(map(_HEADER, envelopes))
    bodies = [*map(_BODY, envelopes)]
    sizes = struct.pack(f">{len(bodies)}I", *map(len, bodies))
    body = v2.batch_of(bodies) if kind is Kind.BATCH else bodies[0]
    return Entry(publisher, sequence, kind, headers, sizes, body)


def encode(entry: Entry) -> list[bytes]:
    """The fields of *entry*, each name before its value, in an order that never changes."""
    return [
        *(b"version", b"%d" % VERSION),
        *(b"encoding", b"%d" % ENCODING),
        *(b"publisher", entry.publisher.encode("ascii")),
        *(b"sequence", b"%d" % entry.sequence),
        *(b"kind", entry.kind.value),
        *(b"count", b"%d" % entry.count),
        *(b"first", b"%d" % entry.first),
        *(b"headers", entry.headers),
        *(b"sizes", entry.sizes),
        *(b"body", entry.body),
    ]


FIELDS = 10
"""How many fields an entry has."""


def size_of(fields: Mapping[bytes, bytes]) -> int:
    """How many bytes an entry with these fields counts, names included."""
    return sum(map(len, fields)) + sum(map(len, fields.values()))


def decode(fields: Mapping[bytes, bytes]) -> Entry:
    """
    The entry with these fields.

    Raises:
        NewerEntryError: It is of a later version, to be left for a relay that knows it.

        ValueError: It is none of ours, or damaged.
    """
    try:
        version, encoding = _number(fields[b"version"]), _number(fields[b"encoding"])
        if version > BARRIER_VERSION or encoding > ENCODING:
            raise NewerEntryError(f"an entry of version {version}, encoding {encoding}")
        entry = Entry(
            fields[b"publisher"].decode("ascii"),
            _number(fields[b"sequence"]),
            _kind(fields[b"kind"]),
            fields[b"headers"],
            fields[b"sizes"],
            fields[b"body"],
        )
        count, first = _number(fields[b"count"]), _number(fields[b"first"])
    except KeyError as error:
        raise ValueError(f"an entry without the field {error}") from None
    except UnicodeDecodeError:
        raise ValueError("an entry without a publisher") from None
    _check(entry, count)
    if first != entry.first:
        raise ValueError("an entry with another time than its first call has")
    return entry


def _check(entry: Entry, count: int) -> None:
    """Raise `ValueError` unless the parts of *entry* fit each other."""
    if not entry.publisher.isalnum():
        raise ValueError("an entry without a publisher")
    if not count or len(entry.headers) != count * HEADER_BYTES or len(entry.sizes) != count * 4:
        raise ValueError("an entry with another number of calls than it says")
    sizes = _unpacked(entry.sizes)
    length = sum(sizes)
    if entry.kind is Kind.BATCH:
        length += _FRAME_BYTES + count - 1
        whole = entry.body.startswith(_BATCH_START) and entry.body.endswith(_BATCH_END)
    else:
        whole = count == 1
    if length != len(entry.body) or not whole:
        raise ValueError("an entry with a body of another size than it says")
    if 0 in sizes:
        raise ValueError("an entry with a call of no size")
    # All headers at once, a column after the other: there may be thousands.
    headers = entry.headers
    columns = [headers[column::HEADER_BYTES] for column in range(_ULID_AT + 1)]
    routes, firsts = columns[0], columns.pop()
    # Columns of letters alone add nothing to what is no letter in the others.
    others = b"".join(columns).translate(None, ULID_LETTERS)
    if (
        routes.strip(_HEADS[entry.kind])
        or firsts.translate(None, b"01234567")
        or len(headers.translate(None, ULID_LETTERS)) != len(others)
    ):
        raise ValueError("an entry with a call of another kind than it says")


def _kind(value: bytes) -> Kind:
    for kind in Kind:
        if kind.value == value:
            return kind
    raise ValueError("an entry of a kind that is none")


def _unpacked(sizes: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(sizes) // 4}I", sizes)


def _number(value: bytes) -> int:
    if not value.isdigit() or len(value) > DIGITS:
        raise ValueError("an entry with a number that is none")
    return int(value)
