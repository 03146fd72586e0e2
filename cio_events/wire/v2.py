"""
Track API v2: a call as an operation, and an operation as a call again.

The operation is also the one form in which all calls about people wait; anonymous events, which
v2 lacks, wait as an operation of the type ``anonymous`` that no server ever sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from cio_events import limits
from cio_events.calls import (
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
from cio_events.errors import ParamError
from cio_events.values import dumps
from cio_events.wire.envelope import HEADER_BYTES, Envelope

BATCH_PATH = "/api/v2/batch"
ENTITY_PATH = "/api/v2/entity"

_BATCH_START, _BATCH_END = b'{"batch":[', b"]}"

ANONYMOUS = "anonymous "
"""How the key of somebody begins who is not known yet."""

BATCH_ROOM = limits.V2_BATCH_BYTES - len(_BATCH_START) - len(_BATCH_END)
"""What the operations of one batch may take, with a comma after each."""


def operation(call: Call, id_: str, now: int) -> bytes:
    """
    *call* as an operation; *id_* and *now* (Unix seconds) fill in what it leaves open.

    Raises:
        ParamError: It is none of the calls that go to the Track API.
    """
    write = _WRITE.get(type(call))
    if write is None:
        raise ParamError("call", "must be a call of cio_events")
    return dumps(write(call, id_, now))


def batch(envelopes: Iterable[Envelope]) -> bytes:
    """
    The body of a batch of these operations.
    """
    operations = b",".join([envelope[HEADER_BYTES:] for envelope in envelopes])
    return b"%b%b%b" % (_BATCH_START, operations, _BATCH_END)


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
    return _READ[body["action"]](body)


def customers_of(operation: bytes) -> tuple[str, ...]:
    """
    Whom an operation is about, as keys to keep the order by.

    An id and an e-mail address of the same text have the same key: that makes two people wait
    for each other at worst.
    """
    body: dict[str, Any] = orjson.loads(operation)
    if body["type"] == "anonymous":
        who = body.get("anonymous_id")
        return () if who is None else (ANONYMOUS + who,)
    both = (body[who] for who in ("identifiers", "primary", "secondary") if who in body)
    return tuple(value for identifiers in both for value in map(_key, identifiers.items()))


def _key(identifier: tuple[str, str]) -> str:
    type_, value = identifier
    return f"cio_{value.removeprefix('cio_')}" if type_ == "cio_id" else value


def _person(call: Any, action: str) -> dict[str, object]:
    return {"type": "person", "identifiers": _identifiers(call.customer), "action": action}


def _identifiers(customer: Identifier) -> dict[str, str]:
    return {customer.type: customer.value}


def _identify(call: Identify, _id: str, now: int) -> dict[str, object]:
    attributes = dict(call.attributes)
    relationships = attributes.pop("cio_relationships", None)
    body = _person(call, "identify")
    body["timestamp"] = now if call.timestamp is None else call.timestamp
    body["attributes"] = attributes
    if relationships is not None:
        body["cio_relationships"] = relationships
    return body


def _track(call: Track, id_: str, now: int) -> dict[str, object]:
    return {
        "type": "person",
        "identifiers": {call.customer.type: call.customer.value},
        "action": call.type,
        "name": call.name,
        "id": call.id or id_,
        "timestamp": now if call.timestamp is None else call.timestamp,
        "attributes": call.data,
    }


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
        "primary": _identifiers(call.primary),
        "secondary": _identifiers(call.secondary),
    }


def device(call: AddDevice) -> dict[str, object]:
    """
    What both Track wires say of a device, but its token.
    """
    attributes = dict(call.data)
    last_used = attributes.pop("last_used", None)
    body: dict[str, object] = {"platform": call.platform}
    if last_used is not None:
        body["last_used"] = last_used
    if attributes:
        body["attributes"] = attributes
    return body


def _add_device(call: AddDevice, _id: str, _now: int) -> dict[str, object]:
    body = _person(call, "add_device")
    body["device"] = {"token": call.device_id, **device(call)}
    return body


def _delete_device(call: DeleteDevice, _id: str, _now: int) -> dict[str, object]:
    body = _person(call, "delete_device")
    body["device"] = {"token": call.device_id}
    return body


_WRITE: dict[type[Call], Callable[[Any, str, int], dict[str, object]]] = {
    Identify: _identify,
    Track: _track,
    TrackAnonymous: _track_anonymous,
    Delete: _just,
    Suppress: _just,
    Unsuppress: _just,
    Merge: _merge,
    AddDevice: _add_device,
    DeleteDevice: _delete_device,
}


def _read_customer(identifiers: dict[str, Any]) -> Identifier:
    ((type_, value),) = identifiers.items()
    return Identifier(value, type_)  # type: ignore[arg-type]


def _read_identify(body: dict[str, Any]) -> Call:
    attributes = body["attributes"]
    if "cio_relationships" in body:
        attributes["cio_relationships"] = body["cio_relationships"]
    return Identify(
        _read_customer(body["identifiers"]), attributes, timestamp=body.get("timestamp")
    )


def _read_track(body: dict[str, Any]) -> Call:
    return Track(
        _read_customer(body["identifiers"]),
        body["name"],
        body["attributes"],
        type=body["action"],
        id=body["id"],
        timestamp=body["timestamp"],
    )


def _read_add_device(body: dict[str, Any]) -> Call:
    told = body["device"]
    data = told.get("attributes", {})
    if "last_used" in told:
        data["last_used"] = told["last_used"]
    return AddDevice(_read_customer(body["identifiers"]), told["token"], told["platform"], data)


_READ: dict[str, Callable[[dict[str, Any]], Call]] = {
    "identify": _read_identify,
    "event": _read_track,
    "page": _read_track,
    "screen": _read_track,
    "delete": lambda body: Delete(_read_customer(body["identifiers"])),
    "suppress": lambda body: Suppress(_read_customer(body["identifiers"])),
    "unsuppress": lambda body: Unsuppress(_read_customer(body["identifiers"])),
    "merge": lambda body: Merge(
        _read_customer(body["primary"]), _read_customer(body["secondary"])
    ),
    "add_device": _read_add_device,
    "delete_device": lambda body: DeleteDevice(
        _read_customer(body["identifiers"]), body["device"]["token"]
    ),
}
