"""
Encode a plain event as the envelope in which it waits, without a call of it and at one stroke.
"""

from __future__ import annotations

from typing import Literal

import orjson

from cio_events._calls import limits
from cio_events._calls.call import CIO_ID_PREFIX, IdType
from cio_events._calls.validation import Data
from cio_events._interrupts import faults
from cio_events._wire.envelope import HEADER_BYTES, HEADER_FORM, Envelope, Route
from cio_events._wire.json import inert
from cio_events._wire.people import event

# Looked up for each call.
_dumps = orjson.dumps
_BATCH: bytes = Route.BATCH.value
_ID_BYTES = limits.ID_BYTES
_TEXT_BYTES = limits.ATTRIBUTE_VALUE_BYTES
_MOST_BYTES = HEADER_BYTES + _TEXT_BYTES

# The operation with a place for each value: to fill it in takes half the time of making one. The
# ULID is no text that needs any escapes.
_FORM: bytes = HEADER_FORM + (
    orjson.dumps(event({"%s": "%b"}, "%b", {"%b": 0}, "%s", 0))
    .replace(b'"%b"', b"%b")
    .replace(b"{%b:0}", b"%b")
    .replace(b'"timestamp":0', b'"timestamp":%b')
)

# An event's name is written in the source, and comes again and again.
_NAMES_REMEMBERED = 1_000
_names: dict[str, bytes] = {}

# The time of the last event, and how it is written: most come in bursts. One tuple, so that
# threads never see one half of it.
_last_time: tuple[int, int, bytes, bytes] = (-1, -1, b"", b"")


def encode_event(
    customer: object,
    name: object,
    data: Data,
    id_: str,
    now: int,
    timestamp: int,
    id_type: IdType | Literal["auto"] = "auto",
) -> Envelope | None:
    """
    What `encode` makes of ``Track(customer, name, data, timestamp=timestamp)``, without making it.

    Most calls are such an event, of which nobody asks for the object. *data* has been found
    `obviously_fits`, and *id_type* is what a plain text means. None means that something else
    needs a closer look: that of `Track`, which then says what is wrong, if anything is.
    """
    if (
        type(customer) is not str
        # Neither empty nor beginning with a space or a dot.
        or customer <= "/"
        or len(customer) > _ID_BYTES
        or not customer.isascii()
        or type(name) is not str
    ):
        return None
    written = _names.get(name) or _written(name)
    if written is None:
        return None
    if id_type == "auto":
        # Looking for one letter is quicker than a method's call.
        if "_" in customer and customer.startswith(CIO_ID_PREFIX):
            return None
        type_ = b"email" if "@" in customer else b"id"
    elif id_type == "cio_id":
        return None
    else:
        type_ = id_type.encode()
    # As is_flat() does, whose call would take as long as two values.
    for value in data.values():
        kind = type(value)
        if kind is str:
            if len(value) > _TEXT_BYTES:  # type: ignore[arg-type]
                return None
        elif kind is not int and kind is not float and kind is not bool and value is not None:
            plain = inert(data, _TEXT_BYTES)
            if plain is None:
                return None
            data = plain
            break
    try:
        body = _dumps(data)
    except faults(TypeError):  # a lone surrogate, say
        return None
    last_now, last_timestamp, accepted, time = _last_time
    if now != last_now or timestamp != last_timestamp:
        accepted, time = _written_time(now, timestamp)
    ulid = id_.encode()
    envelope = _FORM % (
        _BATCH,
        accepted,
        ulid,
        type_,
        _dumps(customer),
        written,
        ulid,
        time,
        body,
    )
    return envelope if len(envelope) <= _MOST_BYTES else None


def _written(name: str) -> bytes | None:
    """An event's *name* as JSON; None if it needs a closer look."""
    text = name.strip()
    if not text or len(text) > limits.EVENT_NAME_BYTES or not text.isascii():
        return None
    written = _dumps(text)
    if len(name) <= limits.EVENT_NAME_BYTES:
        if len(_names) >= _NAMES_REMEMBERED:
            _names.clear()
        _names[name] = written
    return written


def _written_time(now: int, timestamp: int) -> tuple[bytes, bytes]:
    """The time of acceptance as the header has it, and the event's as JSON."""
    global _last_time
    accepted, time = now.to_bytes(6, "big"), b"%d" % timestamp
    _last_time = (now, timestamp, accepted, time)
    return accepted, time
