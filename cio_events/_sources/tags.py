"""
The tags: how a log record says which call it is.

Reads records and makes calls, for both ways in; it neither counts nor sends them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cio_events._calls.people import (
    AddDevice,
    Call,
    Customer,
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
from cio_events._calls.ulid import valid_id
from cio_events._calls.validation import EventType
from cio_events._process import forks
from cio_events._sources.fields import (
    PayloadKeys,
    Reader,
    customer_of,
    identifier_by_type,
    payload_of,
    required,
)
from cio_events.errors import ParamError


class Taken(str):
    """
    The ULID of a record that has been taken: the value of its ``cio_event_id`` from then on.

    The type is the mark by which a record's other ways in know it. It is text for everybody
    else, and outlives copies of the record, renderers that make keyword arguments of it, and
    pickling.
    """

    __slots__ = ()


def call_of(
    fields: Mapping[str, Any], event: object, keys: PayloadKeys, logged_at: float | None = None
) -> Call:
    """
    The call that a record asks for.

    *fields* are the record's keys or attributes, *event* its message before any formatting,
    *keys* tells which of the fields are payload, and *logged_at* is when it was logged (Unix
    seconds), if that may be a while ago.

    Raises:
        ParamError: None can be made of it; the parameter is the name of the tag.
    """
    if "cio" not in fields:
        read: Reader = _track
    else:
        what = fields["cio"]
        if isinstance(what, Call):
            return what
        read = _reader_for(what)
    try:
        return read(fields, event, keys, logged_at)
    except ParamError as error:
        raise _in_terms_of_tags(error, fields) from None


def id_of(fields: Mapping[str, Any]) -> str:
    """
    The ULID that a record says to use.

    Raises:
        ParamError: It is none.
    """
    return valid_id(fields["cio_event_id"], "cio_event_id")


def summary_tags(call: Call) -> dict[str, object]:
    """
    Plain tags for a log line to show in place of *call*: what and who, but no data.
    """
    tags: dict[str, object] = {"cio": call.tag}
    if isinstance(call, (Track, TrackAnonymous)):
        tags["cio_event"] = call.name
        if call.type != "event":
            tags["cio"] = call.type
    if isinstance(call, TrackAnonymous):
        tags["cio_anonymous"] = call.anonymous_id or ""
    message_id = getattr(call, "transactional_message_id", None)
    if message_id is not None:
        tags["cio_message_id"] = message_id
    for param in ("customer", "primary", "identifiers", "subject", "object"):
        who = getattr(call, param, None)
        if isinstance(who, Identifier):
            tags["cio_customer"] = who.value
            if who.type != "id":
                tags["cio_id_type"] = who.type
        elif who is not None:
            tags["cio_object"] = who.object_id or who.cio_object_id
            if who.object_type_id is not None:
                tags["cio_object_type"] = who.object_type_id
    return tags


# Which tag gives a call's parameter.
_TAG_OF_PARAM = {
    "anonymous_id": "cio_anonymous",
    "device_id": "cio_device",
    "object_id": "cio_object",
    "object_type_id": "cio_object_type",
    "platform": "cio_platform",
    "secondary": "cio_secondary",
    "timestamp": "cio_timestamp",
    "to": "cio_to",
    "transactional_message_id": "cio_message_id",
}

_WHO = frozenset({"customer", "identifiers", "primary", "relationships", "subject"})

_PAYLOAD = frozenset({"attributes", "data", "message_data"})


def _in_terms_of_tags(error: ParamError, fields: Mapping[str, Any]) -> ParamError:
    """
    *error* as one who writes log lines understands it.
    """
    message, tag = error.message, _TAG_OF_PARAM.get(error.param, error.param)
    if tag in _WHO:
        tag = "cio_customer" if "cio_customer" in fields else "cio_identity"
    elif tag == "name" and "cio_event" in fields:
        tag = "cio_event"
    elif tag == "name":
        tag, message = "event", f"{message}, as the name of an event; cio_event gives another"
    elif tag in _PAYLOAD and "cio_data" in fields:
        tag = "cio_data"
    return ParamError(tag, message, error.limit)


def _track(
    fields: Mapping[str, Any],
    event: object,
    keys: PayloadKeys,
    logged_at: float | None,
    type_: EventType = "event",
) -> Call:
    name: Any = fields.get("cio_event", event)
    data = payload_of(fields, keys)
    id_ = id_of(fields) if "cio_event_id" in fields else None
    timestamp = required(fields, "cio_timestamp") if "cio_timestamp" in fields else logged_at
    if "cio_customer" not in fields and "cio_anonymous" in fields:
        anonymous = required(fields, "cio_anonymous")
        return TrackAnonymous(anonymous, name, data, type=type_, id=id_, timestamp=timestamp)
    return Track(customer_of(fields), name, data, type=type_, id=id_, timestamp=timestamp)


def _identify(
    fields: Mapping[str, Any], _event: object, keys: PayloadKeys, logged_at: float | None
) -> Call:
    timestamp = required(fields, "cio_timestamp") if "cio_timestamp" in fields else logged_at
    return Identify(customer_of(fields), payload_of(fields, keys), timestamp=timestamp)


def _add_device(
    fields: Mapping[str, Any], _event: object, keys: PayloadKeys, _logged_at: float | None
) -> Call:
    return AddDevice(
        customer_of(fields),
        required(fields, "cio_device"),
        required(fields, "cio_platform"),
        payload_of(fields, keys),
    )


def _delete_device(fields: Mapping[str, Any], *_: object) -> Call:
    return DeleteDevice(customer_of(fields), required(fields, "cio_device"))


def _delete(fields: Mapping[str, Any], *_: object) -> Call:
    return Delete(customer_of(fields))


def _suppress(fields: Mapping[str, Any], *_: object) -> Call:
    return Suppress(customer_of(fields))


def _unsuppress(fields: Mapping[str, Any], *_: object) -> Call:
    return Unsuppress(customer_of(fields))


def _merge(fields: Mapping[str, Any], *_: object) -> Call:
    gone: Customer = required(fields, "cio_secondary")
    if "cio_secondary_id_type" in fields:
        gone = identifier_by_type(
            gone, "cio_secondary", fields["cio_secondary_id_type"], "cio_secondary_id_type"
        )
    return Merge(customer_of(fields), gone)


_READERS: dict[str, Reader] = {
    "track": _track,
    "page": partial(_track, type_="page"),
    "screen": partial(_track, type_="screen"),
    "identify": _identify,
    "delete": _delete,
    "suppress": _suppress,
    "unsuppress": _unsuppress,
    "merge": _merge,
    "add_device": _add_device,
    "delete_device": _delete_device,
}

_RARER_WORDS = (
    "send_email",
    "send_push",
    "send_sms",
    "send_whatsapp",
    "send_inbox_message",
    "send_in_app",
    "identify_object",
    "delete_object",
    "add_relationships",
    "delete_relationships",
)

WORDS = (*_READERS, *_RARER_WORDS)
"""What ``cio`` may say."""


def _reader_for(word: object) -> Reader:
    if not isinstance(word, str) or word not in WORDS:
        raise ParamError("cio", f"must be a call, or one of {', '.join(WORDS)}")
    if word not in _READERS:
        # Not imported above: most applications need neither messages nor objects.
        with forks.late_imports:
            from cio_events._sources import message_tags as rarer_tags

        _READERS.update(rarer_tags.READERS)
    return _READERS[word]
