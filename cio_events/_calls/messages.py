"""
Transactional messages: e-mails, pushes and the others that go through the App API.

A message is a call, and valid from the moment it is made. What is not given is left out of the
request; what is given is sent, ``False``, ``0`` and ``""`` too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import ClassVar

from cio_events._calls.attachments import Content, valid_attachments, with_attachment
from cio_events._calls.call import Call, Customer, identifier_of
from cio_events._calls.times import Timestamp, valid_time
from cio_events._calls.validation import (
    Data,
    Platform,
    is_a,
    valid_data,
    valid_flag,
    valid_mapping,
    valid_platform,
    valid_text,
    valid_token,
)
from cio_events._exported import exported
from cio_events.errors import ParamError


@exported
@dataclass(frozen=True, slots=True)
class Receipt:
    """
    What Customer.io gives for a message that it has accepted.

    Attributes:
        delivery_id: Customer.io's id of the delivery.

        queued_at: When it was accepted, in UTC; None if Customer.io did not say.
    """

    delivery_id: str
    queued_at: datetime | None = None


@exported
@dataclass(frozen=True, init=False, repr=False)
class Device:
    """
    A device that a push adds to the person, or changes, when it is sent.

    Attributes:
        token: The device's token.

        platform: ``"ios"`` or ``"android"``.

        data: The device's attributes; ``last_used`` among them is the device's own, a time.

    Raises:
        ParamError: A value is invalid or over a limit.
    """

    token: str
    platform: Platform
    data: Data

    def __init__(self, token: str, platform: Platform, data: Data | None = None) -> None:
        own = valid_data(data, "data")
        if "last_used" in own:
            own["last_used"] = valid_time(own["last_used"], "last_used")
        self.__dict__.update(
            token=valid_token(token, "token"), platform=valid_platform(platform), data=own
        )

    def __repr__(self) -> str:
        return f"<Device {self.platform}>"


@exported
@dataclass(frozen=True, kw_only=True, repr=False)
class Message(Call):
    """
    The base of all transactional messages, with what they have in common.

    Attributes:
        transactional_message_id: The template, by its number or its trigger name.

        identifiers: Who gets it; a plain text, integer or UUID means the id.

        message_data: What the template's ``{{trigger.…}}`` stands for.

        send_at: When to send it, up to 90 days from now; None is now.

        language: A language code, which goes before the person's own language.

        disable_message_retention: Whether Customer.io forgets the message's body.

        queue_draft: Whether it is kept as a draft instead of being sent.

        auto_create: Whether an unknown trigger name makes an empty template of that name.

    Raises:
        ParamError: A value is invalid or over a limit; it names the parameter.
    """

    transactional_message_id: int | str | None = None
    identifiers: Customer | None = None
    message_data: Data | None = None
    send_at: Timestamp | None = None
    language: str | None = None
    disable_message_retention: bool | None = None
    queue_draft: bool | None = None
    auto_create: bool | None = None

    # What the vendor's schema of each message requires.
    _required: ClassVar[tuple[str, ...]] = ("transactional_message_id", "identifiers")

    def __post_init__(self) -> None:
        for given in fields(self):
            value = getattr(self, given.name)
            if value is not None:
                param = given.name.rstrip("_")
                self.__dict__[given.name] = _CHECKS[given.name](value, param)
        for name in self._required:
            if getattr(self, name) is None:
                raise ParamError(name, "is missing")


@exported
@dataclass(frozen=True, kw_only=True, repr=False)
class SendEmail(Message):
    """
    An e-mail, with what all messages have (`Message`) and these.

    Attributes:
        to: The recipients, separated by commas; ``to``, ``cc`` and ``bcc`` hold 15 at the most.

        from_: The sender, instead of the template's.

        reply_to: Where answers go, if not to the sender.

        cc: Recipients that everybody sees.

        bcc: Recipients that nobody sees.

        fake_bcc: Whether those of *bcc* get a copy that says whom it was for.

        subject: Instead of the template's.

        preheader: What a mail program shows beside the subject.

        body: HTML, instead of the template's.

        body_plain: The same as plain text.

        body_amp: The same as AMP.

        headers: More headers, by name; or the JSON text that Customer.io's schema describes.

        attachments: Contents in Base64 by file name; `attach` is the easier way.

        tracked: Whether opens and clicks are tracked.

        send_to_unsubscribed: Whether a person who has unsubscribed gets it.

        disable_css_preprocessing: Whether style sheets are left as they are.
    """

    tag: ClassVar[str] = "send_email"

    to: str | None = None
    from_: str | None = None
    reply_to: str | None = None
    cc: str | None = None
    bcc: str | None = None
    fake_bcc: bool | None = None
    subject: str | None = None
    preheader: str | None = None
    body: str | None = None
    body_plain: str | None = None
    body_amp: str | None = None
    headers: Mapping[str, str] | str | None = None
    attachments: Mapping[str, str] | None = None
    tracked: bool | None = None
    send_to_unsubscribed: bool | None = None
    disable_css_preprocessing: bool | None = None

    _required: ClassVar[tuple[str, ...]] = ("to", "identifiers")

    def attach(self, name: str, data: Content) -> None:
        """
        Attach a file; the only way in which a message changes.

        Args:
            name: The file's name, with its extension.

            data: Its content. A file is read from where it stands, in pieces, and is not closed.

        Raises:
            AttachmentExistsError: There is one of that name already, and it stays.
            ParamError: *name* or *data* is invalid, or all attachments together are over 2 MB.
            OSError: The file cannot be read; the message is as it was.
        """
        self.__dict__["attachments"] = with_attachment(self.attachments or {}, name, data)


@exported
@dataclass(frozen=True, kw_only=True, repr=False)
class SendPush(Message):
    """
    A push notification, with what all messages have (`Message`) and these.

    Attributes:
        to: ``"all"`` devices, the one ``"last_used"``, or a device's token.

        title: Instead of the template's.

        message: The text, instead of the template's.

        image_url: A picture to show.

        link: What a tap opens.

        sound: ``"default"`` or ``"none"``; for iOS.

        custom_data: More keys of the payload.

        custom_payload: The whole payload, as the push service of each platform wants it.

        custom_device: A device to add to the person, or to change.

        send_to_unsubscribed: Whether a person who has unsubscribed gets it.
    """

    tag: ClassVar[str] = "send_push"

    to: str | None = None
    title: str | None = None
    message: str | None = None
    image_url: str | None = None
    link: str | None = None
    sound: str | None = None
    custom_data: Data | None = None
    custom_payload: Data | None = None
    custom_device: Device | None = None
    send_to_unsubscribed: bool | None = None


@exported
@dataclass(frozen=True, kw_only=True, repr=False)
class SendSMS(Message):
    """
    A text message, with what all messages have (`Message`) and these.

    Attributes:
        to: The phone number, such as ``+15551234567``; None is what the template says.

        from_: The sender, instead of the template's.

        tracked: Whether clicks are tracked.

        send_to_unsubscribed: Whether a person who has unsubscribed gets it.
    """

    tag: ClassVar[str] = "send_sms"

    to: str | None = None
    from_: str | None = None
    tracked: bool | None = None
    send_to_unsubscribed: bool | None = None


@exported
@dataclass(frozen=True, kw_only=True, repr=False)
class SendWhatsApp(Message):
    """
    A WhatsApp message, with what all messages have (`Message`) and these.

    Attributes:
        to: The phone number, such as ``+15551234567``; None is what the template says.

        from_: The sender, instead of the template's.

        tracked: Whether clicks are tracked.

        send_to_unsubscribed: Whether a person who has unsubscribed gets it.
    """

    tag: ClassVar[str] = "send_whatsapp"

    to: str | None = None
    from_: str | None = None
    tracked: bool | None = None
    send_to_unsubscribed: bool | None = None


@exported
@dataclass(frozen=True, kw_only=True, repr=False)
class SendInboxMessage(Message):
    """
    A message to the inbox in the application, with what all messages have (`Message`) and these.

    Attributes:
        to: Another recipient than the person; seldom needed.
    """

    tag: ClassVar[str] = "send_inbox_message"

    to: str | None = None


@exported
@dataclass(frozen=True, kw_only=True, repr=False)
class SendInApp(Message):
    """A message that the application shows while it is in use, with what all messages have."""

    tag: ClassVar[str] = "send_in_app"


def _template(value: object, param: str) -> int | str:
    if is_a(value, str):
        if not str.strip(value):
            raise ParamError(param, "must not be blank")
        return str.__str__(value)
    if is_a(value, bool) or not is_a(value, int):
        raise ParamError(param, "must be a number or a trigger name")
    return int.__int__(value)


def _headers(value: object, param: str) -> dict[str, str] | str:
    if is_a(value, str):
        return str.__str__(value)
    headers = valid_mapping(value, param)
    return {valid_text(name, param): valid_text(text, param) for name, text in headers.items()}


def _device(value: object, param: str) -> Device:
    if not is_a(value, Device):
        raise ParamError(param, "must be a Device")
    return value


_CHECKS: dict[str, Callable[[object, str], object]] = {
    "transactional_message_id": _template,
    "identifiers": identifier_of,  # type: ignore[dict-item]  # it checks the type as well
    "send_at": valid_time,
    "headers": _headers,
    "attachments": valid_attachments,
    "custom_device": _device,
    **dict.fromkeys(("message_data", "custom_data", "custom_payload"), valid_mapping),
    **dict.fromkeys(
        (
            "auto_create",
            "disable_css_preprocessing",
            "disable_message_retention",
            "fake_bcc",
            "queue_draft",
            "send_to_unsubscribed",
            "tracked",
        ),
        valid_flag,
    ),
    **dict.fromkeys(
        (
            "bcc",
            "body",
            "body_amp",
            "body_plain",
            "cc",
            "from_",
            "image_url",
            "language",
            "link",
            "message",
            "preheader",
            "reply_to",
            "sound",
            "subject",
            "title",
            "to",
        ),
        valid_text,
    ),
}
