"""A call as the one request by which it is sent alone."""

from __future__ import annotations

from cio_events._calls.call import Call
from cio_events._calls.messages import Message
from cio_events._calls.validation import is_a
from cio_events._wire.encode import dump
from cio_events._wire.identifiers import v1_names
from cio_events._wire.registry import entity, kind_of, read_operation
from cio_events._wire.request import Request
from cio_events._wire.walk import Unsaid
from cio_events.errors import ParamError


def request(call: Call, id_: str | None, unsaid: list[Unsaid] | None = None) -> Request:
    """
    *call* as a request; *id_* is the ULID of an event that has none of its own.

    *unsaid* gets each value of its that has no form in JSON.

    Raises:
        ParamError: It is none of the calls that go to the Track API.
    """
    if is_a(call, Message):
        raise ParamError("call", "must be a call of cio_events for the Track API")
    kind = kind_of(call)
    method, path, body = (kind.alone if v1_names(call) else entity)(call, id_)
    return Request(method, path, None if body is None else dump(kind, body, unsaid))


def request_of(operation: bytes) -> Request:
    """The request for a waiting operation."""
    return request(read_operation(operation), None)
