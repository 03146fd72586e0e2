"""
Encode a call as the envelope in which it waits, and decode it: choose its route, check its size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import orjson

from cio_events._calls import limits
from cio_events._calls.call import Call
from cio_events._interrupts import faults
from cio_events._wire.envelope import Envelope, Route, body_of, route_of, seal
from cio_events._wire.identifiers import v1_names
from cio_events._wire.json import dumps, is_finite, is_flat
from cio_events._wire.natural import TooLarge
from cio_events._wire.registry import Kind, kind_and_body, kind_called, kind_of
from cio_events._wire.walk import AROUND, Unsaid
from cio_events.errors import ParamError

Api: TypeAlias = Literal["v2", "v1"]

# Looked up for each call.
_dumps = orjson.dumps
_BATCH, _SINGLE, _APP = Route.BATCH, Route.SINGLE, Route.APP
_V2_OPERATION_BYTES = limits.V2_OPERATION_BYTES

# What stands around the data of a call, with each character escaped.
_AROUND_BYTES = 6 * AROUND

# Ten times what Customer.io takes: enough to see what went wrong.
_REFUSED_BYTES = 1_000_000


def encode(
    call: Call, id_: str, now: int, api: Api, unsaid: list[Unsaid] | None = None
) -> Envelope:
    """
    *call*, accepted at *now* (Unix milliseconds) under the ULID *id_*, for the Track API *api*.

    *unsaid* gets each value of its that has no form in JSON.

    Raises:
        ParamError: The call is over a limit of Customer.io's, or is no call at all.
    """
    kind = kind_of(call)
    operation = kind.write(call, id_, now // 1000)
    body = _dump_flat(kind, call, operation) or dump(kind, operation, unsaid)
    if kind.route is _APP:
        return seal(_APP, now, id_, b"%b\n%b" % (kind.words[0].encode("ascii"), body))
    if len(body) > _V2_OPERATION_BYTES:
        # Of what was written, since a value may be asked for what it is but once.
        check_size(call, len(body), lambda: kind.read(orjson.loads(body)))
    elif api == "v2" and kind.batched(call):
        return seal(_BATCH, now, id_, kind.mark + body)
    return seal(_SINGLE, now, id_, kind.mark + body)


def encode_refused(call: Call, id_: str, now: int) -> Envelope | None:
    """
    *call*, which `encode` refused for its size, as it would have waited.

    None where it is beyond what can be written in bounded time and memory.
    """
    try:
        kind = kind_of(call)
        body = dumps(
            kind.write(call, id_, now // 1000),
            leave_out=kind.overwrites,
            most_bytes=_REFUSED_BYTES,
        )
    except (TooLarge, ParamError):
        return None
    if kind.route is _APP:
        return seal(_APP, now, id_, b"%b\n%b" % (kind.words[0].encode("ascii"), body))
    return seal(_SINGLE, now, id_, body)


def dump(kind: Kind, body: object, unsaid: list[Unsaid] | None = None) -> bytes:
    """
    The *body* of a call of that *kind* as JSON.

    Raises:
        ParamError: It is over the budget.
    """
    roomy = kind.bounded or kind.route is _APP
    try:
        return dumps(
            body,
            unsaid,
            leave_out=kind.overwrites,
            most_bytes=limits.MESSAGE_BYTES if roomy else limits.DATA_BYTES,
        )
    except TooLarge as error:
        raise ParamError(kind.large or "call", error.message, error.limit) from None


def _dump_flat(kind: Kind, call: Call, body: object) -> bytes | None:
    """The same, if nothing of *call* needs a walk."""
    if kind.large is None:
        return None
    data = getattr(call, kind.large)
    if not is_flat(data) or (kind.overwrites and not is_finite(data)):
        return None
    try:
        return _dumps(body)
    except faults(TypeError):  # a lone surrogate, say
        return None


def check_size(call: Call, size: int, written: Callable[[], Call]) -> None:
    """
    Refuse a *call* of over ``V2_OPERATION_BYTES`` that is too large to be sent alone too.

    Args:
        call: Any call.

        size: How many bytes all of it has as JSON. Most of them are its data's.

        written: Makes a call with the data as it was written, where it has to be measured.

    Raises:
        ParamError: It is over a limit of Customer.io's.
    """
    kind = kind_of(call)
    if kind.bounded:
        return
    limit = limits.V2_OPERATION_BYTES
    if kind.large is None:
        raise ParamError("call", f"is over {limit} bytes as an operation", limit)
    if not v1_names(call):
        raise ParamError(
            kind.large,
            f"is over {limit} bytes as an operation, and an identifier of that type and shape "
            "cannot go by v1, which takes more",
            limit,
        )
    limit = limits.DATA_BYTES
    if size <= limit:
        return
    if size > limit + _AROUND_BYTES or len(dump(kind, getattr(written(), kind.large))) > limit:
        raise ParamError(kind.large, f"is over {limit} bytes as JSON", limit)


def call_of(envelope: Envelope) -> Call:
    """The call that *envelope* holds, with its id and timestamp."""
    kind, body = _read(envelope)
    return kind.read(body)


def remade(envelope: Envelope) -> Call | None:
    """The same; None where its bytes were damaged where it waited, or a stranger wrote them."""
    try:
        return call_of(envelope)
    except (ValueError, TypeError, LookupError, AttributeError):
        return None


def customers_of(envelope: Envelope) -> tuple[str, ...]:
    """Whom *envelope* is about, as keys to keep the order by."""
    try:
        kind, body = _read(envelope)
        return kind.concerns(body)
    except (ValueError, TypeError, LookupError, AttributeError):
        # Bytes that were damaged where they waited, which its own delivery will find out.
        return ()


def is_merge(envelope: Envelope) -> bool:
    """Whether *envelope* makes one person of two."""
    try:
        _, body = _read(envelope)
    except (ValueError, TypeError, LookupError, AttributeError):
        return False
    return body.get("action") == "merge"


def _read(envelope: Envelope) -> tuple[Kind, dict[str, Any]]:
    """The kind of call that waits in *envelope*, and its body."""
    waiting = body_of(envelope)
    if route_of(envelope) is Route.APP:
        word, _, message = waiting.partition(b"\n")
        return kind_called(word.decode("ascii")), orjson.loads(message)
    return kind_and_body(waiting)


def too_long_attribute(call: Call) -> str | None:
    """The name of an attribute whose value is over the limit for one, if there is any."""
    data = getattr(call, kind_of(call).large or "", {})
    limit = limits.ATTRIBUTE_VALUE_BYTES
    for name, value in data.items():
        if issubclass(type(value), str) and len(str.encode(value, "utf-8", "replace")) > limit:
            return str(name) if isinstance(name, str) else None
    return None
