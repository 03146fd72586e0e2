"""
A record's fields: which of them are tags, which are payload, and whom they name.

Which call they make together is not known here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any, NamedTuple, TypeAlias

from structlog.contextvars import get_contextvars
from structlog.processors import CallsiteParameter

from cio_events._calls import limits
from cio_events._calls.people import Call, Customer, Identifier
from cio_events._calls.validation import Data, obviously_fits
from cio_events._process.diagnostics import warn_once
from cio_events.errors import ParamError

TAGS = frozenset(
    {
        "cio",
        "cio_customer",
        "cio_identity",
        "cio_id_type",
        "cio_anonymous",
        "cio_device",
        "cio_platform",
        "cio_secondary",
        "cio_secondary_id_type",
        "cio_event",
        "cio_data",
        "cio_timestamp",
        "cio_event_id",
        "cio_to",
        "cio_message_id",
        "cio_object",
        "cio_object_type",
    }
)

# What a plain event has none of.
_TAGS_OF_OTHERS = TAGS - {"cio_customer", "cio_identity"}

# Customer.io's own attributes of a person, which begin as our tags do.
_ATTRIBUTES_OF_THE_VENDOR = frozenset({"cio_relationships", "cio_subscription_preferences"})

# What structlog's processors and the arguments of logging's methods put into a record.
_ABOUT_LOGGING = frozenset(
    {
        "level",
        "level_number",
        "logger",
        "timestamp",
        "exc_info",
        "exception",
        "stack",
        "stack_info",
        "stacklevel",
        "positional_args",
        *(parameter.value for parameter in CallsiteParameter),
    }
)

# Not from the current record factory, which may add an application's own attributes. Formatters
# set the last two; Python 3.12 has taskName, and records travel between processes.
_OF_LOG_RECORDS = frozenset(
    {
        *logging.LogRecord("", 0, "", 0, "", (), None).__dict__,
        "taskName",
        "message",
        "asctime",
    }
)

_TRIGGER_IS_BOUND = (
    "cio_customer or cio is bound in structlog.contextvars, which makes an event of every record "
    "that is logged there; cio_identity can be bound and makes none"
)

# More than an application has lines that log tagged records, unless it makes up names.
_SHAPES_REMEMBERED = 1_000


class Shape(NamedTuple):
    """
    What all records with the same keys have in common.

    Attributes:
        payload: Those of the keys that are payload.

        plain: Whether a tagged one asks for an event of ``cio_customer`` and says no more with
            tags, and its payload is within the limits of number and names.
    """

    payload: tuple[Any, ...]
    plain: bool


class PayloadKeys(dict[tuple[object, ...], Shape]):
    """
    Which keys of a record are payload: a table that learns each shape when it first sees it.

    The same line of code logs the same keys each time.
    """

    def __init__(self, *more_hidden: str) -> None:
        self._hidden = TAGS.union(_ABOUT_LOGGING, more_hidden)

    def __missing__(self, keys: tuple[object, ...]) -> Shape:
        payload = tuple(key for key in keys if self._is_payload(key))
        shape = Shape(payload, _TAGS_OF_OTHERS.isdisjoint(keys) and obviously_fits(payload))
        if len(keys) <= limits.ATTRIBUTES and all(map(_is_usual, keys)):
            if len(self) >= _SHAPES_REMEMBERED:
                self.clear()
            self[keys] = shape
        return shape

    def _is_payload(self, key: object) -> bool:
        return not isinstance(key, str) or not (
            key in self._hidden or key.startswith("_") or _is_no_tag(key)
        )


KEYS_OF_RECORDS = PayloadKeys(*_OF_LOG_RECORDS)
"""The payload among the attributes of a `logging.LogRecord`."""


def _is_usual(key: object) -> bool:
    return type(key) is str and len(key) <= limits.ATTRIBUTE_NAME_BYTES


def _is_no_tag(key: str) -> bool:
    """
    Whether *key* looks like a tag and is none; then it is said, since it is probably misspelt.
    """
    if not key.startswith("cio_") or key in _ATTRIBUTES_OF_THE_VENDOR:
        return False
    warn_once(
        f"no tag {key}",
        f"{key[: limits.ATTRIBUTE_NAME_BYTES]} is no tag, and is not sent; "
        "an attribute of that name can be sent in cio_data",
    )
    return True


def required(fields: Mapping[str, Any], tag: str) -> Any:
    """
    The value of a *tag* that a call needs.

    Raises:
        ParamError: It is missing, or None.
    """
    value = fields.get(tag)
    if value is None:
        raise ParamError(tag, "must not be None" if tag in fields else "is missing")
    return value


def customer_of(fields: Mapping[str, Any]) -> Customer:
    """
    Whom the record names: by ``cio_customer``, else by ``cio_identity``.

    Raises:
        ParamError: It names nobody.
    """
    tag, known = "cio_customer", fields
    if tag not in fields:
        tag = "cio_identity"
        if tag not in fields:
            # Without merge_contextvars, and in logging, what is bound is not in the record.
            known = {**get_contextvars(), **fields}
            if tag not in known:
                raise ParamError("cio_customer", "is missing")
    who: Customer = known[tag]
    return identifier_by_type(who, tag, known["cio_id_type"]) if "cio_id_type" in known else who


def identifier_by_type(
    value: Any, tag: str, type_: Any, type_tag: str = "cio_id_type"
) -> Identifier:
    """
    The identifier of the value of one tag and the type of another.

    Raises:
        ParamError: They make none; it names the tag that is wrong.
    """
    if isinstance(value, Identifier):
        return value
    try:
        return Identifier(value, type_)
    except ParamError as error:
        wrong = type_tag if error.param == "type" else tag
        raise ParamError(wrong, error.message, error.limit) from None


def payload_of(fields: Mapping[str, Any], keys: PayloadKeys) -> Data:
    """
    What a record has to say beside its tags: ``cio_data``, or the rest of it.

    Raises:
        ParamError: ``cio_data`` is no mapping.
    """
    if "cio_data" in fields:
        data = required(fields, "cio_data")
        if not isinstance(data, Mapping):
            raise ParamError("cio_data", "must be a mapping")
        return data
    return rest_of(fields, keys[tuple(fields)])


def rest_of(fields: Mapping[str, Any], shape: Shape) -> dict[Any, object]:
    """
    What a record of that *shape* has to say beside its tags, without what is bound.
    """
    payload = {}
    for key in shape.payload:  # faster than a comprehension
        payload[key] = fields[key]
    if payload and copy_context():
        # The context of a request is no marketing data.
        bound = get_contextvars()
        for key, value in bound.items():
            if key in payload and payload[key] is value:
                del payload[key]
        if "cio_customer" in bound or "cio" in bound:
            warn_once("bound", _TRIGGER_IS_BOUND)
    return payload


Reader: TypeAlias = Callable[[Mapping[str, Any], object, PayloadKeys, "float | None"], Call]
"""Makes a call of a record's fields, its message, its payload's keys and its time."""
