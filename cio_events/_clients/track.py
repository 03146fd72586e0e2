"""
The client of the Track API.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import orjson

from cio_events._calls import limits
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
from cio_events._calls.ulid import new_id
from cio_events._calls.validation import Data, EventType, Platform, Timestamp
from cio_events._clients.base import Client
from cio_events._http import endpoint as http
from cio_events._http.exchange import Answer
from cio_events._wire import batch as v2
from cio_events._wire import single as v1
from cio_events._wire.encode import check_size, encode
from cio_events._wire.envelope import Envelope, Route, route_of
from cio_events._wire.request import Request
from cio_events.errors import APIError, ParamError
from cio_events.options import TIMEOUT

if TYPE_CHECKING:
    import requests

_REGION_PATH = "/api/v1/accounts/region"


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A call of a batch that Customer.io did not take.

    Attributes:
        index: Its place in the batch, from 0.

        call: The call.

        reason: Why, in one of Customer.io's words.

        field: Which field is wrong; ``""`` if Customer.io did not say.

        message: What is wrong with it. It may quote the call.
    """

    index: int
    call: Call
    reason: str
    field: str
    message: str

    def __repr__(self) -> str:
        return f"<Refusal {self.index} reason={self.reason!r}>"


class TrackClient(Client):
    """
    Sends calls to the Track API, one request each, and waits for the answer.

    Threads may share a client, and so may the processes that are forked from this one. As a
    context manager it closes its connections at the end.

    Every verb takes ``timeout``: the seconds that all of the request may last, answer included,
    instead of the client's own. Every verb raises `ParamError` for arguments that make no call or
    one over a limit of Customer.io's, `APIError` for an answer that is no success, and
    `NoAnswerError` for none (`AnswerTimeoutError`, if the time was up). Nothing is sent again
    later; what is sent again by the application does no harm, if an event has an ``id``.

    Args:
        site_id: The workspace's site id.

        api_key: The workspace's Track API key.

        region: Where the workspace lives, ``"us"`` or ``"eu"``.

        url: Another base URL than the region's.

        timeout: Seconds that a request may last.

        user_agent: Instead of this package's own.

        session: A `requests.Session` of the application's, for its proxies, TLS settings, headers
            and adapters. It is not closed here.

    Raises:
        ParamError: One of these cannot be; it names the argument.
    """

    def __init__(
        self,
        site_id: str,
        api_key: str,
        *,
        region: Literal["us", "eu"] = "us",
        url: str | None = None,
        timeout: float = TIMEOUT,
        user_agent: str | None = None,
        session: requests.Session | None = None,
    ) -> None:
        super().__init__(
            http.Endpoint(
                http.track_url(region, url),
                http.basic(site_id, api_key),
                timeout=timeout,
                user_agent=user_agent,
                session=session,
            )
        )

    def identify(
        self,
        customer: Customer,
        attributes: Data | None = None,
        *,
        timestamp: Timestamp | None = None,
        timeout: float | None = None,
    ) -> None:
        """
        Send `Identify`.
        """
        self.send(Identify(customer, attributes, timestamp=timestamp), timeout=timeout)

    def track(
        self,
        customer: Customer,
        name: str,
        data: Data | None = None,
        *,
        type: EventType = "event",  # noqa: A002
        id: str | None = None,  # noqa: A002
        timestamp: Timestamp | None = None,
        timeout: float | None = None,
    ) -> None:
        """
        Send `Track`.
        """
        call = Track(customer, name, data, type=type, id=id, timestamp=timestamp)
        self.send(call, timeout=timeout)

    def track_anonymous(
        self,
        anonymous_id: str | int | UUID | None,
        name: str,
        data: Data | None = None,
        *,
        type: EventType = "event",  # noqa: A002
        id: str | None = None,  # noqa: A002
        timestamp: Timestamp | None = None,
        timeout: float | None = None,
    ) -> None:
        """
        Send `TrackAnonymous`.
        """
        call = TrackAnonymous(anonymous_id, name, data, type=type, id=id, timestamp=timestamp)
        self.send(call, timeout=timeout)

    def delete(self, customer: Customer, *, timeout: float | None = None) -> None:
        """
        Send `Delete`.
        """
        self.send(Delete(customer), timeout=timeout)

    def suppress(self, customer: Customer, *, timeout: float | None = None) -> None:
        """
        Send `Suppress`.
        """
        self.send(Suppress(customer), timeout=timeout)

    def unsuppress(self, customer: Customer, *, timeout: float | None = None) -> None:
        """
        Send `Unsuppress`.
        """
        self.send(Unsuppress(customer), timeout=timeout)

    def merge_customers(
        self, primary: Customer, secondary: Customer, *, timeout: float | None = None
    ) -> None:
        """
        Send `Merge`.
        """
        self.send(Merge(primary, secondary), timeout=timeout)

    def add_device(
        self,
        customer: Customer,
        device_id: str,
        platform: Platform,
        data: Data | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """
        Send `AddDevice`.
        """
        self.send(AddDevice(customer, device_id, platform, data), timeout=timeout)

    def delete_device(
        self, customer: Customer, device_id: str, *, timeout: float | None = None
    ) -> None:
        """
        Send `DeleteDevice`.
        """
        self.send(DeleteDevice(customer, device_id), timeout=timeout)

    def identify_object(
        self,
        object: ObjectIdentifier,  # noqa: A002
        attributes: Data | None = None,
        relationships: Iterable[Related] = (),
        *,
        timeout: float | None = None,
    ) -> None:
        """
        Send `IdentifyObject`.
        """
        self.send(IdentifyObject(object, attributes, relationships), timeout=timeout)

    def delete_object(
        self,
        object: ObjectIdentifier,  # noqa: A002
        *,
        timeout: float | None = None,
    ) -> None:
        """
        Send `DeleteObject`.
        """
        self.send(DeleteObject(object), timeout=timeout)

    def add_relationships(
        self,
        subject: Customer | ObjectIdentifier,
        relationships: Iterable[Related],
        *,
        timeout: float | None = None,
    ) -> None:
        """
        Send `AddRelationships`.
        """
        self.send(AddRelationships(subject, relationships), timeout=timeout)

    def delete_relationships(
        self,
        subject: Customer | ObjectIdentifier,
        relationships: Iterable[Related],
        *,
        timeout: float | None = None,
    ) -> None:
        """
        Send `DeleteRelationships`.
        """
        self.send(DeleteRelationships(subject, relationships), timeout=timeout)

    def report_metric(
        self,
        delivery_id: str,
        metric: Metric,
        *,
        timestamp: Timestamp | None = None,
        recipient: str | int | None = None,
        reason: str | None = None,
        href: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """
        Send `ReportMetric`.
        """
        call = ReportMetric(
            delivery_id,
            metric,
            timestamp=timestamp,
            recipient=recipient,
            reason=reason,
            href=href,
        )
        self.send(call, timeout=timeout)

    def send(self, call: Call, *, timeout: float | None = None) -> None:
        """
        Send *call*, whichever it is.
        """
        # The id makes it safe to send an event twice, as is done on a connection that the server
        # has just closed.
        request = v1.request(call, new_id(_now()))
        if request.body is not None and len(request.body) > limits.V2_OPERATION_BYTES:
            check_size(call)
        self._ask(request, timeout)

    def batch(self, calls: Iterable[Call], *, timeout: float | None = None) -> list[Refusal]:
        """
        Send some calls in one request.

        Customer.io takes each of them on its own: those that it refuses do not keep it from
        taking the others. Anonymous events, metrics and calls over 32 000 bytes cannot be part of
        a batch, and all together must not be over 500 000.

        Returns:
            The calls refused; ``[]`` if there were none.

        Raises:
            ParamError: A call cannot be part of a batch, or they are too large together; nothing
                was sent.
        """
        together = list(calls)
        if not together:
            return []
        envelopes = [_for_batch(index, call) for index, call in enumerate(together)]
        body = v2.batch(envelopes)
        if len(body) > limits.V2_BATCH_BYTES:
            limit = limits.V2_BATCH_BYTES
            raise ParamError("calls", f"are together over {limit} bytes", limit)
        request = Request("POST", v2.BATCH_PATH, body)
        answer = self._ask(request, timeout)
        if answer.status != 207:
            return []
        try:
            return [_refusal(together, error) for error in orjson.loads(answer.body)["errors"]]
        except (ValueError, LookupError, TypeError):
            # Some were refused, but it cannot be known which.
            raise self._error(request, answer) from None

    def region(self, *, timeout: float | None = None) -> Literal["us", "eu"]:
        """
        Ask in which region the workspace lives; thereby the credentials are tested.

        It can be asked in either region.
        """
        request = Request("GET", _REGION_PATH, None)
        answer = self._ask(request, timeout)
        try:
            region = orjson.loads(answer.body)["region"]
        except (ValueError, LookupError, TypeError):
            region = None
        if region == "us":
            return "us"
        if region == "eu":
            return "eu"
        raise self._error(request, answer)

    def _ask(self, request: Request, timeout: float | None) -> Answer:
        answer = self._endpoint.send(request, timeout=timeout)
        if not 200 <= answer.status < 300:
            raise self._error(request, answer)
        return answer

    def _error(self, request: Request, answer: Answer) -> APIError:
        return APIError(answer.status, self._endpoint.base_url + request.path, answer.body)


def _for_batch(index: int, call: Call) -> Envelope:
    now = _now()
    try:
        envelope = encode(call, new_id(now), now, "v2")
    except ParamError as error:
        raise ParamError("calls", f"of number {index}, {error}", error.limit) from None
    if route_of(envelope) is not Route.BATCH:
        raise ParamError("calls", f"number {index} cannot be part of a batch")
    return envelope


def _refusal(together: list[Call], error: Mapping[str, Any]) -> Refusal:
    index = error["batch_index"]
    if index not in range(len(together)):
        raise ValueError(index)
    reason, field, message = (
        str(error.get(word) or "") for word in ("reason", "field", "message")
    )
    return Refusal(index, together[index], reason, field, message)


def _now() -> int:
    return time.time_ns() // 1_000_000
