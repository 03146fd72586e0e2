"""
Track API v2: a call as an operation, and an operation as a call again.

The operation is also the one form in which all calls for the Track API wait. Anonymous events and
metrics, which v2 lacks, wait as operations of the types ``anonymous`` and ``metric`` that no
server ever sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from cio_events._calls import limits
from cio_events._calls.objects import AddRelationships, DeleteRelationships, ReportMetric
from cio_events._calls.people import (
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
from cio_events._calls.validation import Data, EventType, Platform
from cio_events._wire import identifiers, objects
from cio_events._wire.envelope import HEADER_BYTES, Envelope
from cio_events._wire.json import dumps
from cio_events.errors import ParamError

BATCH_PATH = "/api/v2/batch"
ENTITY_PATH = "/api/v2/entity"

_BATCH_START, _BATCH_END = b'{"batch":[', b"]}"

ANONYMOUS = "anonymous "
"""How the key of somebody begins who is not known yet."""

BATCH_ROOM = limits.V2_BATCH_BYTES - len(_BATCH_START) - len(_BATCH_END) + 1
"""What the operations of one batch may take, with a comma after each; the last is not written."""


def lacks(call: Call) -> bool:
    """
    Whether v2 has no operation that says all of *call*.
    """
    if isinstance(call, Identify):
        # v1 has a form of relationships that takes some away.
        return isinstance(call.attributes.get("cio_relationships"), Mapping)
    return isinstance(call, (TrackAnonymous, ReportMetric))


def operation(call: Call, id_: str, now: int) -> bytes:
    """
    *call* as an operation; *id_* and *now* (Unix seconds) fill in what it leaves open.

    Raises:
        ParamError: It is none of the calls that go to the Track API.
    """
    write = WRITE.get(type(call))
    if write is None:
        raise ParamError("call", "must be a call of cio_events")
    return dumps(write(call, id_, now))


def batch(envelopes: Iterable[Envelope]) -> bytes:
    """
    The body of a batch of these operations, of which there is one at least.
    """
    operations = [envelope[HEADER_BYTES:] for envelope in envelopes]
    # In one step: half a megabyte more at a time, and the C library would take the memory from
    # the system and give it back for every batch.
    operations[0] = _BATCH_START + operations[0]
    operations[-1] += _BATCH_END
    return b",".join(operations)


def call_of(operation: bytes) -> Call:
    """
    The call that an operation was made of, with its id and timestamp.
    """
    body: dict[str, Any] = orjson.loads(operation)
    if body["type"] == "anonymous":
        return TrackAnonymous(
            body.get("anonymous_id"),
            body["name"],
            body.get("attributes"),
            type=body["action"],
            id=body["id"],
            timestamp=body["timestamp"],
        )
    read = objects.READ.get((body["type"], body["action"])) or _READ[body["action"]]
    return read(body)


def customers_of(operation: bytes) -> tuple[str, ...]:
    """
    Whom and what an operation is about, as keys to keep the order by.
    """
    body: dict[str, Any] = orjson.loads(operation)
    if body["type"] == "anonymous":
        who = body.get("anonymous_id")
        return () if who is None else (ANONYMOUS + who,)
    named = [body[who] for who in ("identifiers", "primary", "secondary") if who in body]
    if body["type"] == "object" or body["action"] in _RELATING:
        named += [related["identifiers"] for related in body.get("cio_relationships", ())]
    return tuple(map(identifiers.key, named))


_RELATING = (AddRelationships.tag, DeleteRelationships.tag)


def _person(call: Any, action: str) -> dict[str, object]:
    return {"type": "person", "identifiers": identifiers.write(call.customer), "action": action}


def _identify(call: Identify, _id: str, now: int) -> dict[str, object]:
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
    """
    What a person did, as an operation; *who* are the person's identifiers.
    """
    return {
        "type": "person",
        "identifiers": who,
        "action": type_,
        "name": name,
        "id": id_,
        "timestamp": timestamp,
        "attributes": data,
    }


def _track(call: Track, id_: str, now: int) -> dict[str, object]:
    customer = call.customer
    timestamp = now if call.timestamp is None else call.timestamp
    return event(
        {customer.type: customer.value}, call.name, call.data, call.id or id_, timestamp, call.type
    )


def _track_anonymous(call: TrackAnonymous, id_: str, now: int) -> dict[str, object]:
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


def _just(call: Delete | Suppress | Unsuppress, _id: str, _now: int) -> dict[str, object]:
    return _person(call, call.tag)


def _merge(call: Merge, _id: str, _now: int) -> dict[str, object]:
    return {
        "type": "person",
        "action": "merge",
        "primary": identifiers.write(call.primary),
        "secondary": identifiers.write(call.secondary),
    }


def device(platform: Platform, data: Data) -> dict[str, object]:
    """
    What all wires say of a device, but its token.
    """
    attributes = dict(data)
    last_used = attributes.pop("last_used", None)
    body: dict[str, object] = {"platform": platform}
    if last_used is not None:
        body["last_used"] = last_used
    if attributes:
        body["attributes"] = attributes
    return body


def data_of_device(told: dict[str, Any]) -> dict[str, object]:
    """
    The data that `device` was given.
    """
    data: dict[str, object] = told.get("attributes", {})
    if "last_used" in told:
        data["last_used"] = told["last_used"]
    return data


def _add_device(call: AddDevice, _id: str, _now: int) -> dict[str, object]:
    body = _person(call, "add_device")
    body["device"] = {"token": call.device_id, **device(call.platform, call.data)}
    return body


def _delete_device(call: DeleteDevice, _id: str, _now: int) -> dict[str, object]:
    body = _person(call, "delete_device")
    body["device"] = {"token": call.device_id}
    return body


def _other(call: Call, _id: str, _now: int) -> dict[str, object]:
    return objects.WRITE[type(call)](call)


WRITE: dict[type[Call], Callable[[Any, str, int], dict[str, object]]] = {
    Identify: _identify,
    Track: _track,
    TrackAnonymous: _track_anonymous,
    Delete: _just,
    Suppress: _just,
    Unsuppress: _just,
    Merge: _merge,
    AddDevice: _add_device,
    DeleteDevice: _delete_device,
    ReportMetric: lambda call, _id, now: objects.waiting_metric(call, now),
    **dict.fromkeys(objects.WRITE, _other),
}
"""What makes each call an operation, of the call, its ULID and its time (Unix seconds)."""


def _read_identify(body: dict[str, Any]) -> Call:
    attributes = body["attributes"]
    if "cio_relationships" in body:
        attributes["cio_relationships"] = body["cio_relationships"]
    return Identify(
        identifiers.read_person(body["identifiers"]), attributes, timestamp=body.get("timestamp")
    )


def _read_track(body: dict[str, Any]) -> Call:
    return Track(
        identifiers.read_person(body["identifiers"]),
        body["name"],
        body["attributes"],
        type=body["action"],
        id=body["id"],
        timestamp=body["timestamp"],
    )


def _read_add_device(body: dict[str, Any]) -> Call:
    told = body["device"]
    return AddDevice(
        identifiers.read_person(body["identifiers"]),
        told["token"],
        told["platform"],
        data_of_device(told),
    )


_READ: dict[str, Callable[[dict[str, Any]], Call]] = {
    "identify": _read_identify,
    "event": _read_track,
    "page": _read_track,
    "screen": _read_track,
    "delete": lambda body: Delete(identifiers.read_person(body["identifiers"])),
    "suppress": lambda body: Suppress(identifiers.read_person(body["identifiers"])),
    "unsuppress": lambda body: Unsuppress(identifiers.read_person(body["identifiers"])),
    "merge": lambda body: Merge(
        identifiers.read_person(body["primary"]), identifiers.read_person(body["secondary"])
    ),
    "add_device": _read_add_device,
    "delete_device": lambda body: DeleteDevice(
        identifiers.read_person(body["identifiers"]), body["device"]["token"]
    ),
}
