"""
Calls about people: who they are, what they did, and their devices.

Each log record makes a call, so its fields are set in the instance's dictionary, which takes half
the time of the frozen dataclasses' own way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from cio_events._calls.call import Call, Customer, Identifier, identifier_of
from cio_events._calls.times import Timestamp, valid_time
from cio_events._calls.ulid import valid_id
from cio_events._calls.validation import (
    Data,
    EventType,
    Platform,
    is_a,
    valid_data,
    valid_event_name,
    valid_event_type,
    valid_id_text,
    valid_platform,
    valid_token,
)
from cio_events._exported import exported
from cio_events.errors import ParamError


@exported
@dataclass(frozen=True, init=False, repr=False)
class Identify(Call):
    """
    Create a person, or add to one's attributes.

    Attributes:
        customer: Who.

        attributes: At most 300, of names up to 150 bytes, together 100 000 bytes. A value over
            the vendor's 1 000 bytes is sent, with one warning.

        timestamp: When they were so, in Unix seconds; None is the time of the call. Customer.io
            lets an earlier update not overwrite a later one. Among the attributes it may stand
            as ``_timestamp``.

    Raises:
        ParamError: A value is invalid or over a limit.
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
        fields["customer"] = identifier_of(customer, "customer")
        fields["attributes"] = own = valid_data(attributes, "attributes")
        fields["timestamp"] = valid_time(timestamp, "timestamp")
        if "_timestamp" in own:
            theirs = valid_time(own.pop("_timestamp"), "_timestamp")
            if timestamp is None:
                fields["timestamp"] = theirs


@exported
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
        ParamError: A value is invalid or over a limit.
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
        type: EventType = "event",
        id: str | None = None,
        timestamp: Timestamp | None = None,
    ) -> None:
        fields = self.__dict__
        fields["customer"] = identifier_of(customer, "customer")
        fields["name"] = valid_event_name(name)
        fields["data"] = valid_data(data, "data")
        fields["type"] = valid_event_type(type)
        fields["id"] = None if id is None else valid_id(id, "id")
        fields["timestamp"] = None if timestamp is None else valid_time(timestamp, "timestamp")

    def __repr__(self) -> str:
        return f"<Track {self.name!r}>"


@exported
@dataclass(frozen=True, init=False, repr=False)
class TrackAnonymous(Call):
    """
    Something that somebody did who is not known yet.

    Attributes:
        anonymous_id: Who, until Customer.io learns which person has this ``anonymous_id``. None
            or ``""`` makes an invite event, which needs a ``recipient`` in its data.

        name: As in `Track`, and so are *data*, *type*, *id* and *timestamp*.

    Raises:
        ParamError: A value is invalid or over a limit.
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
        type: EventType = "event",
        id: str | None = None,
        timestamp: Timestamp | None = None,
    ) -> None:
        nobody = anonymous_id is None or (
            is_a(anonymous_id, str) and not str.__len__(anonymous_id)
        )
        who = None if nobody else valid_id_text(anonymous_id, "anonymous_id")
        fields = self.__dict__
        fields["anonymous_id"] = who
        fields["name"] = valid_event_name(name)
        fields["data"] = valid_data(data, "data")
        fields["type"] = valid_event_type(type)
        fields["id"] = None if id is None else valid_id(id, "id")
        fields["timestamp"] = None if timestamp is None else valid_time(timestamp, "timestamp")
        if who is None:
            recipient = self.data.get("recipient")
            if not is_a(recipient, str) or not str.strip(recipient):
                raise ParamError("recipient", "an invite event needs it in its data, as text")

    def __repr__(self) -> str:
        return f"<TrackAnonymous {self.name!r}>"


@exported
@dataclass(frozen=True, init=False, repr=False)
class Delete(Call):
    """Delete a person; a later call about the same one makes a new person."""

    tag: ClassVar[str] = "delete"

    customer: Identifier

    def __init__(self, customer: Customer) -> None:
        fields = self.__dict__
        fields["customer"] = identifier_of(customer, "customer")


@exported
@dataclass(frozen=True, init=False, repr=False)
class Suppress(Call):
    """Delete a person and ignore all later calls about the same one."""

    tag: ClassVar[str] = "suppress"

    customer: Identifier

    def __init__(self, customer: Customer) -> None:
        fields = self.__dict__
        fields["customer"] = identifier_of(customer, "customer")


@exported
@dataclass(frozen=True, init=False, repr=False)
class Unsuppress(Call):
    """Let a suppressed person be made again."""

    tag: ClassVar[str] = "unsuppress"

    customer: Identifier

    def __init__(self, customer: Customer) -> None:
        fields = self.__dict__
        fields["customer"] = identifier_of(customer, "customer")


@exported
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
        fields["primary"] = _not_by_phone(identifier_of(primary, "primary"), "primary")
        fields["secondary"] = _not_by_phone(identifier_of(secondary, "secondary"), "secondary")


@exported
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
        ParamError: A value is invalid or over a limit.
    """

    tag: ClassVar[str] = "add_device"

    customer: Identifier
    device_id: str
    platform: Platform
    data: Data

    def __init__(
        self, customer: Customer, device_id: str, platform: Platform, data: Data | None = None
    ) -> None:
        fields = self.__dict__
        fields["customer"] = identifier_of(customer, "customer")
        fields["device_id"] = valid_token(device_id, "device_id")
        fields["platform"] = valid_platform(platform)
        fields["data"] = own = valid_data(data, "data")
        if "last_used" in own:
            own["last_used"] = valid_time(own["last_used"], "last_used")


@exported
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
        fields["customer"] = identifier_of(customer, "customer")
        fields["device_id"] = valid_token(device_id, "device_id")


def _not_by_phone(who: Identifier, param: str) -> Identifier:
    if who.type == "phone":
        raise ParamError(param, "a merge cannot name a person by phone")
    return who
