"""
The way out when Customer.io adds what this package does not know: a raw operation of Track API v2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

from cio_events._calls.call import ID_TYPES, Call, Identifier, IdType
from cio_events._calls.validation import Data, valid_id_text, valid_mapping
from cio_events._exported import exported
from cio_events.errors import ParamError

IDENTIFIERS = ("identifiers", "primary", "secondary")
"""The fields of an operation that say whom it is about."""


@exported
@dataclass(frozen=True, init=False, repr=False)
class Operation(Call):
    """
    A raw operation of Track API v2, for what has no call of its own yet.

    It is sent as it is; Customer.io alone knows whether it is valid. An event, page or screen view
    without ``id`` and ``timestamp`` gets both, so that a retry is safe, and an identify without
    a ``timestamp`` gets that.

    Attributes:
        operation: What is sent, such as ``{"type": "person", "action": "event", "identifiers":
            {"id": "5"}, "name": "purchase"}``; at most 32 000 bytes as JSON. Whom it is about, to
            keep the order by, is read from ``identifiers``, ``primary``, ``secondary`` and
            ``cio_relationships``.

    Raises:
        ParamError: It is no mapping of texts, does not say whom it is about, or has an invalid
            identifier.
    """

    tag: ClassVar[str] = "operation"

    operation: Data

    def __init__(self, operation: Data) -> None:
        copy = valid_mapping(operation, "operation")
        if not all(issubclass(type(name), str) for name in copy):
            raise ParamError("operation", "must have texts as names")
        found = [name for name in IDENTIFIERS if name in copy]
        if not found:
            raise ParamError("operation", f"must have {', '.join(IDENTIFIERS[:-1])} or secondary")
        for name in found:
            copy[name] = _identifiers(copy[name], name)
        self.__dict__["operation"] = copy


def _identifiers(value: object, param: str) -> Mapping[str, str]:
    told = valid_mapping(value, param)
    if not told or not all(issubclass(type(name), str) for name in told):
        raise ParamError(param, "must be a mapping of at least one identifier")
    return {str.__str__(name): _identifier(one, str.__str__(name)) for name, one in told.items()}


def _identifier(value: object, name: str) -> str:
    text = valid_id_text(value, name)
    return Identifier(text, cast("IdType", name)).value if name in ID_TYPES else text
