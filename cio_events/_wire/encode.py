"""
An accepted call as the envelope in which it waits, and back: which way it goes, if it fits.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import orjson

from cio_events._calls import limits
from cio_events._calls.people import Call
from cio_events._calls.validation import Data
from cio_events._wire.envelope import Envelope, Route, body_of, route_of, seal
from cio_events._wire.json import dumps
from cio_events._wire.people import event
from cio_events._wire.registry import Kind, kind_called, kind_of
from cio_events.errors import ParamError

Api: TypeAlias = Literal["v2", "v1"]

# Looked up for each call.
_BATCH, _SINGLE, _APP = Route.BATCH, Route.SINGLE, Route.APP
_V2_OPERATION_BYTES = limits.V2_OPERATION_BYTES
_ID_BYTES, _EVENT_NAME_BYTES = limits.ID_BYTES, limits.EVENT_NAME_BYTES
_ATTRIBUTE_VALUE_BYTES = limits.ATTRIBUTE_VALUE_BYTES


def encode(call: Call, id_: str, now: int, api: Api) -> Envelope:
    """
    *call*, accepted at *now* (Unix milliseconds) under the ULID *id_*, for the Track API *api*.

    Raises:
        ParamError: The call is over a limit of Customer.io's, or is no call at all.
    """
    kind = kind_of(call)
    body = dumps(kind.write(call, id_, now // 1000))
    if kind.route is _APP:
        return seal(_APP, now, id_, b"%b\n%b" % (kind.words[0].encode("ascii"), body))
    if len(body) > _V2_OPERATION_BYTES:
        check_size(call)
    elif api == "v2" and kind.batched(call):
        return seal(_BATCH, now, id_, body)
    return seal(_SINGLE, now, id_, body)


def encode_event(
    customer: object, name: object, data: Data, id_: str, now: int, timestamp: int
) -> Envelope | None:
    """
    What `encode` makes of ``Track(customer, name, data, timestamp=timestamp)``, without making it.

    Most calls are such an event, of which nobody asks for the object. *data* has been found
    `obviously_fits`. None means that something else needs a closer look: that of `Track`, which
    then says what is wrong, if anything is.
    """
    if (
        type(customer) is not str
        # Neither empty nor beginning with a space or a dot.
        or customer <= "/"
        or len(customer) > _ID_BYTES
        or not customer.isascii()
        or type(name) is not str
        or not (name := name.strip())
        or len(name) > _EVENT_NAME_BYTES
        or not name.isascii()
    ):
        return None
    operation = dumps(event({"id": customer}, name, data, id_, timestamp))
    if len(operation) > _ATTRIBUTE_VALUE_BYTES:
        return None
    return seal(_BATCH, now, id_, operation)


def check_size(call: Call) -> None:
    """
    Refuse a *call* of over ``V2_OPERATION_BYTES`` that is too large to be sent alone too.

    Most of its size is its data.

    Raises:
        ParamError: It is over a limit of Customer.io's.
    """
    param = kind_of(call).large
    if param is None:
        limit = limits.V2_OPERATION_BYTES
        raise ParamError("call", f"is over {limit} bytes as an operation", limit)
    limit = limits.DATA_BYTES
    if len(dumps(getattr(call, param))) > limit:
        raise ParamError(param, f"is over {limit} bytes as JSON", limit)


def call_of(envelope: Envelope) -> Call:
    """
    The call that *envelope* holds, with its id and timestamp.
    """
    kind, body = _read(envelope)
    return kind.read(body)


def customers_of(envelope: Envelope) -> tuple[str, ...]:
    """
    Whom *envelope* is about, as keys to keep the order by.
    """
    try:
        kind, body = _read(envelope)
        return kind.concerns(body)
    except (ValueError, TypeError, LookupError, AttributeError):
        # Bytes that were damaged where they waited, which its own delivery will find out.
        return ()


def _read(envelope: Envelope) -> tuple[Kind, dict[str, Any]]:
    """
    The kind of call that waits in *envelope*, and its body.
    """
    waiting = body_of(envelope)
    if route_of(envelope) is Route.APP:
        word, _, message = waiting.partition(b"\n")
        return kind_called(word.decode("ascii")), orjson.loads(message)
    body: dict[str, Any] = orjson.loads(waiting)
    return kind_called(f"{body['type']} {body['action']}"), body


def too_long_attribute(call: Call) -> str | None:
    """
    The name of an attribute whose value is over the limit for one, if there is any.
    """
    data = getattr(call, kind_of(call).large or "", {})
    limit = limits.ATTRIBUTE_VALUE_BYTES
    for name, value in data.items():
        if isinstance(value, str) and len(value.encode("utf-8", "replace")) > limit:
            return str(name) if isinstance(name, str) else None
    return None
