"""
The App API: a transactional message as its request, and as it waits in the meantime.

A waiting message is a line with the kind of message and then the very body that is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timezone
from typing import Any

import orjson

from cio_events._calls.messages import (
    Device,
    Message,
    Receipt,
    SendEmail,
    SendInApp,
    SendInboxMessage,
    SendPush,
    SendSMS,
    SendWhatsApp,
)
from cio_events._calls.people import Call, Identifier
from cio_events._wire import batch as v2
from cio_events._wire import identifiers
from cio_events._wire.json import dumps
from cio_events._wire.request import Request
from cio_events.errors import ParamError

# The last part of the path, which is also the kind's name in a waiting message.
_KINDS: dict[str, type[Message]] = {
    "email": SendEmail,
    "push": SendPush,
    "sms": SendSMS,
    "whatsapp": SendWhatsApp,
    "inbox_message": SendInboxMessage,
    "in_app": SendInApp,
}

_KIND_OF = {message: kind for kind, message in _KINDS.items()}


def request(message: Message) -> Request:
    """
    *message* as a request.
    """
    return request_of(encode(message))


def encode(message: Call) -> bytes:
    """
    *message* as it waits.

    Raises:
        ParamError: It is none of the kinds that Customer.io has.
    """
    if not isinstance(message, Message) or type(message) not in _KIND_OF:
        raise ParamError("call", "must be a call of cio_events")
    return b"%b\n%b" % (_KIND_OF[type(message)].encode("ascii"), dumps(_fields(message)))


def request_of(waiting: bytes) -> Request:
    """
    The request for a waiting message.
    """
    kind, body = _split(waiting)
    return Request("POST", f"/v1/send/{kind}", body)


def call_of(waiting: bytes) -> Message:
    """
    The message that a waiting one was made of.
    """
    kind, body = _split(waiting)
    values: dict[str, Any] = orjson.loads(body)
    if "from" in values:
        values["from_"] = values.pop("from")
    if "identifiers" in values:
        values["identifiers"] = identifiers.read_person(values["identifiers"])
    if "custom_device" in values:
        told = values["custom_device"]
        values["custom_device"] = Device(told["token"], told["platform"], v2.data_of_device(told))
    return _KINDS[kind](**values)


def customers_of(waiting: bytes) -> tuple[str, ...]:
    """
    Whom a waiting message is for, as keys to keep the order by.
    """
    return (identifiers.key(orjson.loads(_split(waiting)[1])["identifiers"]),)


def receipt_of(answer: bytes) -> Receipt | None:
    """
    The receipt in an answer; None if there is none in it.
    """
    try:
        body = orjson.loads(answer)
        queued_at = datetime.fromtimestamp(body["queued_at"], timezone.utc)
        return Receipt(str(body["delivery_id"]), queued_at)
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return None


def words_of(answer: bytes) -> str:
    """
    What Customer.io said in an answer that is no success, in whichever form.
    """
    text = answer.decode("utf-8", "replace").strip()
    try:
        meta = orjson.loads(answer)["meta"]
        errors = meta["errors"] if "errors" in meta else [meta["error"]]
    except (ValueError, KeyError, TypeError):
        return text
    if isinstance(errors, Mapping):
        errors = [f"{field}: {error}" for field, error in errors.items()]
    return "; ".join(map(str, errors)) if isinstance(errors, list) else str(errors)


def _fields(message: Message) -> dict[str, object]:
    body: dict[str, object] = {}
    for field in fields(message):
        value = getattr(message, field.name)
        if value is None:
            continue
        if isinstance(value, Identifier):
            value = identifiers.write(value)
        elif isinstance(value, Device):
            value = {"token": value.token, **v2.device(value.platform, value.data)}
        body[field.name.rstrip("_")] = value
    return body


def _split(waiting: bytes) -> tuple[str, bytes]:
    kind, _, body = waiting.partition(b"\n")
    return kind.decode("ascii"), body
