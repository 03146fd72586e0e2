"""
The verbs: one for each call about people, objects and deliveries, with the call's own arguments.

Who has them says what a verb does with its call, and what it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, ParamSpec, TypeVar
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
from cio_events._calls.times import Timestamp
from cio_events._calls.validation import Data, EventType, Platform

_P = ParamSpec("_P")

OutcomeT = TypeVar("OutcomeT")
"""What a verb returns."""

TimeoutT = TypeVar("TimeoutT")
"""
What ``timeout`` may be, beside None: a number, or (`NoReturn`) nothing where nobody waits.

A type variable, because a `ParamSpec` cannot have a keyword added, by which the verbs of a client
would differ from those of a pipeline.
"""


class Verbs(Generic[OutcomeT, TimeoutT]):
    """
    Has a verb for each call.
    """

    def _perform(
        self,
        timeout: TimeoutT | None,
        call: Callable[_P, Call],
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> OutcomeT:
        """
        Do what a verb does with the call that these arguments make.
        """
        raise NotImplementedError

    def _perform_event(
        self,
        customer: Customer,
        name: str,
        data: Data | None,
    ) -> OutcomeT | None:
        """
        Do it with a plain event, without a `Track`; None if it has to be made.
        """
        return None

    def identify(
        self,
        customer: Customer,
        attributes: Data | None = None,
        *,
        timestamp: Timestamp | None = None,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """
        Send `Identify`.
        """
        return self._perform(timeout, Identify, customer, attributes, timestamp=timestamp)

    def track(
        self,
        customer: Customer,
        name: str,
        data: Data | None = None,
        *,
        type: EventType = "event",  # noqa: A002
        id: str | None = None,  # noqa: A002
        timestamp: Timestamp | None = None,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """
        Send `Track`.
        """
        if type == "event" and id is None and timestamp is None and timeout is None:
            outcome = self._perform_event(customer, name, data)
            if outcome is not None:
                return outcome
        return self._perform(
            timeout, Track, customer, name, data, type=type, id=id, timestamp=timestamp
        )

    def track_anonymous(
        self,
        anonymous_id: str | int | UUID | None,
        name: str,
        data: Data | None = None,
        *,
        type: EventType = "event",  # noqa: A002
        id: str | None = None,  # noqa: A002
        timestamp: Timestamp | None = None,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """
        Send `TrackAnonymous`.
        """
        return self._perform(
            timeout,
            TrackAnonymous,
            anonymous_id,
            name,
            data,
            type=type,
            id=id,
            timestamp=timestamp,
        )

    def delete(self, customer: Customer, *, timeout: TimeoutT | None = None) -> OutcomeT:
        """
        Send `Delete`.
        """
        return self._perform(timeout, Delete, customer)

    def suppress(self, customer: Customer, *, timeout: TimeoutT | None = None) -> OutcomeT:
        """
        Send `Suppress`.
        """
        return self._perform(timeout, Suppress, customer)

    def unsuppress(self, customer: Customer, *, timeout: TimeoutT | None = None) -> OutcomeT:
        """
        Send `Unsuppress`.
        """
        return self._perform(timeout, Unsuppress, customer)

    def merge_customers(
        self, primary: Customer, secondary: Customer, *, timeout: TimeoutT | None = None
    ) -> OutcomeT:
        """
        Send `Merge`.
        """
        return self._perform(timeout, Merge, primary, secondary)

    def add_device(
        self,
        customer: Customer,
        device_id: str,
        platform: Platform,
        data: Data | None = None,
        *,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """
        Send `AddDevice`.
        """
        return self._perform(timeout, AddDevice, customer, device_id, platform, data)

    def delete_device(
        self, customer: Customer, device_id: str, *, timeout: TimeoutT | None = None
    ) -> OutcomeT:
        """
        Send `DeleteDevice`.
        """
        return self._perform(timeout, DeleteDevice, customer, device_id)

    def identify_object(
        self,
        object: ObjectIdentifier,  # noqa: A002
        attributes: Data | None = None,
        relationships: Iterable[Related] = (),
        *,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """
        Send `IdentifyObject`.
        """
        return self._perform(timeout, IdentifyObject, object, attributes, relationships)

    def delete_object(
        self,
        object: ObjectIdentifier,  # noqa: A002
        *,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """
        Send `DeleteObject`.
        """
        return self._perform(timeout, DeleteObject, object)

    def add_relationships(
        self,
        subject: Customer | ObjectIdentifier,
        relationships: Iterable[Related],
        *,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """
        Send `AddRelationships`.
        """
        return self._perform(timeout, AddRelationships, subject, relationships)

    def delete_relationships(
        self,
        subject: Customer | ObjectIdentifier,
        relationships: Iterable[Related],
        *,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """
        Send `DeleteRelationships`.
        """
        return self._perform(timeout, DeleteRelationships, subject, relationships)

    def report_metric(
        self,
        delivery_id: str,
        metric: Metric,
        *,
        timestamp: Timestamp | None = None,
        recipient: str | int | None = None,
        reason: str | None = None,
        href: str | None = None,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """
        Send `ReportMetric`.
        """
        return self._perform(
            timeout,
            ReportMetric,
            delivery_id,
            metric,
            timestamp=timestamp,
            recipient=recipient,
            reason=reason,
            href=href,
        )
