"""Calls about things other than people: objects, what relates them to people, and deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, cast, get_args
from uuid import UUID

from cio_events._calls import limits
from cio_events._calls.call import Call, Customer, Identifier, identifier_of
from cio_events._calls.times import Timestamp, valid_time
from cio_events._calls.validation import (
    Data,
    is_a,
    required_text,
    valid_data,
    valid_id_text,
    valid_list,
    valid_text,
)
from cio_events._exported import exported
from cio_events.errors import ParamError

Metric: TypeAlias = Literal[
    "bounced",
    "clicked",
    "converted",
    "deferred",
    "delivered",
    "dropped",
    "opened",
    "spammed",
]
"""What can be reported of a delivery. Which of them Customer.io takes depends on its channel."""


@exported
@dataclass(frozen=True, init=False, repr=False)
class ObjectIdentifier:
    """
    Which object: by its type and its id there, or by Customer.io's own id of it.

    Attributes:
        object_type_id: The number of the object's type, as text.

        object_id: The object's id among those of its type.

        cio_object_id: Customer.io's own id of an object that it knows; then the others are None.

    Raises:
        ParamError: A value is no valid id, or neither way or both ways were given.
    """

    object_type_id: str | None
    object_id: str | None
    cio_object_id: str | None

    def __init__(
        self,
        object_type_id: str | int | None = None,
        object_id: str | int | UUID | None = None,
        *,
        cio_object_id: str | None = None,
    ) -> None:
        if (cio_object_id is None) == (object_type_id is None and object_id is None):
            raise ParamError(
                "object_id", "an object has an object_type_id and object_id, or a cio_object_id"
            )
        given = {
            "object_type_id": object_type_id,
            "object_id": object_id,
            "cio_object_id": cio_object_id,
        }
        names = ("object_type_id", "object_id") if cio_object_id is None else ("cio_object_id",)
        self.__dict__.update(dict.fromkeys(given))
        self.__dict__.update((name, valid_id_text(given[name], name)) for name in names)

    def __repr__(self) -> str:
        return f"<ObjectIdentifier by {'object' if self.object_id else 'cio_object'}_id>"


@exported
@dataclass(frozen=True, init=False, repr=False)
class Relationship:
    """
    The other end of a relationship, and what there is to say of it.

    Attributes:
        to: A person or an object.

        attributes: Of the relationship; None or ``""`` takes one away.

    Raises:
        ParamError: A value is invalid or over a limit.
    """

    to: Identifier | ObjectIdentifier
    attributes: Data

    def __init__(self, to: Customer | ObjectIdentifier, attributes: Data | None = None) -> None:
        self.__dict__.update(to=_end(to, "to"), attributes=valid_data(attributes, "attributes"))

    def __repr__(self) -> str:
        return "<Relationship>"


Related: TypeAlias = "Customer | ObjectIdentifier | Relationship"
"""The other end of a relationship, with attributes or without."""


@exported
@dataclass(frozen=True, init=False, repr=False)
class IdentifyObject(Call):
    """
    Create an object, or add to its attributes.

    Attributes:
        object: Which.

        attributes: None or ``""`` as a value takes an attribute away.

        relationships: People who belong to it.

    Raises:
        ParamError: A value is invalid or over a limit.
    """

    tag: ClassVar[str] = "identify_object"

    object: ObjectIdentifier
    attributes: Data
    relationships: tuple[Relationship, ...]

    def __init__(
        self,
        object: ObjectIdentifier,
        attributes: Data | None = None,
        relationships: Iterable[Related] = (),
    ) -> None:
        self.__dict__.update(
            object=_object(object),
            attributes=valid_data(attributes, "attributes"),
            relationships=_relationships(relationships, Identifier),
        )


@exported
@dataclass(frozen=True, init=False, repr=False)
class DeleteObject(Call):
    """
    Delete an object, and with it its relationships.

    Attributes:
        object: Which.
    """

    tag: ClassVar[str] = "delete_object"

    object: ObjectIdentifier

    def __init__(self, object: ObjectIdentifier) -> None:
        self.__dict__.update(object=_object(object))


@exported
@dataclass(frozen=True, init=False, repr=False)
class AddRelationships(Call):
    """
    Relate a person to objects, or an object to people.

    Attributes:
        subject: The person or the object.

        relationships: The others, at least one.

    Raises:
        ParamError: A value is invalid, or both ends are people or both are objects.
    """

    tag: ClassVar[str] = "add_relationships"

    subject: Identifier | ObjectIdentifier
    relationships: tuple[Relationship, ...]

    def __init__(
        self, subject: Customer | ObjectIdentifier, relationships: Iterable[Related]
    ) -> None:
        self.__dict__.update(_both_ends(subject, relationships))


@exported
@dataclass(frozen=True, init=False, repr=False)
class DeleteRelationships(Call):
    """
    End what relates a person to objects, or an object to people.

    Attributes:
        subject: The person or the object.

        relationships: The others, at least one.

    Raises:
        ParamError: A value is invalid, or both ends are people or both are objects.
    """

    tag: ClassVar[str] = "delete_relationships"

    subject: Identifier | ObjectIdentifier
    relationships: tuple[Relationship, ...]

    def __init__(
        self, subject: Customer | ObjectIdentifier, relationships: Iterable[Related]
    ) -> None:
        self.__dict__.update(_both_ends(subject, relationships))


@exported
@dataclass(frozen=True, init=False, repr=False)
class ReportMetric(Call):
    """
    Say what became of a delivery, for channels that do not tell Customer.io themselves.

    Attributes:
        delivery_id: Which delivery: a `cio_events.Receipt` has it, and so has the message itself.

        metric: What became of it.

        timestamp: When, in Unix seconds; None is the time of the call.

        recipient: Who got it: an e-mail address, a phone number, a device's token.

        reason: Why it failed.

        href: The link that was clicked.

    Raises:
        ParamError: A value is invalid.
    """

    tag: ClassVar[str] = "report_metric"

    delivery_id: str
    metric: Metric
    timestamp: int | None
    recipient: str | int | None
    reason: str | None
    href: str | None

    def __init__(
        self,
        delivery_id: str,
        metric: Metric,
        *,
        timestamp: Timestamp | None = None,
        recipient: str | int | None = None,
        reason: str | None = None,
        href: str | None = None,
    ) -> None:
        if not is_a(metric, str) or str.__str__(metric) not in get_args(Metric):
            raise ParamError("metric", f"must be one of {', '.join(get_args(Metric))}")
        if is_a(recipient, bool) or not is_a(recipient, (int, str, type(None))):
            raise ParamError("recipient", "must be text, or a phone number")
        self.__dict__.update(
            delivery_id=required_text(delivery_id, "delivery_id"),
            metric=str.__str__(metric),
            timestamp=valid_time(timestamp, "timestamp"),
            recipient=recipient,
            reason=None if reason is None else valid_text(reason, "reason"),
            href=None if href is None else valid_text(href, "href"),
        )


def _object(value: object) -> ObjectIdentifier:
    if not is_a(value, ObjectIdentifier):
        raise ParamError("object", "must be an ObjectIdentifier")
    return value


def _end(value: object, param: str) -> Identifier | ObjectIdentifier:
    if is_a(value, ObjectIdentifier):
        return value
    return identifier_of(cast("Customer", value), param)


def _both_ends(
    subject: Customer | ObjectIdentifier, relationships: Iterable[Related]
) -> Mapping[str, object]:
    end = _end(subject, "subject")
    kind = Identifier if isinstance(end, ObjectIdentifier) else ObjectIdentifier
    related = _relationships(relationships, kind)
    if not related:
        raise ParamError("relationships", "must not be empty")
    return {"subject": end, "relationships": related}


def _relationships(
    value: Iterable[Related], kind: type[Identifier | ObjectIdentifier]
) -> tuple[Relationship, ...]:
    param = "relationships"
    related: list[Relationship] = []
    for one in valid_list(value, param, limits.NODES):
        end = one if is_a(one, Relationship) else Relationship(_end(one, param))
        if not isinstance(end.to, kind):
            wanted = "people" if kind is Identifier else "objects"
            raise ParamError(param, f"must be {wanted}")
        related.append(end)
    return tuple(related)
