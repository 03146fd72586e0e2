"""
The verbs: one for each call but messages and raw operations, with the call's own arguments.

Who has them says what a verb does with its call, and what it returns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Generic, ParamSpec, TypeVar
from uuid import UUID

from cio_events._calls.call import Call, Customer
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
    Delete,
    DeleteDevice,
    Identify,
    Merge,
    Suppress,
    Track,
    TrackAnonymous,
    Unsuppress,
)
from cio_events._calls.segments import AddToSegment, RemoveFromSegment
from cio_events._calls.times import Timestamp
from cio_events._calls.validation import Data, EventType, Platform, is_list

# What a verb has where nothing else is said: this very text.
_EVENT: EventType = "event"

_P = ParamSpec("_P")
_WhoT = TypeVar("_WhoT")

OutcomeT = TypeVar("OutcomeT")
"""What a verb returns."""

TimeoutT = TypeVar("TimeoutT")
"""
What ``timeout`` may be, beside None: a number, or (`NoReturn`) nothing where nobody waits.

A type variable, because a `ParamSpec` cannot have a keyword added, by which the verbs of a client
would differ from those of a pipeline.
"""


_ClassT = TypeVar("_ClassT", bound=type)


def with_own_verbs(cls: _ClassT) -> _ClassT:
    """Have *cls*, a public class, name the verbs as its own where Python says what is wrong."""
    for name, verb in vars(Verbs).items():
        if isinstance(verb, FunctionType) and not name.startswith("_"):
            own = FunctionType(verb.__code__, verb.__globals__, name, verb.__defaults__)
            own.__kwdefaults__, own.__annotations__ = verb.__kwdefaults__, verb.__annotations__
            own.__qualname__ = f"{cls.__qualname__}.{name}"
            setattr(cls, name, own)
    return cls


class Verbs(ABC, Generic[OutcomeT, TimeoutT]):
    """Has a verb for each call."""

    @abstractmethod
    def _perform(
        self,
        timeout: TimeoutT | None,
        call: Callable[_P, Call],
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> OutcomeT:
        """Do what a verb does with the call that these arguments make."""

    def _perform_event(
        self,
        customer: Customer,
        name: str,
        data: Data | None,
    ) -> OutcomeT | None:
        """Do the same with a plain event, without a `Track`; None if one has to be made."""
        return None

    def _who(self, who: _WhoT) -> _WhoT:
        """Say of a plain text what it means, where that is not read from its shape."""
        return who

    def _each(self, several: Iterable[_WhoT]) -> Iterable[_WhoT]:
        """Do what `_who` does, with each of several."""
        # Not before the call is made, which bounds how many there may be and says what is wrong
        # with them.
        return self._each_of(several) if is_list(several) else several

    def _each_of(self, several: Iterable[_WhoT]) -> Iterator[_WhoT]:
        # Not map(), which asks for the iterator at once: that may raise, and a verb must not.
        for who in several:
            yield self._who(who)

    def identify(
        self,
        customer: Customer,
        attributes: Data | None = None,
        *,
        timestamp: Timestamp | None = None,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """Send `Identify`."""
        return self._perform(
            timeout, Identify, self._who(customer), attributes, timestamp=timestamp
        )

    def track(
        self,
        customer: Customer,
        name: str,
        data: Data | None = None,
        *,
        type: EventType = "event",
        id: str | None = None,
        timestamp: Timestamp | None = None,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """Send `Track`."""
        # Not ==, which a hostile object answers.
        if type is _EVENT and id is None and timestamp is None and timeout is None:
            outcome = self._perform_event(customer, name, data)
            if outcome is not None:
                return outcome
        return self._perform(
            timeout, Track, self._who(customer), name, data, type=type, id=id, timestamp=timestamp
        )

    def track_anonymous(
        self,
        anonymous_id: str | int | UUID | None,
        name: str,
        data: Data | None = None,
        *,
        type: EventType = "event",
        id: str | None = None,
        timestamp: Timestamp | None = None,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """Send `TrackAnonymous`."""
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
        """Send `Delete`."""
        return self._perform(timeout, Delete, self._who(customer))

    def suppress(self, customer: Customer, *, timeout: TimeoutT | None = None) -> OutcomeT:
        """Send `Suppress`."""
        return self._perform(timeout, Suppress, self._who(customer))

    def unsuppress(self, customer: Customer, *, timeout: TimeoutT | None = None) -> OutcomeT:
        """Send `Unsuppress`."""
        return self._perform(timeout, Unsuppress, self._who(customer))

    def merge_customers(
        self, primary: Customer, secondary: Customer, *, timeout: TimeoutT | None = None
    ) -> OutcomeT:
        """Send `Merge`."""
        return self._perform(timeout, Merge, self._who(primary), self._who(secondary))

    def add_device(
        self,
        customer: Customer,
        device_id: str,
        platform: Platform,
        data: Data | None = None,
        *,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """Send `AddDevice`."""
        return self._perform(timeout, AddDevice, self._who(customer), device_id, platform, data)

    def delete_device(
        self, customer: Customer, device_id: str, *, timeout: TimeoutT | None = None
    ) -> OutcomeT:
        """Send `DeleteDevice`."""
        return self._perform(timeout, DeleteDevice, self._who(customer), device_id)

    def add_to_segment(
        self,
        segment_id: int,
        customers: Iterable[Customer],
        *,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """Send `AddToSegment`."""
        return self._perform(timeout, AddToSegment, segment_id, self._each(customers))

    def remove_from_segment(
        self,
        segment_id: int,
        customers: Iterable[Customer],
        *,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """Send `RemoveFromSegment`."""
        return self._perform(timeout, RemoveFromSegment, segment_id, self._each(customers))

    def identify_object(
        self,
        object: ObjectIdentifier,
        attributes: Data | None = None,
        relationships: Iterable[Related] = (),
        *,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """Send `IdentifyObject`."""
        return self._perform(
            timeout, IdentifyObject, object, attributes, self._each(relationships)
        )

    def delete_object(
        self,
        object: ObjectIdentifier,
        *,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """Send `DeleteObject`."""
        return self._perform(timeout, DeleteObject, object)

    def add_relationships(
        self,
        subject: Customer | ObjectIdentifier,
        relationships: Iterable[Related],
        *,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """Send `AddRelationships`."""
        return self._perform(
            timeout, AddRelationships, self._who(subject), self._each(relationships)
        )

    def delete_relationships(
        self,
        subject: Customer | ObjectIdentifier,
        relationships: Iterable[Related],
        *,
        timeout: TimeoutT | None = None,
    ) -> OutcomeT:
        """Send `DeleteRelationships`."""
        return self._perform(
            timeout, DeleteRelationships, self._who(subject), self._each(relationships)
        )

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
        """Send `ReportMetric`."""
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
