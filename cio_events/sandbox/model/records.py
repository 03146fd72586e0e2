"""
What the sandbox knows, as plain data: people, devices, objects, events, metrics, messages.

A record is its reader's to keep. The JSON in it (the values of attributes, the data of an event,
the body of a request) is shared with the sandbox and is not to be changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from cio_events.sandbox.model.explanations import Explanation

Verdict: TypeAlias = Literal["accepted", "refused", "repeated", "ignored"]


@dataclass(slots=True)
class PersonDevice:
    """A device of a person, by its token."""

    token: str
    platform: str
    last_used: int
    """Unix seconds: as sent, else the time of the request."""
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Relationship:
    """One person and one object that belong together."""

    object_type_id: str
    object_id: str
    cio_id: str
    customer: str
    """The person: the id, else the e-mail address, else the ``cio_id``."""
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Person:
    """A person as Customer.io would show them."""

    cio_id: str
    """Made by the sandbox when the person is first heard of; never changes."""
    id: str | None = None
    email: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    """What was set and not removed since; passing ``None`` or ``""`` removes an attribute."""
    timestamps: dict[str, int] = field(default_factory=dict)
    """Attribute → unix seconds of the update that holds; an older update does not replace it."""
    sources: dict[str, int] = field(default_factory=dict)
    """Attribute → the number of the request that set it."""
    devices: dict[str, PersonDevice] = field(default_factory=dict)
    """By token."""
    relationships: list[Relationship] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    """The manual segments that the person was added to."""
    merged: list[str] = field(default_factory=list)
    """The names of those who were merged into this person."""
    suppressed: bool = False
    """Deleted and kept out: calls that name this person are accepted and ignored."""
    workspace: str = ""
    """Whose: the site id of the calls that made this person."""

    @property
    def name(self) -> str:
        """What to call this person: the id, else the e-mail address, else the ``cio_id``."""
        return self.id or self.email or self.cio_id


@dataclass(slots=True)
class CustomObject:
    """An object: anything but a person that people are related to."""

    object_type_id: str
    object_id: str
    cio_object_id: str
    attributes: dict[str, Any] = field(default_factory=dict)
    relationships: list[Relationship] = field(default_factory=list)
    anonymous_ids: list[str] = field(default_factory=list)
    """Those related to it who are not known yet."""
    workspace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event, page view or screen view that was accepted and was no repeat."""

    name: str
    type: str
    """``event``, ``page`` or ``screen``."""
    data: dict[str, Any]
    timestamp: int
    """Unix seconds: as sent, else the time of arrival."""
    id: str | None = None
    """The ULID (or whatever was sent in its place) that repeats are known by."""
    anonymous_id: str | None = None
    customer: str | None = None
    """Whose: the id, else the e-mail address, else the ``cio_id``; ``None`` while anonymous."""
    cio_id: str | None = None
    order: int = 0
    """The place in the order of arrival, from 0."""
    workspace: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """What became of a delivery, as reported by a client."""

    delivery_id: str
    metric: str
    timestamp: int | None
    """Unix seconds, if they were reported."""
    details: dict[str, Any]
    """What else was reported: ``recipient``, ``reason``, ``href``, ``device_token``."""
    workspace: str = ""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A transactional message in the outbox: accepted, and sent to nobody."""

    kind: str
    """``email``, ``push``, ``sms``, ``whatsapp``, ``inbox_message`` or ``in_app``."""
    delivery_id: str
    queued_at: int
    """Unix seconds."""
    fields: dict[str, Any]
    """Every field as sent, but for the attachments."""
    attachments: dict[str, bytes] = field(default_factory=dict)
    """Name → content, decoded from Base64."""
    workspace: str = ""
    """Whose: the last four characters of the App API key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What became of one call: a request has one, a batch has one for each operation."""

    kind: str
    """What was asked: ``identify``, ``event``, ``email``, …"""
    verdict: Verdict
    customer: str | None = None
    """Whom it names, as it was sent."""
    name: str | None = None
    """The event's name."""
    id: str | None = None
    """The event's id, by which repeats are known."""
    timestamp: int | None = None
    """Unix seconds of the log call, as sent."""
    findings: tuple[Explanation, ...] = ()
    """Why it was refused; or, where it was accepted, what is not as was meant."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as it arrived, and its answer. It never holds credentials."""

    index: int
    """The place in the order of arrival, from 0."""
    time: float
    """Unix seconds of its arrival."""
    method: str
    path: str
    """As it came: still percent-encoded, with the query."""
    headers: dict[str, str]
    """Names in lower case; without ``authorization`` and whatever else carries credentials."""
    body: Any
    """The parsed JSON; the text if it is none; ``None`` without a body."""
    status: int | None = None
    """``None`` while there is no answer, and for ever when the connection was dropped."""
    answer: Any = None
    """The parsed JSON, or the text."""
    items: tuple[Item, ...] = ()
    """The calls in it, in their order."""
    size: int = 0
    """The body's bytes."""
    seconds: float | None = None
    """From its arrival to its answer."""
    workspace: str | None = None
    """
    The site id, or the last four characters of the App API key; empty where the path asks for no
    credentials and none came, ``None`` for credentials that are not let in.
    """
