"""
People and objects, as Customer.io names them in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cio_events._calls.objects import ObjectIdentifier
from cio_events._calls.people import Identifier

ANONYMOUS = "anonymous "
"""How the key of somebody begins who is not known yet."""


def write(who: Identifier | ObjectIdentifier) -> dict[str, str | None]:
    """
    *who* in JSON.
    """
    if isinstance(who, Identifier):
        return {who.type: who.value}
    if who.cio_object_id is not None:
        return {"cio_object_id": who.cio_object_id}
    return {"object_type_id": who.object_type_id, "object_id": who.object_id}


def read_person(identifiers: Mapping[str, Any]) -> Identifier:
    """
    The person that was written.
    """
    ((type_, value),) = identifiers.items()
    return Identifier(value, type_)  # type: ignore[arg-type]


def read(identifiers: Mapping[str, Any]) -> Identifier | ObjectIdentifier:
    """
    The person or the object that was written.
    """
    if "object_id" in identifiers or "cio_object_id" in identifiers:
        return ObjectIdentifier(**identifiers)
    return read_person(identifiers)


def cio_id(value: str) -> str:
    """
    A cio_id as v1 has it in a path.
    """
    return f"cio_{value.removeprefix('cio_')}"


def key(identifiers: Mapping[str, Any]) -> str:
    """
    A key to keep the order by.

    An id and an e-mail address of the same text have the same: that makes two people wait for
    each other at worst.
    """
    ((type_, value), *more) = identifiers.items()
    if type_ == "cio_id":
        return cio_id(value)
    return f"{value} {more[0][1]}" if more else str(value)
