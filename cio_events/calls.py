"""
What can be asked of Customer.io about people: the one vocabulary of tags, pipeline and clients.

A call is immutable and valid from the moment it is made. How it is written for the wire is not
known here.

Each log record makes a call, so its fields are set in the instance's dictionary, which takes half
the time of the frozen dataclasses' own way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Literal, TypeAlias, cast
from uuid import UUID

from cio_events import limits
from cio_events.errors import ParamError
from cio_events.ids import valid_id
from cio_events.values import unix_seconds

IdType: TypeAlias = Literal["id", "email", "cio_id"]
EventType: TypeAlias = Literal["event", "page", "screen"]
Platform: TypeAlias = Literal["ios", "android"]

Timestamp: TypeAlias = "int | float | date"
"""Unix seconds, or a date or datetime (naive is UTC); milliseconds are recognised."""

Data: TypeAlias = Mapping[str, object]

# A moment in milliseconds is over this from 1973 on, and one in seconds not before the year 5138.
_MILLISECONDS_FROM = 100_000_000_000


@dataclass(frozen=True, init=False, repr=False)
class Identifier:
    """
    Who a customer is.

    Attributes:
        value: The id, e-mail address or cio_id, at most 150 bytes.

        type: Which of them it is: ``"id"`` (the default), ``"email"`` or ``"cio_id"``.

    Raises:
        ParamError: *value* is blank, too long, ``.`` or ``..`` (HTTP clients fold them into
            another path), or neither text, nor an integer, nor a UUID; or there is no such *type*.

    """

    value: str
    type: IdType

    def __init__(self, value: str | int | UUID, type: IdType = "id") -> None:  # noqa: A002
        if type not in ("id", "email", "cio_id"):
            raise ParamError("type", 'an identifier is of the type "id", "email" or "cio_id"')
        fields = self.__dict__
        fields["value"] = _id_text(value, "value")
        fields["type"] = type

    def __repr__(self) -> str:
        return f"<Identifier by {self.type}>"


Customer: TypeAlias = "str | int | UUID | Identifier"
"""A plain text, integer or UUID means the id."""


class Call:
    """
    The base of all calls. Its repr shows no personal data.

    Attributes:
        tag: The word that asks for this call in a log record's ``cio``.

    """

    __slots__ = ()

    tag: ClassVar[str]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


@dataclass(frozen=True, init=False, repr=False)
class Identify(Call):
    """
    Create a person, or add to one's attributes.

    Attributes:
        customer: Who.

        attributes: At most 300, of names up to 150 bytes, together 100 000 bytes. Customer.io
            cuts a value over 1 000 bytes.

        timestamp: When they were so, in Unix seconds; None is the time of the call. Customer.io
            lets an earlier update not overwrite a later one.

    Raises:
        ParamError: A value cannot be, or is over a limit.

    """

    tag: ClassVar[str] = "identify"

    customer: Identifier
    attributes: Data
    timestamp: int | None

    def __init__(
        self,
        customer: Customer,
        attributes: Data | None = None,
        *,
        timestamp: Timestamp | None = None,
    ) -> None:
        fields = self.__dict__
        fields["customer"] = _customer(customer, "customer")
        fields["attributes"] = _data(attributes, "attributes")
        fields["timestamp"] = _timestamp(timestamp, "timestamp")


@dataclass(frozen=True, init=False, repr=False)
class Track(Call):
    """
    Something that a person did.

    Attributes:
        customer: Who.

        name: The event's name, trimmed, at most 100 bytes.

        data: At most 300 values, together 100 000 bytes.

        type: ``"event"``, ``"page"`` (a page view) or ``"screen"`` (a screen view).

        id: The ULID by which Customer.io drops repeats; None has one made.

        timestamp: When it happened, in Unix seconds; None is the time of the call.

    Raises:
        ParamError: A value cannot be, or is over a limit.

    """

    tag: ClassVar[str] = "track"

    customer: Identifier
    name: str
    data: Data
    type: EventType
    id: str | None
    timestamp: int | None

    def __init__(
        self,
        customer: Customer,
        name: str,
        data: Data | None = None,
        *,
        type: EventType = "event",  # noqa: A002
        id: str | None = None,  # noqa: A002
        timestamp: Timestamp | None = None,
    ) -> None:
        fields = self.__dict__
        fields["customer"] = _customer(customer, "customer")
        fields["name"] = _event_name(name)
        fields["data"] = _data(data, "data")
        fields["type"] = _event_type(type)
        fields["id"] = None if id is None else valid_id(id, "id")
        fields["timestamp"] = None if timestamp is None else _timestamp(timestamp, "timestamp")

    def __repr__(self) -> str:
        return f"<Track {self.name!r}>"


@dataclass(frozen=True, init=False, repr=False)
class TrackAnonymous(Call):
    """
    Something that somebody did who is not known yet.

    Attributes:
        anonymous_id: Who, until Customer.io learns which person has this ``anonymous_id``. None
            or ``""`` makes an invite event, which needs a ``recipient`` in its data.

        name: As in `Track`, and so are *data*, *type*, *id* and *timestamp*.

    Raises:
        ParamError: A value cannot be, or is over a limit.

    """

    tag: ClassVar[str] = "track"

    anonymous_id: str | None
    name: str
    data: Data
    type: EventType
    id: str | None
    timestamp: int | None

    def __init__(
        self,
        anonymous_id: str | int | UUID | None,
        name: str,
        data: Data | None = None,
        *,
        type: EventType = "event",  # noqa: A002
        id: str | None = None,  # noqa: A002
        timestamp: Timestamp | None = None,
    ) -> None:
        who = None if anonymous_id in (None, "") else _id_text(anonymous_id, "anonymous_id")
        fields = self.__dict__
        fields["anonymous_id"] = who
        fields["name"] = _event_name(name)
        fields["data"] = _data(data, "data")
        fields["type"] = _event_type(type)
        fields["id"] = None if id is None else valid_id(id, "id")
        fields["timestamp"] = None if timestamp is None else _timestamp(timestamp, "timestamp")
        if who is None and not self.data.get("recipient"):
            raise ParamError("recipient", "an invite event needs it in its data")

    def __repr__(self) -> str:
        return f"<TrackAnonymous {self.name!r}>"


@dataclass(frozen=True, init=False, repr=False)
class Delete(Call):
    """
    Delete a person; a later call about the same one makes a new person.
    """

    tag: ClassVar[str] = "delete"

    customer: Identifier

    def __init__(self, customer: Customer) -> None:
        fields = self.__dict__
        fields["customer"] = _customer(customer, "customer")


@dataclass(frozen=True, init=False, repr=False)
class Suppress(Call):
    """
    Delete a person and ignore all later calls about the same one.
    """

    tag: ClassVar[str] = "suppress"

    customer: Identifier

    def __init__(self, customer: Customer) -> None:
        fields = self.__dict__
        fields["customer"] = _customer(customer, "customer")


@dataclass(frozen=True, init=False, repr=False)
class Unsuppress(Call):
    """
    Let a suppressed person be made again.
    """

    tag: ClassVar[str] = "unsuppress"

    customer: Identifier

    def __init__(self, customer: Customer) -> None:
        fields = self.__dict__
        fields["customer"] = _customer(customer, "customer")


@dataclass(frozen=True, init=False, repr=False)
class Merge(Call):
    """
    Merge two people into one; it cannot be undone.

    Attributes:
        primary: The one who stays.

        secondary: The one who is merged away.

    """

    tag: ClassVar[str] = "merge"

    primary: Identifier
    secondary: Identifier

    def __init__(self, primary: Customer, secondary: Customer) -> None:
        fields = self.__dict__
        fields["primary"] = _customer(primary, "primary")
        fields["secondary"] = _customer(secondary, "secondary")


@dataclass(frozen=True, init=False, repr=False)
class AddDevice(Call):
    """
    Add a device to a person, or change it.

    Attributes:
        customer: Who.

        device_id: The device's token.

        platform: ``"ios"`` or ``"android"``.

        data: The device's attributes; ``last_used`` among them is the device's own, a time.

    Raises:
        ParamError: A value cannot be, or is over a limit.

    """

    tag: ClassVar[str] = "add_device"

    customer: Identifier
    device_id: str
    platform: Platform
    data: Data

    def __init__(
        self, customer: Customer, device_id: str, platform: Platform, data: Data | None = None
    ) -> None:
        data = _data(data, "data")
        if data.get("last_used") is not None:
            last_used = _timestamp(cast("Timestamp", data["last_used"]), "last_used")
            data = {**data, "last_used": last_used}
        fields = self.__dict__
        fields["customer"] = _customer(customer, "customer")
        fields["device_id"] = _device_id(device_id)
        fields["platform"] = _platform(platform)
        fields["data"] = data


@dataclass(frozen=True, init=False, repr=False)
class DeleteDevice(Call):
    """
    Take a device from a person.

    Attributes:
        customer: Who.

        device_id: The device's token.

    """

    tag: ClassVar[str] = "delete_device"

    customer: Identifier
    device_id: str

    def __init__(self, customer: Customer, device_id: str) -> None:
        fields = self.__dict__
        fields["customer"] = _customer(customer, "customer")
        fields["device_id"] = _device_id(device_id)


def _customer(value: Customer, param: str) -> Identifier:
    if isinstance(value, Identifier):
        return value
    # Not Identifier(value), whose errors would not name *param*.
    identifier = object.__new__(Identifier)
    fields = identifier.__dict__
    fields["value"] = _id_text(value, param)
    fields["type"] = "id"
    return identifier


def _id_text(value: object, param: str) -> str:
    text = value if type(value) is str else _text_of_id(value, param)
    if not text or text.isspace():
        raise ParamError(param, "must not be blank")
    if text == "." or text == "..":
        raise ParamError(param, 'must not be "." or ".."')
    if not text.isascii() or len(text) > limits.ID_BYTES:
        _check_bytes(text, param, limits.ID_BYTES)
    return text


def _text_of_id(value: object, param: str) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool) or not isinstance(value, (int, UUID)):
        raise ParamError(param, "must be text, an integer or a UUID")
    try:
        return str(value)
    except ValueError:  # over sys.get_int_max_str_digits()
        raise ParamError(param, f"is over {limits.ID_BYTES} bytes", limits.ID_BYTES) from None


def _event_name(name: object) -> str:
    if not isinstance(name, str):
        raise ParamError("name", "must be text")
    text = name.strip()
    if not text:
        raise ParamError("name", "must not be blank")
    if not text.isascii() or len(text) > limits.EVENT_NAME_BYTES:
        _check_bytes(text, "name", limits.EVENT_NAME_BYTES)
    return text


def _event_type(value: EventType) -> EventType:
    if value not in ("event", "page", "screen"):
        raise ParamError("type", 'an event is of the type "event", "page" or "screen"')
    return value


def _check_bytes(text: str, param: str, limit: int) -> None:
    if len(_utf8(text, param)) > limit:
        raise ParamError(param, f"is over {limit} bytes", limit)


def _utf8(text: str, param: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise ParamError(param, "holds a lone surrogate") from None


def _data(data: Data | None, param: str) -> Data:
    if data is None:
        return {}
    if type(data) is not dict and not isinstance(data, Mapping):
        raise ParamError(param, "must be a mapping")
    if len(data) > limits.ATTRIBUTES:
        raise ParamError(param, f"has over {limits.ATTRIBUTES} entries", limits.ATTRIBUTES)
    _check_names(data, param)
    return data


def _check_names(data: Data, param: str) -> None:
    limit = limits.ATTRIBUTE_NAME_BYTES
    try:
        together = "".join(data)
    except TypeError:  # a name that is no text is made one when the call is encoded
        together = "".join(name for name in data if isinstance(name, str))
    if len(together) <= limit and together.isascii():
        return
    for name in data:
        if isinstance(name, str) and len(name.encode("utf-8", "replace")) > limit:
            raise ParamError(param, f"has a name of over {limit} bytes", limit)


def _timestamp(value: Timestamp | None, param: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, date):
        return unix_seconds(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ParamError(param, "must be Unix seconds, a date or a datetime")
    if abs(value) >= _MILLISECONDS_FROM:
        value /= 1000
    if not 0 <= value < _MILLISECONDS_FROM:
        raise ParamError(param, "must be a time in seconds since 1970")
    return int(value)


def _device_id(value: object) -> str:
    if not isinstance(value, str):
        raise ParamError("device_id", "must be text")
    if not value or value.isspace():
        raise ParamError("device_id", "must not be blank")
    if value in (".", ".."):
        raise ParamError("device_id", 'must not be "." or ".."')
    _utf8(value, "device_id")
    return str.__str__(value)


def _platform(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ParamError("platform", "must not be blank")
    if value not in ("ios", "android"):
        raise ParamError("platform", 'must be "ios" or "android"')
    return value
