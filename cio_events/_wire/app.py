"""
The App API: a waiting message as its request, and what its answers say.

A waiting message is a line with the kind of message and then the very body that is sent.
"""

from __future__ import annotations

from datetime import datetime, timezone

import orjson

from cio_events._calls.messages import Message, Receipt
from cio_events._calls.validation import is_a
from cio_events._wire.encode import dump
from cio_events._wire.envelope import Route
from cio_events._wire.registry import kind_called, kind_of
from cio_events._wire.request import Request
from cio_events._wire.walk import Unsaid
from cio_events.errors import ParamError


def request(message: Message, unsaid: list[Unsaid] | None = None) -> Request:
    """
    *message* as a request.

    *unsaid* gets each value of its that has no form in JSON.

    Raises:
        ParamError: It is none of the kinds that Customer.io has.
    """
    if not is_a(message, Message):
        raise ParamError("call", "must be a message of cio_events")
    kind = kind_of(message)
    method, path, body = kind.alone(message, None)
    return Request(method, path, dump(kind, body, unsaid))


def content_of(waiting: bytes) -> bytes:
    """The JSON of a waiting message."""
    return waiting.partition(b"\n")[2]


def request_of(waiting: bytes) -> Request:
    """
    The request for a waiting message.

    Raises:
        LookupError, ValueError: It is of no kind that there is, as where a stranger wrote it.
    """
    word, _, body = waiting.partition(b"\n")
    name = word.decode("ascii")
    if kind_called(name).route is not Route.APP:
        raise LookupError("it is no message")
    return Request("POST", f"/v1/send/{name}", body)


def receipt_of(answer: bytes) -> Receipt | None:
    """The receipt in an answer, if without its time; None if there is none in it."""
    try:
        body = orjson.loads(answer)
        delivery_id = body["delivery_id"]
    except (ValueError, KeyError, TypeError):
        return None
    if delivery_id is None or delivery_id == "" or isinstance(delivery_id, (dict, list)):
        return None
    try:
        queued_at = datetime.fromtimestamp(body["queued_at"], timezone.utc)
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        queued_at = None
    return Receipt(str(delivery_id), queued_at)
