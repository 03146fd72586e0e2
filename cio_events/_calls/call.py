"""
What every call is, and whom it names.

A call is immutable and valid from the moment it is made. How it is written for the wire is not
known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, cast, get_args
from uuid import UUID

from cio_events._calls.validation import is_a, valid_id_text, valid_mapping
from cio_events._exported import exported
from cio_events.errors import ParamError

IdType: TypeAlias = Literal["id", "email", "cio_id", "phone"]

ID_TYPES = get_args(IdType)
"""All of them."""

CIO_ID_PREFIX = "cio_"
"""What a cio_id begins with where its shape has to tell it: in a plain text, and in v1 paths."""


def type_by_shape(text: str) -> IdType:
    """What a plain *text* means, as Track API v1 and so every official client reads it."""
    if "@" in text:
        return "email"
    return "cio_id" if text.startswith(CIO_ID_PREFIX) else "id"


@exported
@dataclass(frozen=True, init=False, repr=False)
class Identifier:
    """
    Who a customer is, with the type said.

    Attributes:
        value: The id, e-mail address, cio_id (without its prefix ``cio_``) or phone number, at
            most 150 bytes.

        type: Which of them it is: ``"id"`` (the default), ``"email"``, ``"cio_id"`` or
            ``"phone"``. It holds whatever shape the value has.

    Raises:
        ParamError: *value* is blank, too long, ``.`` or ``..`` (HTTP clients fold them into
            another path), or neither text, nor an integer, nor a UUID; or there is no such *type*.
    """

    value: str
    type: IdType

    def __init__(self, value: str | int | UUID, type: IdType = "id") -> None:
        if not is_a(type, str) or str.__str__(type) not in ID_TYPES:
            raise ParamError(
                "type", 'an identifier is of the type "id", "email", "cio_id" or "phone"'
            )
        fields = self.__dict__
        fields["value"] = _bare_value(valid_id_text(value, "value"), type, "value")
        fields["type"] = str.__str__(type)

    def __repr__(self) -> str:
        return f"<Identifier by {self.type}>"


Customer: TypeAlias = "str | int | UUID | Identifier | Mapping[str, str | int | UUID]"
"""
Who: a plain text, read by its shape (with an ``@`` an e-mail address, with the prefix ``cio_`` a
cio_id, else an id), an integer or UUID (an id), or the type said by an `Identifier` or by a
mapping of one key: ``{"id": …}``, ``{"email": …}``, ``{"cio_id": …}``, ``{"phone": …}``.
"""


# The parameters by which calls name a person.
_WHO = ("customer", "primary", "secondary", "subject", "identifiers")


@exported
class Call:
    """
    The base of all calls.

    Its repr shows no personal data: the kind, an event's name or a message's template, how the
    person is named, and how many attributes there are.

    Attributes:
        tag: The word that asks for this call in a log record's ``cio``.
    """

    __slots__ = ()

    tag: ClassVar[str]

    def __repr__(self) -> str:
        fields = self.__dict__
        shown = [type(self).__name__]
        template = fields.get("transactional_message_id")
        if template is not None:
            shown.append(repr(template))
        ways = [fields[who].type for who in _WHO if isinstance(fields.get(who), Identifier)]
        if ways:
            shown.append(f"by {' and '.join(ways)}")
        count = len(fields.get("attributes") or ())
        if count:
            shown.append(f"with {count} attribute{'s' if count > 1 else ''}")
        return f"<{' '.join(shown)}>"


def identifier_of(
    value: Customer, param: str, id_type: IdType | Literal["auto"] = "auto"
) -> Identifier:
    """
    *value* as an identifier; *id_type* is what a plain text, integer or UUID means.

    Raises:
        ParamError: It is no valid identifier; *param* is what the error names.
    """
    kind = type(value)
    if kind is not str:
        # By its type, since a lazy object asked for its class makes what it stands for.
        if issubclass(kind, Identifier):
            return cast("Identifier", value)
        if is_a(value, Mapping):
            return _of_mapping(cast("Mapping[str, object]", value), param)
    text = valid_id_text(value, param)
    if id_type == "auto":
        id_type = type_by_shape(text) if issubclass(kind, str) else "id"
    identifier = object.__new__(Identifier)
    identifier.__dict__.update(value=_bare_value(text, id_type, param), type=id_type)
    return identifier


def _of_mapping(value: Mapping[str, object], param: str) -> Identifier:
    """What the vendor's own form means."""
    told = valid_mapping(value, param)
    type_ = next(iter(told), None)
    if len(told) != 1 or not is_a(type_, str) or str.__str__(type_) not in ID_TYPES:
        raise ParamError(param, 'must have one key, of "id", "email", "cio_id" and "phone"')
    return identifier_of(cast("str", told[type_]), param, cast("IdType", str.__str__(type_)))


def _bare_value(text: str, type_: IdType, param: str) -> str:
    """*text* as an identifier's value: a cio_id without its prefix."""
    if type_ != "cio_id" or not text.startswith(CIO_ID_PREFIX):
        return text
    while text.startswith(CIO_ID_PREFIX):
        text = text[len(CIO_ID_PREFIX) :]
    return valid_id_text(text, param)
