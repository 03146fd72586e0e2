"""
Raw operations, as they wait and back: what was given, behind a mark by which it is known again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cio_events._calls.operation import IDENTIFIERS, Operation
from cio_events._wire import identifiers

MARK = b" "
"""
What a raw operation begins with where it waits, and no other does: a space, which JSON passes
over, so that the operation is sent as it waits.
"""

_EVENTS = ("event", "page", "screen")


def write(call: Operation, id_: str, now: int) -> dict[str, object]:
    """Write `Operation`: as it is, but for the id and time that make a retry safe."""
    body = dict(call.operation)
    action = body.get("action")
    if type(action) is str and (action == "identify" or action in _EVENTS):
        if action in _EVENTS:
            body.setdefault("id", id_)
        body.setdefault("timestamp", now)
    return body


def concerns(body: dict[str, Any]) -> tuple[str, ...]:
    """The keys of all whom an operation names, as far as its fields are known."""
    return tuple(identifiers.key(one) for one in _named(body) if isinstance(one, Mapping) and one)


def _named(body: dict[str, Any]) -> Iterator[object]:
    yield from (body.get(name) for name in IDENTIFIERS)
    related = body.get("cio_relationships")
    if isinstance(related, list):
        yield from (end.get("identifiers") for end in related if isinstance(end, dict))
