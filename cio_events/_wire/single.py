"""
A call as the one request by which it is sent alone.

It is Track API v1's, the same that go-customerio v3.5.1 would make of it. What v1 has no word for
goes to v2, as a single operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from cio_events._calls.objects import ReportMetric
from cio_events._calls.people import (
    AddDevice,
    Call,
    Delete,
    DeleteDevice,
    Identifier,
    Identify,
    Merge,
    Suppress,
    Track,
    TrackAnonymous,
    Unsuppress,
)
from cio_events._wire import batch as v2
from cio_events._wire import identifiers, objects
from cio_events._wire.json import dumps
from cio_events._wire.request import Request
from cio_events.errors import ParamError


def request(call: Call, id_: str | None) -> Request:
    """
    *call* as a request; *id_* is the ULID of an event that has none of its own.

    Raises:
        ParamError: It is none of the calls that go to the Track API.
    """
    write = _WRITE.get(type(call))
    if write is None:
        raise ParamError("call", "must be a call of cio_events for the Track API")
    method, path, body = write(call, id_)
    return Request(method, path, None if body is None else dumps(body))


def request_of(operation: bytes) -> Request:
    """
    The request for a waiting operation.
    """
    return request(v2.call_of(operation), None)


_Parts = tuple[str, str, "dict[str, object] | None"]


def _path(customer: Identifier, *more: str) -> str:
    value = customer.value
    if customer.type == "cio_id":
        value = identifiers.cio_id(value)
    return "/".join(("/api/v1/customers", quote(value, safe=""), *more))


def _identify(call: Identify, _id: str | None) -> _Parts:
    body = dict(call.attributes)
    related = body.get("cio_relationships")
    if isinstance(related, (list, tuple)):  # v2's form
        body["cio_relationships"] = {"action": "add_relationships", "relationships": related}
    if call.timestamp is not None:
        body["_timestamp"] = call.timestamp
    return "PUT", _path(call.customer), body


def _event(call: Track | TrackAnonymous, id_: str | None) -> dict[str, object]:
    body: dict[str, object] = {"name": call.name, "data": call.data}
    if call.type != "event":
        body["type"] = call.type
    if call.id or id_:
        body["id"] = call.id or id_
    if call.timestamp is not None:
        body["timestamp"] = call.timestamp
    return body


def _track(call: Track, id_: str | None) -> _Parts:
    return "POST", _path(call.customer, "events"), _event(call, id_)


def _track_anonymous(call: TrackAnonymous, id_: str | None) -> _Parts:
    body = _event(call, id_)
    if call.anonymous_id is not None:
        body["anonymous_id"] = call.anonymous_id
    return "POST", "/api/v1/events", body


def _delete(call: Delete, _id: str | None) -> _Parts:
    return "DELETE", _path(call.customer), None


def _suppression(call: Suppress | Unsuppress, _id: str | None) -> _Parts:
    return "POST", _path(call.customer, call.tag), None


def _merge(call: Merge, _id: str | None) -> _Parts:
    both = {
        "primary": identifiers.write(call.primary),
        "secondary": identifiers.write(call.secondary),
    }
    return "POST", "/api/v1/merge_customers", {**both}


def _add_device(call: AddDevice, _id: str | None) -> _Parts:
    body: dict[str, object] = {
        "device": {"id": call.device_id, **v2.device(call.platform, call.data)}
    }
    return "PUT", _path(call.customer, "devices"), body


def _delete_device(call: DeleteDevice, _id: str | None) -> _Parts:
    return "DELETE", _path(call.customer, "devices", quote(call.device_id, safe="")), None


def _report_metric(call: ReportMetric, _id: str | None) -> _Parts:
    return "POST", objects.METRICS_PATH, objects.metric(call)


def _entity(call: Call, _id: str | None) -> _Parts:
    return "POST", v2.ENTITY_PATH, objects.WRITE[type(call)](call)


_WRITE: dict[type[Call], Callable[[Any, str | None], _Parts]] = {
    Identify: _identify,
    Track: _track,
    TrackAnonymous: _track_anonymous,
    Delete: _delete,
    Suppress: _suppression,
    Unsuppress: _suppression,
    Merge: _merge,
    AddDevice: _add_device,
    DeleteDevice: _delete_device,
    ReportMetric: _report_metric,
    **dict.fromkeys(objects.WRITE, _entity),
}
