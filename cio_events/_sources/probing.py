"""
Where a probe's record ends that has come as far as a source: it makes no call, and counts nowhere.

Records of others pass meanwhile as ever.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cio_events._pipeline.pipeline import Pipeline


class Arrival(NamedTuple):
    """
    A probe's record at a source.

    Attributes:
        event: Its message.

        payload: The names of what would be payload.

        pipeline: Where its call would go; None is the default one.
    """

    event: object
    payload: tuple[object, ...]
    pipeline: Pipeline | None


class Probe(NamedTuple):
    """
    A record that is sent to see how far it comes.

    Attributes:
        customer: The reserved name that it has in ``cio_customer``, by which it is known.

        arrivals: Each time that a source has captured it.
    """

    customer: str
    arrivals: list[Arrival]

    def is_in(self, fields: Mapping[Any, Any]) -> bool:
        """Whether a record with these *fields* is the probe's."""
        customer = fields.get("cio_customer")
        return type(customer) is str and customer == self.customer


current: ContextVar[Probe | None] = ContextVar("cio_events_probe", default=None)
"""The probe that this thread sends now."""

on: bool = False
"""Whether there is any: looked up for each record, so that others cost no more."""

_lock = threading.Lock()  # guards the count
_count = 0


def switch(more: int) -> None:
    """There are so many probes *more*."""
    global on, _count
    with _lock:
        _count += more
        on = _count > 0
