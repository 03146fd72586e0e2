"""
Calls about people as operations of Track API v2, and back.

The operation is also the form in which calls for the Track API wait. Anonymous events, which v2
lacks, wait as operations of the type ``anonymous`` that no server ever sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from cio_events._calls.validation import Data, EventType, Platform
from cio_events._wire import identifiers


def _person(call: Any, action: str) -> dict[str, object]:
    return {"type": "person", "identifiers": identifiers.write(call.customer), "action": action}


def identify(call: Identify, _id: str, now: int) -> dict[str, object]:
    """Write `Identify`."""
    attributes = dict(call.attributes)
    relationships = attributes.pop("cio_relationships", None)
    body = _person(call, "identify")
    body["timestamp"] = now if call.timestamp is None else call.timestamp
    body["attributes"] = attributes
    if relationships is not None:
        body["cio_relationships"] = relationships
    return body


def event(
    who: dict[str, str],
    name: str,
    data: Data,
    id_: str,
    timestamp: int,
    type_: EventType = "event",
) -> dict[str, object]:
    """What a person did, as an operation; *who* are the person's identifiers."""
    return {
        "type": "person",
        "identifiers": who,
        "action": type_,
        "name": name,
        "id": id_,
        "timestamp": timestamp,
        "attributes": data,
    }


def track(call: Track, id_: str, now: int) -> dict[str, object]:
    """Write `Track`."""
    customer = call.customer
    timestamp = now if call.timestamp is None else call.timestamp
    return event(
        {customer.type: customer.value}, call.name, call.data, call.id or id_, timestamp, call.type
    )


def track_anonymous(call: TrackAnonymous, id_: str, now: int) -> dict[str, object]:
    """Write `TrackAnonymous`."""
    who = {} if call.anonymous_id is None else {"anonymous_id": call.anonymous_id}
    return {
        "type": "anonymous",
        **who,
        "action": call.type,
        "name": call.name,
        "id": call.id or id_,
        "timestamp": now if call.timestamp is None else call.timestamp,
        "attributes": call.data,
    }


def bare(call: Delete | Suppress | Unsuppress, _id: str, _now: int) -> dict[str, object]:
    """Write a call that only names a person."""
    return _person(call, call.tag)


def merge(call: Merge, _id: str, _now: int) -> dict[str, object]:
    """Write `Merge`."""
    return {
        "type": "person",
        "action": "merge",
        "primary": identifiers.write(call.primary),
        "secondary": identifiers.write(call.secondary),
    }


def device(platform: Platform, data: Data) -> dict[str, object]:
    """What all wires say of a device, but its token."""
    attributes = dict(data)
    last_used = attributes.pop("last_used", None)
    body: dict[str, object] = {"platform": platform}
    if last_used is not None:
        body["last_used"] = last_used
    if attributes:
        body["attributes"] = attributes
    return body


def data_of_device(told: dict[str, Any]) -> dict[str, object]:
    """The data that `device` was given."""
    data: dict[str, object] = told.get("attributes", {})
    if "last_used" in told:
        data["last_used"] = told["last_used"]
    return data


def add_device(call: AddDevice, _id: str, _now: int) -> dict[str, object]:
    """Write `AddDevice`."""
    body = _person(call, "add_device")
    body["device"] = {"token": call.device_id, **device(call.platform, call.data)}
    return body


def delete_device(call: DeleteDevice, _id: str, _now: int) -> dict[str, object]:
    """Write `DeleteDevice`."""
    body = _person(call, "delete_device")
    body["device"] = {"token": call.device_id}
    return body


def identify_fits_a_batch(call: Identify) -> bool:
    """Whether v2 can say all of it: v1 has a form of relationships that takes some away."""
    return not isinstance(call.attributes.get("cio_relationships"), Mapping)


def read_identify(body: dict[str, Any]) -> Identify:
    """The call that `identify` wrote."""
    attributes = body["attributes"]
    if "cio_relationships" in body:
        attributes["cio_relationships"] = body["cio_relationships"]
    return Identify(
        identifiers.read_person(body["identifiers"]), attributes, timestamp=body.get("timestamp")
    )


def read_track(body: dict[str, Any]) -> Track:
    """The call that `track` wrote."""
    return Track(
        identifiers.read_person(body["identifiers"]),
        body["name"],
        body["attributes"],
        type=body["action"],
        id=body["id"],
        timestamp=body["timestamp"],
    )


def read_add_device(body: dict[str, Any]) -> AddDevice:
    """The call that `add_device` wrote."""
    told = body["device"]
    return AddDevice(
        identifiers.read_person(body["identifiers"]),
        told["token"],
        told["platform"],
        data_of_device(told),
    )


def read_anonymous(body: dict[str, Any]) -> TrackAnonymous:
    """The event that `track_anonymous` wrote."""
    return TrackAnonymous(
        body.get("anonymous_id"),
        body["name"],
        body.get("attributes"),
        type=body["action"],
        id=body["id"],
        timestamp=body["timestamp"],
    )


def read_delete_device(body: dict[str, Any]) -> DeleteDevice:
    """The call that `delete_device` wrote."""
    return DeleteDevice(identifiers.read_person(body["identifiers"]), body["device"]["token"])


def read_merge(body: dict[str, Any]) -> Merge:
    """The call that `merge` wrote."""
    return Merge(
        identifiers.read_person(body["primary"]), identifiers.read_person(body["secondary"])
    )


def read_bare(
    kind: type[Delete | Suppress | Unsuppress], body: dict[str, Any]
) -> Delete | Suppress | Unsuppress:
    """The call of that *kind* that `bare` wrote."""
    return kind(identifiers.read_person(body["identifiers"]))


def concerns(body: dict[str, Any]) -> tuple[str, ...]:
    """The key of the person whom an operation is about."""
    return (identifiers.key(body["identifiers"]),)


def concerns_both(body: dict[str, Any]) -> tuple[str, ...]:
    """The keys of the people whom a merge is about."""
    return identifiers.key(body["primary"]), identifiers.key(body["secondary"])


def concerns_anonymous(body: dict[str, Any]) -> tuple[str, ...]:
    """The key of somebody who is not known yet; an invite is about nobody."""
    who = body.get("anonymous_id")
    return () if who is None else (identifiers.ANONYMOUS + who,)
