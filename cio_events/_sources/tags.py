"""
The tags: how a log record says which call it is.

Makes calls of records, whatever their source; it neither counts nor sends them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from cio_events._calls.call import Call, Identifier, type_by_shape
from cio_events._calls.people import AddDevice, DeleteDevice, Identify, Track, TrackAnonymous
from cio_events._calls.validation import EventType
from cio_events._process.diagnostics import warn_few, where
from cio_events._process.forks import late_imports
from cio_events._sources.fields import TAGS
from cio_events._sources.record import Record
from cio_events.errors import ParamError


def call_of(record: Record) -> Call:
    """
    The call that a record asks for.

    Raises:
        ParamError: None can be made of it; the parameter is the name of the tag.
    """
    what = record.fields.get("cio", "track")
    # Not isinstance(), which asks a lazy object what it is.
    if issubclass(type(what), Call):
        _say_unused(record, frozenset({"cio"}), "a call object")
        return what  # type: ignore[no-any-return]
    word = _word_of(what)
    read, used = _WORDS[word]
    _say_unused(record, used, word)
    try:
        return read(record)
    except ParamError as error:
        raise _in_terms_of_tags(error, record) from None


def summary_tags(call: Call) -> dict[str, object]:
    """Plain tags for a log line to show in place of *call*: what and who, but no data."""
    tags: dict[str, object] = {"cio": call.tag}
    name = getattr(call, "name", None)
    if isinstance(call, (Track, TrackAnonymous)) and isinstance(name, str):
        tags["cio_event"] = name
        if call.type != "event":
            tags["cio"] = call.type
    if isinstance(call, TrackAnonymous):
        tags["cio_anonymous"] = call.anonymous_id or ""
    for param in ("customer", "primary", "identifiers", "subject"):
        who = getattr(call, param, None)
        if isinstance(who, Identifier):
            tags["cio_customer"] = who.value
            if who.type != "id" or type_by_shape(who.value) != "id":
                tags["cio_id_type"] = who.type
    return tags


def _track(record: Record, type_: EventType = "event") -> Call:
    name, data, when = record.name(), record.payload(), record.timestamp()
    if "cio_customer" not in record.fields and "cio_anonymous" in record.fields:
        anonymous = record.required("cio_anonymous")
        return TrackAnonymous(anonymous, name, data, type=type_, timestamp=when)
    return Track(record.customer(), name, data, type=type_, timestamp=when)


def _identify(record: Record) -> Call:
    return Identify(record.customer(), record.payload(), timestamp=record.timestamp())


def _add_device(record: Record) -> Call:
    return AddDevice(
        record.customer(),
        record.required("cio_device"),
        record.required("cio_platform"),
        record.payload(),
    )


def _delete_device(record: Record) -> Call:
    return DeleteDevice(record.customer(), record.required("cio_device"))


class _Word(NamedTuple):
    read: Callable[[Record], Call]
    used: frozenset[str]


# What the tags of each word are; cio_identity may be bound, and is nobody's mistake.
_WHO = frozenset({"cio", "cio_customer", "cio_identity", "cio_id_type"})
_OF_EVENTS = _WHO | {"cio_anonymous", "cio_event", "cio_data", "cio_timestamp"}

_WORDS: dict[str, _Word] = {
    "track": _Word(_track, _OF_EVENTS),
    "page": _Word(partial(_track, type_="page"), _OF_EVENTS),
    "screen": _Word(partial(_track, type_="screen"), _OF_EVENTS),
    "identify": _Word(_identify, _WHO | {"cio_data", "cio_timestamp"}),
    "add_device": _Word(_add_device, _WHO | {"cio_device", "cio_platform", "cio_data"}),
    "delete_device": _Word(_delete_device, _WHO | {"cio_device"}),
}

WORDS = tuple(_WORDS)
"""What ``cio`` may say: what can be mended when somebody else has written it."""


def _word_of(what: object) -> str:
    word = str.__str__(what) if issubclass(type(what), str) else ""
    if word not in _WORDS:
        name = _object_for(word)
        if name is not None:
            raise ParamError("cio", f'"{word}" needs a call object: cio={name}(...)')
        raise ParamError("cio", f"must be a call object, or one of {', '.join(WORDS)}")
    return word


def _object_for(word: str) -> str | None:
    """The class for a *word* of what cannot be taken back, or reaches a person: said in code."""
    # Not imported above: a process that only sets up its loggers does not need it yet.
    with late_imports():
        from cio_events._wire.registry import KINDS

    return next((kind.call.__name__ for kind in KINDS if kind.call.tag == word), None)


def _say_unused(record: Record, used: frozenset[str], what: str) -> None:
    """Say which tags of the record say nothing here: somebody has probably meant another call."""
    for tag in TAGS & record.fields.keys():
        unused = tag not in used or (tag == "cio_anonymous" and "cio_customer" in record.fields)
        if unused and tag != "cio_identity":
            beside = "cio_customer" if tag in used else what
            warn_few(
                "unused tag",
                tag,
                f"says nothing beside {beside}, and is ignored{where()}",
            )


# Which tag gives a call's parameter.
_TAG_OF_PARAM = {
    "anonymous_id": "cio_anonymous",
    "device_id": "cio_device",
    "platform": "cio_platform",
    "timestamp": "cio_timestamp",
}

_PAYLOAD = frozenset({"attributes", "data"})


def _in_terms_of_tags(error: ParamError, record: Record) -> ParamError:
    """*error*, which names a call's parameter, with the tag or the field that gave its value."""
    fields, param, message = record.fields, error.param, error.message
    if param == "name":
        if "cio_event" in fields:
            param = "cio_event"
        else:
            param = "event"
            message += "; another name can be given as cio_event"
    elif param == "customer":
        param = "cio_customer" if "cio_customer" in fields else "cio_identity"
    elif param in _PAYLOAD:
        param = "cio_data" if "cio_data" in fields else param
    else:
        param = _TAG_OF_PARAM.get(param, param)
    return ParamError(param, message, error.limit)
