"""People and objects, as Customer.io names them in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cio_events._calls.call import CIO_ID_PREFIX, Identifier, type_by_shape
from cio_events._calls.objects import ObjectIdentifier

ANONYMOUS = "anonymous "
"""How the key of somebody begins who is not known yet."""


def write(who: Identifier | ObjectIdentifier) -> dict[str, str | None]:
    """*who* in JSON."""
    if isinstance(who, Identifier):
        return {who.type: who.value}
    if who.cio_object_id is not None:
        return {"cio_object_id": who.cio_object_id}
    return {"object_type_id": who.object_type_id, "object_id": who.object_id}


def read_person(identifiers: Mapping[str, Any]) -> Identifier:
    """The person that was written."""
    ((type_, value),) = identifiers.items()
    return Identifier(value, type_)  # type: ignore[arg-type]


def read(identifiers: Mapping[str, Any]) -> Identifier | ObjectIdentifier:
    """The person or the object that was written."""
    if "object_id" in identifiers or "cio_object_id" in identifiers:
        return ObjectIdentifier(**identifiers)
    return read_person(identifiers)


def in_path(who: Identifier) -> str:
    """A person as v1 has one in a path, before it is encoded."""
    return f"{CIO_ID_PREFIX}{who.value}" if who.type == "cio_id" else who.value


def v1_names(call: object) -> bool:
    """
    Whether v1, which tells a person's type by the shape of the text, reads *call* as it is meant.
    """
    who = getattr(call, "customer", None)
    return not isinstance(who, Identifier) or type_by_shape(in_path(who)) == who.type


def key(identifiers: Mapping[str, Any]) -> str:
    """
    A key to keep the order by.

    An id and an e-mail address of the same text have the same: that makes two people wait for
    each other at worst.
    """
    ((type_, value), *more) = identifiers.items()
    if type_ == "cio_id":
        return f"{CIO_ID_PREFIX}{value}"
    return f"{value} {more[0][1]}" if more else str(value)
