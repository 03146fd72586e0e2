"""On which side of its merge each event came to Customer.io, in a soak of several partitions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cio_events.sandbox import ReceivedRequest

_BATCH = "/api/v2/batch"


def arrivals(requests: Iterable[ReceivedRequest]) -> list[str]:
    """
    Events by their names and merges by who goes, in the order in which they came first.

    A request whose answer nobody waited for has come as well.
    """
    found: dict[str, None] = {}
    for request in requests:
        if request.path == _BATCH and request.status in (200, 207, None):
            for operation in request.body["batch"]:
                gone = operation.get("secondary")
                name = f"merge {gone['id']}" if gone else operation.get("name")
                if name:
                    found[name] = None
    return list(found)


def wrong(merges: Iterable[str], found: Iterable[str]) -> list[str]:
    """
    What came on the wrong side of a merge.

    Args:
        merges: What was noted of each: who goes, and the last event of each of the two before it.

        found: What came, in order.
    """
    places = {name: place for place, name in enumerate(found)}
    by_whom: dict[str, list[tuple[int, int]]] = {}
    for name, place in places.items():
        who, _, number = name.rpartition(".")
        if number.isdigit():
            by_whom.setdefault(who, []).append((int(number), place))
    problems = []
    for line in merges:
        gone, *last = line.split()
        merged = places.get(f"merge {gone}")
        if merged is None:
            continue
        for event in last:
            who, _, text = event.rpartition(".")
            problems += [
                f"{who}.{number} and the merge of {gone}"
                for number, place in by_whom.get(who, ())
                if (number <= int(text)) != (place < merged)
            ]
    return problems
