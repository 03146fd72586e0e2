"""
The tags: how a log record says which call it is.

Reads records and makes calls, for both ways in; it neither counts nor sends them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias

from structlog.contextvars import get_contextvars
from structlog.processors import CallsiteParameter

from cio_events import limits
from cio_events.calls import (
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
from cio_events.checks import Data, EventType
from cio_events.diagnostics import warn_once
from cio_events.errors import ParamError
from cio_events.ids import valid_id
from cio_events.messages import (
    Message,
    SendEmail,
    SendInApp,
    SendInboxMessage,
    SendPush,
    SendSMS,
    SendWhatsApp,
)
from cio_events.objects import (
    AddRelationships,
    DeleteObject,
    DeleteRelationships,
    IdentifyObject,
    ObjectIdentifier,
    Relationship,
)

TAGS = frozenset(
    {
        "cio",
        "cio_customer",
        "cio_identity",
        "cio_id_type",
        "cio_anonymous",
        "cio_device",
        "cio_platform",
        "cio_secondary",
        "cio_secondary_id_type",
        "cio_event",
        "cio_data",
        "cio_timestamp",
        "cio_event_id",
        "cio_to",
        "cio_message_id",
        "cio_object",
        "cio_object_type",
    }
)

# Customer.io's own attributes of a person, which begin as our tags do.
_ATTRIBUTES_OF_THE_VENDOR = frozenset({"cio_relationships", "cio_subscription_preferences"})

# What structlog's processors and the arguments of logging's methods put into a record.
_ABOUT_LOGGING = frozenset(
    {
        "level",
        "level_number",
        "logger",
        "timestamp",
        "exc_info",
        "exception",
        "stack",
        "stack_info",
        "stacklevel",
        "positional_args",
        *(parameter.value for parameter in CallsiteParameter),
    }
)

# Not from the current record factory, which may add an application's own attributes. Formatters
# set the last two; Python 3.12 has taskName, and records travel between processes.
_OF_LOG_RECORDS = frozenset(
    {
        *logging.LogRecord("", 0, "", 0, "", (), None).__dict__,
        "taskName",
        "message",
        "asctime",
    }
)

_TRIGGER_IS_BOUND = (
    "cio_customer or cio is bound in structlog.contextvars, which makes an event of every record "
    "that is logged there; cio_identity can be bound and makes none"
)

# More names than the records of an application have, unless it makes up names.
_NAMES_REMEMBERED = 1_000


class Taken(str):
    """
    The ULID of a record that has been taken: the value of its ``cio_event_id`` from then on.

    The type is the mark by which a record's other ways in know it. It is text for everybody
    else, and outlives copies of the record, renderers that make keyword arguments of it, and
    pickling.
    """

    __slots__ = ()


class PayloadKeys(dict[object, bool]):
    """
    Which keys of a record are payload: a table that learns each name when it first sees it.
    """

    def __init__(self, *more_hidden: str) -> None:
        super().__init__(dict.fromkeys((*TAGS, *_ABOUT_LOGGING, *more_hidden), False))

    def __missing__(self, key: object) -> bool:
        sent = not isinstance(key, str) or not (key.startswith("_") or _is_no_tag(key))
        if (
            type(key) is str
            and len(key) <= limits.ATTRIBUTE_NAME_BYTES
            and len(self) < _NAMES_REMEMBERED
        ):
            self[key] = sent
        return sent


KEYS_OF_RECORDS = PayloadKeys(*_OF_LOG_RECORDS)
"""The payload among the attributes of a `logging.LogRecord`."""


def _is_no_tag(key: str) -> bool:
    """
    Whether *key* looks like a tag and is none; then it is said, since it is probably misspelt.
    """
    if not key.startswith("cio_") or key in _ATTRIBUTES_OF_THE_VENDOR:
        return False
    warn_once(
        f"no tag {key}",
        f"{key[: limits.ATTRIBUTE_NAME_BYTES]} is no tag, and is not sent; "
        "an attribute of that name can be sent in cio_data",
    )
    return True


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
    read: _Reader
    if "cio" not in fields:
        read = _track
    else:
        what = fields["cio"]
        if isinstance(what, Call):
            return what
        if not isinstance(what, str) or what not in _READERS:
            raise ParamError("cio", f"must be a call, or one of {', '.join(_READERS)}")
        read = _READERS[what]
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


def shown(call: Call) -> dict[str, object]:
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
    if isinstance(call, Message) and call.transactional_message_id is not None:
        tags["cio_message_id"] = call.transactional_message_id
    for param in ("customer", "primary", "identifiers", "subject", "object"):
        who = getattr(call, param, None)
        if isinstance(who, Identifier):
            tags["cio_customer"] = who.value
            if who.type != "id":
                tags["cio_id_type"] = who.type
        elif isinstance(who, ObjectIdentifier):
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


_Reader: TypeAlias = Callable[[Mapping[str, Any], object, PayloadKeys, "float | None"], Call]


def _track(
    fields: Mapping[str, Any],
    event: object,
    keys: PayloadKeys,
    logged_at: float | None,
    type_: EventType = "event",
) -> Call:
    name: Any = fields.get("cio_event", event)
    data = _payload(fields, keys)
    id_ = id_of(fields) if "cio_event_id" in fields else None
    timestamp = _given(fields, "cio_timestamp") if "cio_timestamp" in fields else logged_at
    if "cio_customer" not in fields and "cio_anonymous" in fields:
        anonymous = _given(fields, "cio_anonymous")
        return TrackAnonymous(anonymous, name, data, type=type_, id=id_, timestamp=timestamp)
    return Track(_customer(fields), name, data, type=type_, id=id_, timestamp=timestamp)


def _identify(
    fields: Mapping[str, Any], _event: object, keys: PayloadKeys, logged_at: float | None
) -> Call:
    timestamp = _given(fields, "cio_timestamp") if "cio_timestamp" in fields else logged_at
    return Identify(_customer(fields), _payload(fields, keys), timestamp=timestamp)


def _add_device(
    fields: Mapping[str, Any], _event: object, keys: PayloadKeys, _logged_at: float | None
) -> Call:
    return AddDevice(
        _customer(fields),
        _given(fields, "cio_device"),
        _given(fields, "cio_platform"),
        _payload(fields, keys),
    )


def _delete_device(fields: Mapping[str, Any], *_: object) -> Call:
    return DeleteDevice(_customer(fields), _given(fields, "cio_device"))


def _delete(fields: Mapping[str, Any], *_: object) -> Call:
    return Delete(_customer(fields))


def _suppress(fields: Mapping[str, Any], *_: object) -> Call:
    return Suppress(_customer(fields))


def _unsuppress(fields: Mapping[str, Any], *_: object) -> Call:
    return Unsuppress(_customer(fields))


def _merge(fields: Mapping[str, Any], *_: object) -> Call:
    gone: Customer = _given(fields, "cio_secondary")
    if "cio_secondary_id_type" in fields:
        gone = _identifier(
            gone, "cio_secondary", fields["cio_secondary_id_type"], "cio_secondary_id_type"
        )
    return Merge(_customer(fields), gone)


def _message(
    fields: Mapping[str, Any],
    _event: object,
    keys: PayloadKeys,
    _logged_at: float | None,
    *,
    kind: type[Message],
) -> Call:
    values: dict[str, Any] = {
        "identifiers": _customer(fields),
        "transactional_message_id": _given(fields, "cio_message_id"),
    }
    if "cio_to" in fields and hasattr(kind, "to"):
        values["to"] = _given(fields, "cio_to")
    data = _payload(fields, keys)
    if data:
        values["message_data"] = data
    return kind(**values)


def _identify_object(
    fields: Mapping[str, Any], _event: object, keys: PayloadKeys, _logged_at: float | None
) -> Call:
    # A bound identity is not enough: not every object of a request belongs to its user.
    people = [_customer(fields)] if "cio_customer" in fields else []
    return IdentifyObject(_object(fields), _payload(fields, keys), people)


def _delete_object(fields: Mapping[str, Any], *_: object) -> Call:
    return DeleteObject(_object(fields))


def _add_relationships(
    fields: Mapping[str, Any], _event: object, keys: PayloadKeys, _logged_at: float | None
) -> Call:
    related = Relationship(_object(fields), _payload(fields, keys))
    return AddRelationships(_customer(fields), [related])


def _delete_relationships(fields: Mapping[str, Any], *_: object) -> Call:
    return DeleteRelationships(_customer(fields), [_object(fields)])


_READERS: dict[str, _Reader] = {
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
    **{
        kind.tag: partial(_message, kind=kind)
        for kind in (
            SendEmail,
            SendPush,
            SendSMS,
            SendWhatsApp,
            SendInboxMessage,
            SendInApp,
        )
    },
    "identify_object": _identify_object,
    "delete_object": _delete_object,
    "add_relationships": _add_relationships,
    "delete_relationships": _delete_relationships,
}


def _given(fields: Mapping[str, Any], tag: str) -> Any:
    value = fields.get(tag)
    if value is None:
        raise ParamError(tag, "must not be None" if tag in fields else "is missing")
    return value


def _customer(fields: Mapping[str, Any]) -> Customer:
    tag, known = "cio_customer", fields
    if tag not in fields:
        tag = "cio_identity"
        if tag not in fields:
            # Without merge_contextvars, and in logging, what is bound is not in the record.
            known = {**get_contextvars(), **fields}
            if tag not in known:
                raise ParamError("cio_customer", "is missing")
    who: Customer = known[tag]
    return _identifier(who, tag, known["cio_id_type"]) if "cio_id_type" in known else who


def _identifier(value: Any, tag: str, type_: Any, type_tag: str = "cio_id_type") -> Identifier:
    if isinstance(value, Identifier):
        return value
    try:
        return Identifier(value, type_)
    except ParamError as error:
        wrong = type_tag if error.param == "type" else tag
        raise ParamError(wrong, error.message, error.limit) from None


def _object(fields: Mapping[str, Any]) -> ObjectIdentifier:
    which = _given(fields, "cio_object")
    if isinstance(which, ObjectIdentifier):
        return which
    return ObjectIdentifier(_given(fields, "cio_object_type"), which)


def _payload(fields: Mapping[str, Any], keys: PayloadKeys) -> Data:
    if "cio_data" in fields:
        data = _given(fields, "cio_data")
        if not isinstance(data, Mapping):
            raise ParamError("cio_data", "must be a mapping")
        return data
    payload = {}
    for key in fields:  # twice as fast as a comprehension over items
        if keys[key]:
            payload[key] = fields[key]
    if payload and copy_context():
        # The context of a request is no marketing data.
        bound = get_contextvars()
        for key, value in bound.items():
            if key in payload and payload[key] is value:
                del payload[key]
        if "cio_customer" in bound or "cio" in bound:
            warn_once("bound", _TRIGGER_IS_BOUND)
    return payload
