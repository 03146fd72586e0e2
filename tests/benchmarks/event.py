"""The one event that all sides send: an order, as a shop would log it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

NAME = "Order Completed"
"""The event's name. The sink counts it, so nothing else in a request may hold it in quotes."""

_CUSTOMERS = 50_000


class Event(NamedTuple):
    """One event, made of fresh values as an application's are: who keeps it keeps them."""

    customer: str
    properties: dict[str, object]


def events(count: int, start: int = 0) -> Iterator[Event]:
    """*count* different events, counted from *start*."""
    for number in range(start, start + count):
        yield Event(
            str(10_000_000 + number % _CUSTOMERS),
            {
                "order_id": f"order-{number:09}",
                "total": number % 10_000 / 100,
                "currency": "EUR",
                "quantity": number % 7 + 1000,
                "first_order": number % 5 == 0,
            },
        )
