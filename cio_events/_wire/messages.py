"""A transactional message as the body that the App API takes, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from cio_events._calls.call import Identifier
from cio_events._calls.messages import Device, Message
from cio_events._wire import identifiers
from cio_events._wire.people import data_of_device, device

MessageT = TypeVar("MessageT", bound=Message)


def write(message: Message, _id: str, _now: int) -> dict[str, object]:
    """Write a message of any kind."""
    body: dict[str, object] = {}
    for field in fields(message):
        value = getattr(message, field.name)
        if value is None:
            continue
        if isinstance(value, Identifier):
            value = identifiers.write(value)
        elif isinstance(value, Device):
            value = {"token": value.token, **device(value.platform, value.data)}
        body[field.name.rstrip("_")] = value
    return body


def read(kind: type[MessageT], values: dict[str, Any]) -> MessageT:
    """The message of that *kind* that `write` wrote."""
    if "from" in values:
        values["from_"] = values.pop("from")
    if "identifiers" in values:
        values["identifiers"] = identifiers.read_person(values["identifiers"])
    if "custom_device" in values:
        told = values["custom_device"]
        values["custom_device"] = Device(told["token"], told["platform"], data_of_device(told))
    return kind(**values)
