"""
Calls about manual segments as they wait, and back.

They wait as operations of the type ``segment`` that v2 has no word for.
"""

from __future__ import annotations

from typing import Any

from cio_events._calls.call import Identifier
from cio_events._calls.segments import AddToSegment, RemoveFromSegment
from cio_events._wire import identifiers

InSegment = AddToSegment | RemoveFromSegment


def write(call: InSegment, _id: str, _now: int) -> dict[str, object]:
    """Write `AddToSegment` or `RemoveFromSegment`."""
    return {
        "type": "segment",
        "action": call.tag,
        "segment_id": call.segment_id,
        "id_type": id_type(call),
        "ids": ids(call),
    }


def id_type(call: InSegment) -> str:
    """By what *call* names its people."""
    return call.customers[0].type


def ids(call: InSegment) -> list[str]:
    """The people of *call*, as the vendor lists them."""
    return [who.value for who in call.customers]


def read(kind: type[InSegment], operation: dict[str, Any]) -> InSegment:
    """The call of that *kind* that `write` wrote."""
    type_ = operation["id_type"]
    who = [Identifier(value, type_) for value in operation["ids"]]
    return kind(operation["segment_id"], who)


def concerns(operation: dict[str, Any]) -> tuple[str, ...]:
    """The keys of all people whom an operation is about."""
    type_ = operation["id_type"]
    return tuple(identifiers.key({type_: value}) for value in operation["ids"])
