"""
Which partition a call goes to, by whom it is about: order holds for each identifier as written.

Every process and every version has to choose alike.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from cio_events._wire import encode
from cio_events._wire.envelope import HEADER_BYTES, Envelope, ulid_of

# How the operation of an event begins, and what stands behind whose it is.
_PERSON = b'{"type":"person","identifiers":{'
_EVENT = b'},"action":"event",'
_QUOTES = 4


@dataclass(slots=True)
class Step:
    """
    Calls that are stored in one partition at once.

    Attributes:
        partition: Its number.

        envelopes: The calls, in their order.

        barrier: Whether the one call is a barrier: it waits for all before it, in every partition,
            and all behind it wait for it.
    """

    partition: int
    envelopes: list[Envelope] = field(repr=False)
    barrier: bool = False


def partition_of(key: str, partitions: int) -> int:
    """The partition of those with that *key*, which is an identifier as it was written."""
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % partitions


def _who_alone(envelope: Envelope) -> bytes | None:
    """The identifier of an event as it was written, where that is plain to see."""
    if not envelope.startswith(_PERSON, HEADER_BYTES):
        return None
    start = HEADER_BYTES + len(_PERSON)
    end = envelope.find(b"}", start)
    who = envelope[start:end]
    # One name and one value, nothing escaped, and no brace inside.
    plain = who.endswith(b'"') and who.count(b'"') == _QUOTES and b"\\" not in who
    return who if plain and envelope.startswith(_EVENT, end) else None


def steps(envelopes: Iterable[Envelope], partitions: int) -> list[Step]:
    """
    Part calls into what is stored one after the other.

    A merge is a barrier, and so is what is about identifiers of several partitions. A call about
    nobody may be sent in any order, and goes by its own ULID.
    """
    if partitions == 1:
        return [Step(0, list(envelopes))]
    made: list[Step] = []
    current: dict[int, Step] = {}
    known: dict[bytes, int] = {}
    for envelope in envelopes:
        # Most calls are events, of few people.
        who = _who_alone(envelope)
        if who in known and known[who] in current:
            current[known[who]].envelopes.append(envelope)
            continue
        keys = encode.customers_of(envelope) or (ulid_of(envelope),)
        where = {partition_of(key, partitions) for key in keys}
        if len(where) > 1 or (len(keys) > 1 and encode.is_merge(envelope)):
            made.append(Step(0, [envelope], barrier=True))
            current = {}
            continue
        (partition,) = where
        if who is not None:
            known[who] = partition
        step = current.get(partition)
        if step is None:
            step = current[partition] = Step(partition, [])
            made.append(step)
        step.envelopes.append(envelope)
    return made
