"""
The verbs of a pipeline: one for each call, with the call's own arguments.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable
from typing import ParamSpec, Protocol
from uuid import UUID

from cio_events._calls.objects import (
    AddRelationships,
    DeleteObject,
    DeleteRelationships,
    IdentifyObject,
    Metric,
    ObjectIdentifier,
    Related,
    ReportMetric,
)
from cio_events._calls.people import (
    AddDevice,
    Call,
    Customer,
    Delete,
    DeleteDevice,
    Identify,
    Merge,
    Suppress,
    Track,
    TrackAnonymous,
    Unsuppress,
)
from cio_events._calls.validation import Data, EventType, Platform, Timestamp, obviously_fits
from cio_events.errors import ParamError


class Door(Protocol):
    """
    Who has verbs.
    """

    def send(self, call: Call) -> bool:
        """
        Take *call* for delivery; returns whether it was taken.
        """

    def accept_event(self, customer: object, name: object, data: Data) -> str | None:
        """
        Take a plain event; returns None if it has to be sent as a `Track`.
        """

    def refuse(self, error: ParamError) -> str:
        """
        Count something of which no call can be made.
        """


_P = ParamSpec("_P")


def _hand_in(door: Door, call: Callable[_P, Call], *args: _P.args, **kwargs: _P.kwargs) -> bool:
    try:
        made = call(*args, **kwargs)
    except ParamError as error:
        door.refuse(error)
        return False
    return door.send(made)


class Verbs:
    """
    What a `Door` has them from.

    A verb returns True when its call was taken, which is now pending. Otherwise the call has
    failed (``invalid``, if these arguments make none) or was dropped; ledger and signals say why.
    """

    def identify(
        self: Door,
        customer: Customer,
        attributes: Data | None = None,
        *,
        timestamp: Timestamp | None = None,
    ) -> bool:
        """
        Send `Identify`.
        """
        return _hand_in(self, Identify, customer, attributes, timestamp=timestamp)

    def track(
        self: Door,
        customer: Customer,
        name: str,
        data: Data | None = None,
        *,
        type: EventType = "event",  # noqa: A002
        id: str | None = None,  # noqa: A002
        timestamp: Timestamp | None = None,
    ) -> bool:
        """
        Send `Track`.
        """
        if data is None:
            data = {}
        if (
            type == "event"
            and id is None
            and timestamp is None
            and builtins.type(data) is dict
            and obviously_fits(data := dict(data))  # a copy: another thread may be writing to it
            and self.accept_event(customer, name, data) is not None
        ):
            return True
        return _hand_in(self, Track, customer, name, data, type=type, id=id, timestamp=timestamp)

    def track_anonymous(
        self: Door,
        anonymous_id: str | int | UUID | None,
        name: str,
        data: Data | None = None,
        *,
        type: EventType = "event",  # noqa: A002
        id: str | None = None,  # noqa: A002
        timestamp: Timestamp | None = None,
    ) -> bool:
        """
        Send `TrackAnonymous`.
        """
        return _hand_in(
            self, TrackAnonymous, anonymous_id, name, data, type=type, id=id, timestamp=timestamp
        )

    def delete(self: Door, customer: Customer) -> bool:
        """
        Send `Delete`.
        """
        return _hand_in(self, Delete, customer)

    def suppress(self: Door, customer: Customer) -> bool:
        """
        Send `Suppress`.
        """
        return _hand_in(self, Suppress, customer)

    def unsuppress(self: Door, customer: Customer) -> bool:
        """
        Send `Unsuppress`.
        """
        return _hand_in(self, Unsuppress, customer)

    def merge_customers(self: Door, primary: Customer, secondary: Customer) -> bool:
        """
        Send `Merge`.
        """
        return _hand_in(self, Merge, primary, secondary)

    def add_device(
        self: Door,
        customer: Customer,
        device_id: str,
        platform: Platform,
        data: Data | None = None,
    ) -> bool:
        """
        Send `AddDevice`.
        """
        return _hand_in(self, AddDevice, customer, device_id, platform, data)

    def delete_device(self: Door, customer: Customer, device_id: str) -> bool:
        """
        Send `DeleteDevice`.
        """
        return _hand_in(self, DeleteDevice, customer, device_id)

    def identify_object(
        self: Door,
        object: ObjectIdentifier,  # noqa: A002
        attributes: Data | None = None,
        relationships: Iterable[Related] = (),
    ) -> bool:
        """
        Send `IdentifyObject`.
        """
        return _hand_in(self, IdentifyObject, object, attributes, relationships)

    def delete_object(self: Door, object: ObjectIdentifier) -> bool:  # noqa: A002
        """
        Send `DeleteObject`.
        """
        return _hand_in(self, DeleteObject, object)

    def add_relationships(
        self: Door, subject: Customer | ObjectIdentifier, relationships: Iterable[Related]
    ) -> bool:
        """
        Send `AddRelationships`.
        """
        return _hand_in(self, AddRelationships, subject, relationships)

    def delete_relationships(
        self: Door, subject: Customer | ObjectIdentifier, relationships: Iterable[Related]
    ) -> bool:
        """
        Send `DeleteRelationships`.
        """
        return _hand_in(self, DeleteRelationships, subject, relationships)

    def report_metric(
        self: Door,
        delivery_id: str,
        metric: Metric,
        *,
        timestamp: Timestamp | None = None,
        recipient: str | int | None = None,
        reason: str | None = None,
        href: str | None = None,
    ) -> bool:
        """
        Send `ReportMetric`.
        """
        return _hand_in(
            self,
            ReportMetric,
            delivery_id,
            metric,
            timestamp=timestamp,
            recipient=recipient,
            reason=reason,
            href=href,
        )
