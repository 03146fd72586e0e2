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

from cio_events.sandbox.model import explanations as rules
from cio_events.sandbox.model import limits
from cio_events.sandbox.model.explanations import InvalidError

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


def _bytes(count: int) -> str:
    return f"{count} bytes"


def mapping(value: Any, field: str) -> dict[str, Any]:
    """An object of JSON; what is absent or null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidError(rules.NOT_OBJECT, field, f"{field} must be an object", value)
    return value


def text(value: Any, field: str) -> str:
    """A text that is not blank."""
    if value is None:
        raise InvalidError(rules.REQUIRED, field, f"{field} is required")
    if not isinstance(value, str):
        raise InvalidError(rules.NOT_TEXT, field, f"{field} must be a string", value)
    if not value.strip():
        raise InvalidError(rules.REQUIRED, field, f"{field} must not be blank", value)
    return value


def optional_text(value: Any, field: str) -> str | None:
    """A text; what is absent, null or empty is none."""
    return None if value is None or value == "" else text(value, field)


def one_of(value: Any, field: str, allowed: Iterable[str]) -> str:
    """One of the texts that are allowed."""
    if value is None:
        raise InvalidError(rules.REQUIRED, field, f"{field} is required")
    allowed = tuple(allowed)
    if not isinstance(value, str) or value not in allowed:
        listed = ", ".join(allowed)
        message = f"{field} must be one of {listed}"
        raise InvalidError(rules.NOT_ALLOWED, field, message, value, listed)
    return value


def whole(digits: str, field: str) -> int:
    """The number that decimal digits write."""
    if not digits.isdecimal() or len(digits) > len(str(limits.MOMENT)):
        raise InvalidError(rules.NOT_WHOLE, field, f"{field} must be an integer", digits)
    return int(digits)


def moment(value: Any, field: str) -> int | None:
    """Unix seconds; None when absent or null."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < limits.MOMENT:
        message = f"{field} must be unix seconds, an integer"
        raise InvalidError(rules.NOT_A_MOMENT, field, message, value)
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
        raise InvalidError(
            rules.IDENTIFIER_TOO_LONG, field, message, named, _bytes(limits.IDENTIFIER_BYTES)
        )
    return named


def email(value: Any, field: str) -> str:
    """An e-mail address, as far as an identifier goes."""
    address = identifier(value, field)
    if "@" not in address:
        raise InvalidError(rules.NOT_AN_ADDRESS, field, f"{field} is not an e-mail address", value)
    return address


def who(value: Any, field: str, types: tuple[str, ...] = PERSON_IDENTIFIERS) -> Who:
    """A person named by exactly one identifier, ``{type: value}``."""
    if value is None:
        raise InvalidError(rules.REQUIRED, field, f"{field} is required")
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in types:
        message = f"{field} must hold exactly one of {', '.join(types)}"
        raise InvalidError(rules.WRONG_IDENTIFIERS, field, message, value)
    ((kind, given),) = value.items()
    check = email if kind == "email" else identifier
    return Who(str(kind), check(given, f"{field}.{kind}"))


def which(value: Any, field: str) -> Which:
    """An object named by `object_type_id` and `object_id`, or by `cio_object_id`."""
    if value is None:
        raise InvalidError(rules.REQUIRED, field, f"{field} is required")
    found = mapping(value, field)
    if set(found) == {"cio_object_id"}:
        return Which(cio_object_id=identifier(found["cio_object_id"], f"{field}.cio_object_id"))
    if set(found) <= {"object_type_id", "object_id"}:
        return Which(
            identifier(found.get("object_type_id"), f"{field}.object_type_id"),
            identifier(found.get("object_id"), f"{field}.object_id"),
        )
    message = f"{field} must hold object_type_id and object_id, or cio_object_id"
    raise InvalidError(rules.WRONG_OBJECT, field, message, value)


def items(value: Any, field: str) -> list[tuple[str, dict[str, Any]]]:
    """A list of objects, each with the name of its own place; absent or null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidError(rules.NOT_LIST, field, f"{field} must be a list", value)
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
        message = f"name is longer than {limits.EVENT_NAME_BYTES} bytes: it has {size(name)} bytes"
        raise InvalidError(
            rules.NAME_TOO_LONG, "name", message, name, _bytes(limits.EVENT_NAME_BYTES)
        )
    return name


def attributes(value: Any, field: str) -> dict[str, Any]:
    """The attributes of a person or an object."""
    found = mapping(value, field)
    if len(found) > limits.ATTRIBUTES_PER_CALL:
        message = f"{field} holds more than {limits.ATTRIBUTES_PER_CALL} attributes"
        raise InvalidError(
            rules.TOO_MANY_ATTRIBUTES, field, message, found, limits.ATTRIBUTES_PER_CALL
        )
    for name in found:
        if size(name) > limits.ATTRIBUTE_NAME_BYTES:
            message = f"an attribute's name is longer than {limits.ATTRIBUTE_NAME_BYTES} bytes"
            raise InvalidError(
                rules.ATTRIBUTE_NAME_TOO_LONG,
                field,
                message,
                name,
                _bytes(limits.ATTRIBUTE_NAME_BYTES),
            )
    return found


def at_most(value: Any, field: str, most: int) -> None:
    """Refuse what is larger than so many bytes of JSON."""
    if len(orjson.dumps(value)) > most:
        message = f"{field} is larger than {most} bytes"
        raise InvalidError(rules.DATA_TOO_LARGE, field, message, value, _bytes(most))


def depth(value: Any) -> int:
    """How many objects and lists are within one another, without recursion."""
    levels, at = 0, [value]
    while at:
        within: list[Any] = []
        for one in at:
            if isinstance(one, dict):
                within.extend(one.values())
            elif isinstance(one, list):
                within.extend(one)
        levels += any(isinstance(one, dict | list) for one in at)
        at = [one for one in within if isinstance(one, dict | list)]
    return levels


def not_too_deep(value: Any, field: str) -> None:
    """Refuse what is nested more deeply than can be kept and shown."""
    if depth(value) > limits.DEPTH:
        message = f"{field or 'the operation'} has more than {limits.DEPTH} levels"
        raise InvalidError(rules.TOO_DEEP, field, message, value, f"{limits.DEPTH} levels")


def device(value: Any, token: str) -> tuple[str, str, int | None, dict[str, Any]]:
    """
    A device: its token (under the name that this API has for it), platform, last use, attributes.
    """
    found = mapping(value, "device")
    # go-customerio sends last_used as text.
    last_used = found.get("last_used")
    if isinstance(last_used, str) and last_used.isdecimal():
        last_used = whole(last_used, "device.last_used")
    return (
        text(found.get(token), f"device.{token}"),
        one_of(found.get("platform"), "device.platform", ("ios", "android")),
        moment(last_used, "device.last_used"),
        mapping(found.get("attributes"), "device.attributes"),
    )
