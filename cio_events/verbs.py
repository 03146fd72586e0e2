"""
The verbs of a pipeline: one for each call, with the call's own arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol

from cio_events.calls import (
    AddDevice,
    Call,
    Delete,
    DeleteDevice,
    Identify,
    Merge,
    Suppress,
    Track,
    TrackAnonymous,
    Unsuppress,
)
from cio_events.errors import ParamError
from cio_events.objects import (
    AddRelationships,
    DeleteObject,
    DeleteRelationships,
    IdentifyObject,
    ReportMetric,
)


class Door(Protocol):
    """
    Who has verbs.
    """

    def send(self, call: Call) -> bool:
        """
        Take *call* for delivery; returns whether it was taken.
        """

    def refuse(self, error: ParamError) -> str:
        """
        Count something of which no call can be made.
        """


_P = ParamSpec("_P")


def _verb(call: Callable[_P, Call]) -> Callable[Concatenate[Door, _P], bool]:
    """
    The verb that makes a *call* and sends it.
    """

    @wraps(call.__init__, assigned=())
    def verb(self: Door, /, *args: _P.args, **kwargs: _P.kwargs) -> bool:
        try:
            made = call(*args, **kwargs)
        except ParamError as error:
            self.refuse(error)
            return False
        return self.send(made)

    name = getattr(call, "__name__", "")
    verb.__doc__ = f"Send `{name}`, made of these arguments; returns whether it was taken."
    return verb


class Verbs:
    """
    What a `Door` has them from.

    A verb returns True when its call was taken, which is now pending. Otherwise the call has
    failed (``invalid``, if these arguments make none) or was dropped; ledger and signals say why.
    """

    identify = _verb(Identify)
    track = _verb(Track)
    track_anonymous = _verb(TrackAnonymous)
    delete = _verb(Delete)
    suppress = _verb(Suppress)
    unsuppress = _verb(Unsuppress)
    merge_customers = _verb(Merge)
    add_device = _verb(AddDevice)
    delete_device = _verb(DeleteDevice)
    identify_object = _verb(IdentifyObject)
    delete_object = _verb(DeleteObject)
    add_relationships = _verb(AddRelationships)
    delete_relationships = _verb(DeleteRelationships)
    report_metric = _verb(ReportMetric)


for _name, _value in vars(Verbs).items():
    if callable(_value):
        _value.__name__, _value.__qualname__ = _name, f"Verbs.{_name}"
