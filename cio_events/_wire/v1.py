"""Each call as a request to Track API v1: the same as go-customerio v3.5.1's, where it has one."""

from __future__ import annotations

from typing import TypeAlias
from urllib.parse import quote

from cio_events._calls.call import Identifier
from cio_events._calls.objects import ReportMetric
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
from cio_events._calls.segments import AddToSegment
from cio_events._wire import identifiers, objects, segments
from cio_events._wire.people import device

Parts: TypeAlias = "tuple[str, str, dict[str, object] | None]"
"""A method, a path and what its body says."""


def _path(customer: Identifier, *more: str) -> str:
    value = identifiers.in_path(customer)
    return "/".join(("/api/v1/customers", quote(value, safe=""), *more))


def identify(call: Identify, _id: str | None) -> Parts:
    """Ask for `Identify`."""
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


def track(call: Track, id_: str | None) -> Parts:
    """Ask for `Track`."""
    return "POST", _path(call.customer, "events"), _event(call, id_)


def track_anonymous(call: TrackAnonymous, id_: str | None) -> Parts:
    """Ask for `TrackAnonymous`."""
    body = _event(call, id_)
    if call.anonymous_id is not None:
        body["anonymous_id"] = call.anonymous_id
    return "POST", "/api/v1/events", body


def delete(call: Delete, _id: str | None) -> Parts:
    """Ask for `Delete`."""
    return "DELETE", _path(call.customer), None


def suppression(call: Suppress | Unsuppress, _id: str | None) -> Parts:
    """Ask for `Suppress` or `Unsuppress`."""
    return "POST", _path(call.customer, call.tag), None


def merge(call: Merge, _id: str | None) -> Parts:
    """Ask for `Merge`."""
    both = {
        "primary": identifiers.write(call.primary),
        "secondary": identifiers.write(call.secondary),
    }
    return "POST", "/api/v1/merge_customers", {**both}


def add_device(call: AddDevice, _id: str | None) -> Parts:
    """Ask for `AddDevice`."""
    body: dict[str, object] = {
        "device": {"id": call.device_id, **device(call.platform, call.data)}
    }
    return "PUT", _path(call.customer, "devices"), body


def delete_device(call: DeleteDevice, _id: str | None) -> Parts:
    """Ask for `DeleteDevice`."""
    return "DELETE", _path(call.customer, "devices", quote(call.device_id, safe="")), None


def report_metric(call: ReportMetric, _id: str | None) -> Parts:
    """Ask for `ReportMetric`."""
    return "POST", objects.METRICS_PATH, objects.metric(call)


def segment(call: segments.InSegment, _id: str | None) -> Parts:
    """Ask for `AddToSegment` or `RemoveFromSegment`."""
    verb = "add_customers" if isinstance(call, AddToSegment) else "remove_customers"
    path = f"/api/v1/segments/{call.segment_id}/{verb}?id_type={segments.id_type(call)}"
    return "POST", path, {"ids": segments.ids(call)}
