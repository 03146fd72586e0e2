"""
What makes a field of a request valid.

Each check returns the value to work with, or raises `InvalidError` with the field's name; what
is done with the value is not decided here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from cio_events.sandbox.model import limits
from cio_events.sandbox.model.invalid import InvalidError

PERSON_IDENTIFIERS = ("id", "email", "cio_id")


class Who(NamedTuple):
    """A person as a call names them."""

    type: str
    """``id``, ``email``, ``phone`` or ``cio_id``."""
    value: str


class Which(NamedTuple):
    """An object as a call names it: by its type and id, or by its `cio_object_id`."""

    object_type_id: str | None = None
    object_id: str | None = None
    cio_object_id: str | None = None


def size(text: str) -> int:
    """The length in bytes of UTF-8; JSON that was parsed strictly holds no lone surrogates."""
    return len(text) if text.isascii() else len(text.encode())


def mapping(value: Any, field: str) -> dict[str, Any]:
    """An object of JSON; what is absent or null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidError("invalid", field, f"{field} must be an object")
    return value


def text(value: Any, field: str) -> str:
    """A text that is not blank."""
    if value is None:
        raise InvalidError("required", field, f"{field} is required")
    if not isinstance(value, str):
        raise InvalidError("invalid", field, f"{field} must be a string")
    if not value.strip():
        raise InvalidError("required", field, f"{field} must not be blank")
    return value


def optional_text(value: Any, field: str) -> str | None:
    """A text; what is absent, null or empty is none."""
    return None if value is None or value == "" else text(value, field)


def one_of(value: Any, field: str, allowed: Iterable[str]) -> str:
    """One of the texts that are allowed."""
    if value is None:
        raise InvalidError("required", field, f"{field} is required")
    allowed = tuple(allowed)
    if not isinstance(value, str) or value not in allowed:
        raise InvalidError("invalid", field, f"{field} must be one of {', '.join(allowed)}")
    return value


def moment(value: Any, field: str) -> int | None:
    """Unix seconds; None when absent or null."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidError("invalid", field, f"{field} must be unix seconds, an integer")
    return value


def moment_or_now(value: Any, field: str) -> int:
    """Unix seconds; when absent or null, those of the request."""
    given = moment(value, field)
    return int(time.time()) if given is None else given


def identifier(value: Any, field: str) -> str:
    """The value of an identifier: text, or an integer, that is neither blank nor too long."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    named = text(str(value) if whole else value, field)
    if size(named) > limits.IDENTIFIER_BYTES:
        message = f"{field} is longer than {limits.IDENTIFIER_BYTES} bytes"
        raise InvalidError("too_large", field, message)
    return named


def email(value: Any, field: str) -> str:
    """An e-mail address, as far as an identifier goes."""
    address = identifier(value, field)
    if "@" not in address:
        raise InvalidError("invalid", field, f"{field} is not an e-mail address")
    return address


def who(value: Any, field: str, types: tuple[str, ...] = PERSON_IDENTIFIERS) -> Who:
    """A person named by exactly one identifier, ``{type: value}``."""
    if value is None:
        raise InvalidError("required", field, f"{field} is required")
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in types:
        message = f"{field} must hold exactly one of {', '.join(types)}"
        raise InvalidError("invalid", field, message)
    ((kind, given),) = value.items()
    check = email if kind == "email" else identifier
    return Who(str(kind), check(given, f"{field}.{kind}"))


def which(value: Any, field: str) -> Which:
    """An object named by `object_type_id` and `object_id`, or by `cio_object_id`."""
    if value is None:
        raise InvalidError("required", field, f"{field} is required")
    found = mapping(value, field)
    if set(found) == {"cio_object_id"}:
        return Which(cio_object_id=identifier(found["cio_object_id"], f"{field}.cio_object_id"))
    if set(found) <= {"object_type_id", "object_id"}:
        return Which(
            identifier(found.get("object_type_id"), f"{field}.object_type_id"),
            identifier(found.get("object_id"), f"{field}.object_id"),
        )
    message = f"{field} must hold object_type_id and object_id, or cio_object_id"
    raise InvalidError("invalid", field, message)


def items(value: Any, field: str) -> list[tuple[str, dict[str, Any]]]:
    """A list of objects, each with the name of its own place; absent or null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidError("invalid", field, f"{field} must be a list")
    places = [f"{field}[{number}]" for number in range(len(value))]
    return [(place, mapping(item, place)) for place, item in zip(places, value, strict=True)]


def relationships(value: Any, field: str) -> list[tuple[Which, dict[str, Any]]]:
    """Objects that a person is related to, each with the relationship's attributes."""
    return [
        (
            which(item.get("identifiers"), f"{place}.identifiers"),
            attributes(item.get("relationship_attributes"), f"{place}.relationship_attributes"),
        )
        for place, item in items(value, field)
    ]


def event_name(value: Any) -> str:
    """The name of an event, trimmed as Customer.io does."""
    name = text(value, "name").strip()
    if size(name) > limits.EVENT_NAME_BYTES:
        message = f"name is longer than {limits.EVENT_NAME_BYTES} bytes"
        raise InvalidError("too_large", "name", message)
    return name


def attributes(value: Any, field: str) -> dict[str, Any]:
    """The attributes of a person or an object."""
    found = mapping(value, field)
    if len(found) > limits.ATTRIBUTES_PER_CALL:
        message = f"{field} holds more than {limits.ATTRIBUTES_PER_CALL} attributes"
        raise InvalidError("too_large", field, message)
    for name in found:
        if size(name) > limits.ATTRIBUTE_NAME_BYTES:
            message = f"an attribute's name is longer than {limits.ATTRIBUTE_NAME_BYTES} bytes"
            raise InvalidError("too_large", field, message)
    return found


def at_most(value: Any, field: str, most: int) -> None:
    """Refuse what is larger than so many bytes of JSON."""
    if len(orjson.dumps(value)) > most:
        raise InvalidError("too_large", field, f"{field} is larger than {most} bytes")


def device(value: Any, token: str) -> tuple[str, str, int | None, dict[str, Any]]:
    """
    A device: its token (under the name that this API has for it), platform, last use, attributes.
    """
    found = mapping(value, "device")
    # go-customerio sends last_used as text.
    last_used = found.get("last_used")
    if isinstance(last_used, str) and last_used.isdecimal():
        last_used = int(last_used)
    return (
        text(found.get(token), f"device.{token}"),
        one_of(found.get("platform"), "device.platform", ("ios", "android")),
        moment(last_used, "device.last_used"),
        mapping(found.get("attributes"), "device.attributes"),
    )
