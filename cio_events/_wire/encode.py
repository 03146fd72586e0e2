"""
An accepted call as the envelope in which it waits: which way it goes, and whether it fits.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from cio_events._calls import limits
from cio_events._calls.people import AddDevice, Call, Identify, Track, TrackAnonymous
from cio_events._calls.validation import Data
from cio_events._wire import app
from cio_events._wire import batch as v2
from cio_events._wire.envelope import Envelope, Route, body_of, route_of, seal
from cio_events._wire.json import dumps
from cio_events.errors import ParamError

Api: TypeAlias = Literal["v2", "v1"]

# Looked up for each call.
_BATCH, _SINGLE, _APP = Route.BATCH, Route.SINGLE, Route.APP
_V2_OPERATION_BYTES = limits.V2_OPERATION_BYTES
_ID_BYTES, _EVENT_NAME_BYTES = limits.ID_BYTES, limits.EVENT_NAME_BYTES
_ATTRIBUTE_VALUE_BYTES = limits.ATTRIBUTE_VALUE_BYTES

# What of a call may grow large, as its parameter is called.
_DATA_OF: dict[type[Call], str] = {
    Identify: "attributes",
    Track: "data",
    TrackAnonymous: "data",
    AddDevice: "data",
}


def encode(call: Call, id_: str, now: int, api: Api) -> Envelope:
    """
    *call*, accepted at *now* (Unix milliseconds) under the ULID *id_*, for the Track API *api*.

    Raises:
        ParamError: The call is over a limit of Customer.io's, or is no call at all.
    """
    write = v2.WRITE.get(type(call))
    if write is None:
        return seal(_APP, now, id_, app.encode(call))
    operation = dumps(write(call, id_, now // 1000))
    if len(operation) > _V2_OPERATION_BYTES:
        check_size(call)
    elif api == "v2" and (type(call) is Track or not v2.lacks(call)):
        return seal(_BATCH, now, id_, operation)
    return seal(_SINGLE, now, id_, operation)


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
    operation = dumps(v2.event({"id": customer}, name, data, id_, timestamp))
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
    param = _DATA_OF.get(type(call))
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
    if route_of(envelope) is Route.APP:
        return app.call_of(body_of(envelope))
    return v2.call_of(body_of(envelope))


def customers_of(envelope: Envelope) -> tuple[str, ...]:
    """
    Whom *envelope* is about, as keys to keep the order by.
    """
    read = app.customers_of if route_of(envelope) is Route.APP else v2.customers_of
    try:
        return read(body_of(envelope))
    except (ValueError, TypeError, LookupError, AttributeError):
        # Bytes that were damaged where they waited, which its own delivery will find out.
        return ()


def too_long_attribute(call: Call) -> str | None:
    """
    The name of an attribute whose value is over the limit for one, if there is any.
    """
    data = getattr(call, _DATA_OF.get(type(call), ""), {})
    limit = limits.ATTRIBUTE_VALUE_BYTES
    for name, value in data.items():
        if isinstance(value, str) and len(value.encode("utf-8", "replace")) > limit:
            return str(name) if isinstance(name, str) else None
    return None
