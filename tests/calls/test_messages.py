"""Transactional messages: their fields, and the form in which they wait."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import orjson
import pytest

from cio_events import (
    Device,
    Identifier,
    ParamError,
    SendEmail,
    SendInApp,
    SendInboxMessage,
    SendPush,
    SendSMS,
    SendWhatsApp,
)
from cio_events._calls.messages import Message
from cio_events._wire import app, envelope
from cio_events._wire.encode import call_of, customers_of, encode

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
NOW = 1_704_067_200_123  # milliseconds

# A message of each kind with nothing but what it needs.
NEEDED: dict[type[Message], dict[str, object]] = {
    SendEmail: {"to": "lucy@example.com", "identifiers": "5"},
    **{
        kind: {"transactional_message_id": 3, "identifiers": "5"}
        for kind in (SendPush, SendSMS, SendWhatsApp, SendInboxMessage, SendInApp)
    },
}

EACH = pytest.mark.parametrize("kind", NEEDED)

SHARED = {
    "transactional_message_id": "welcome",
    "identifiers": {"email": "lucy@example.com"},
    "message_data": {"name": "Lucy"},
    "send_at": 1_700_000_000,
    "language": "fr",
    "disable_message_retention": True,
    "queue_draft": True,
    "auto_create": True,
}

# Every field that the vendor has, as it is on the wire.
ALL = {
    SendEmail: {
        **SHARED,
        "to": "lucy@example.com",
        "from": "shop@example.com",
        "reply_to": "help@example.com",
        "cc": "a@example.com",
        "bcc": "b@example.com",
        "fake_bcc": True,
        "subject": "Your order",
        "preheader": "It is on its way",
        "body": "<p>Hello</p>",
        "body_plain": "Hello",
        "body_amp": "<html amp4email>",
        "headers": {"X-Shop": "1"},
        "attachments": {"a.txt": "aGVsbG8="},
        "tracked": True,
        "send_to_unsubscribed": True,
        "disable_css_preprocessing": True,
    },
    SendPush: {
        **SHARED,
        "to": "last_used",
        "title": "Your order",
        "message": "It is on its way",
        "image_url": "https://example.com/a.png",
        "link": "shop://orders/1",
        "sound": "default",
        "custom_data": {"order": "1"},
        "custom_payload": {"ios": {"aps": {}}},
        "custom_device": {
            "platform": "ios",
            "token": "t",
            "last_used": 1_700_000_000,
            "attributes": {"app_version": "2"},
        },
        "send_to_unsubscribed": True,
    },
    SendSMS: {
        **SHARED,
        "to": "+15551234567",
        "from": "+15557654321",
        "tracked": True,
        "send_to_unsubscribed": True,
    },
    SendWhatsApp: {
        **SHARED,
        "to": "+15551234567",
        "from": "+15557654321",
        "tracked": True,
        "send_to_unsubscribed": True,
    },
    SendInboxMessage: {**SHARED, "to": "lucy@example.com"},
    SendInApp: SHARED,
}


def made(kind: type[Message], wire: dict[str, object]) -> Message:
    """The message that has these fields on the wire."""
    values = {("from_" if name == "from" else name): value for name, value in wire.items()}
    if "identifiers" in values:
        values["identifiers"] = Identifier("lucy@example.com", "email")
    if "custom_device" in values:
        values["custom_device"] = Device(
            "t", "ios", {"last_used": 1_700_000_000, "app_version": "2"}
        )
    return kind(**values)


def body_of(message: Message) -> dict[str, object]:
    """What is sent of a message."""
    body = app.request(message).body
    assert body is not None
    return orjson.loads(body)


class TestFields:
    @EACH
    def test_what_is_unset_is_left_out(self, kind: type[Message]) -> None:
        """The template's own values count then."""
        sent = body_of(kind(**NEEDED[kind]))

        assert sent == {**NEEDED[kind], "identifiers": {"id": "5"}}

    @EACH
    def test_all_that_is_set_is_sent(self, kind: type[Message]) -> None:
        """Every field, by the vendor's name."""
        assert body_of(made(kind, ALL[kind])) == ALL[kind]
        assert {field.name.rstrip("_") for field in fields(kind)} == set(ALL[kind])

    @EACH
    def test_false_zero_and_empty_are_sent(self, kind: type[Message]) -> None:
        """They are no absence."""
        empty: dict[str, object] = {}
        for name, value in ALL[kind].items():
            if isinstance(value, bool):
                empty[name] = False
            elif isinstance(value, str) and name != "transactional_message_id":
                empty[name] = ""
            elif isinstance(value, dict) and name not in ("identifiers", "custom_device"):
                empty[name] = {}
        empty["transactional_message_id"] = 0
        empty["send_at"] = 0
        message = made(kind, {**ALL[kind], **empty})

        assert body_of(message) == {**ALL[kind], **empty}

    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ("5", {"id": "5"}),
            (5, {"id": "5"}),
            (Identifier("lucy@example.com", "email"), {"email": "lucy@example.com"}),
            (Identifier("a1", "cio_id"), {"cio_id": "a1"}),
        ],
    )
    def test_identifiers(self, given: object, sent: dict[str, str]) -> None:
        """A plain value means the id."""
        message = SendPush(transactional_message_id=3, identifiers=given)

        assert body_of(message)["identifiers"] == sent

    def test_times_become_unix_seconds(self) -> None:
        """Of any zone, and out of milliseconds."""
        there = timezone(timedelta(hours=-5))
        for when in (
            datetime(2023, 11, 14, 17, 13, 20, tzinfo=there),
            datetime(2023, 11, 14, 22, 13, 20),  # noqa: DTZ001 - naive is UTC
            1_700_000_000_000,
        ):
            message = SendInApp(transactional_message_id=3, identifiers="5", send_at=when)
            assert body_of(message)["send_at"] == 1_700_000_000

    def test_message_data_may_hold_any_value(self) -> None:
        """As in events."""
        data = {"price": Decimal("13.99"), "at": datetime(2024, 1, 1, tzinfo=timezone.utc), 5: {1}}
        message = SendEmail(to="a@b.c", identifiers="5", message_data=data)

        assert body_of(message)["message_data"] == {"price": 13.99, "at": 1704067200, "5": [1]}

    def test_a_message_stays_as_it_was_made(self) -> None:
        """Whatever becomes of the data that it was made of, and nobody changes it."""
        data = {"name": "Lucy"}
        message = SendEmail(to="a@b.c", identifiers="5", message_data=data)
        data["name"] = "Someone"

        assert body_of(message)["message_data"] == {"name": "Lucy"}
        with pytest.raises(FrozenInstanceError):
            message.to = "someone@example.com"

    def test_headers_may_be_the_text_of_the_schema(self) -> None:
        """It is sent as it is."""
        text = '[{"name":"X-Shop","value":"1"}]'

        assert body_of(SendEmail(to="a", identifiers="5", headers=text))["headers"] == text

    @pytest.mark.parametrize(
        ("field", "value", "param"),
        [
            ("to", 5, "to"),
            ("from_", b"a@b.c", "from"),
            ("tracked", 1, "tracked"),
            ("tracked", "yes", "tracked"),
            ("subject", ["a"], "subject"),
            ("identifiers", "", "identifiers"),
            ("identifiers", True, "identifiers"),
            ("identifiers", {"id": "5", "email": "a@b.c"}, "identifiers"),
            ("transactional_message_id", True, "transactional_message_id"),
            ("transactional_message_id", " ", "transactional_message_id"),
            ("transactional_message_id", 1.5, "transactional_message_id"),
            ("message_data", [1], "message_data"),
            ("send_at", "now", "send_at"),
            ("send_at", -1, "send_at"),
            ("headers", {"X-Shop": 1}, "headers"),
            ("headers", 5, "headers"),
            ("attachments", ["a"], "attachments"),
            ("attachments", {"a.txt": b"aGk="}, "attachments"),
            ("attachments", {"a.txt": "not Base64!"}, "attachments"),
        ],
    )
    def test_what_cannot_be_is_refused(self, field: str, value: object, param: str) -> None:
        """When the message is made, with the name of the parameter."""
        with pytest.raises(ParamError) as raised:
            SendEmail(**{"to": "lucy@example.com", "identifiers": "5", field: value})

        assert raised.value.param == param
        assert "lucy" not in str(raised.value)

    @EACH
    def test_what_is_needed_must_be_there(self, kind: type[Message]) -> None:
        """It is named."""
        for name in NEEDED[kind]:
            with pytest.raises(ParamError) as raised:
                kind(**{**NEEDED[kind], name: None})
            assert raised.value.param == name

    @EACH
    def test_a_repr_shows_nothing_personal(self, kind: type[Message]) -> None:
        """Neither addresses, nor bodies, nor attachments; but the template."""
        assert repr(made(kind, ALL[kind])) == f"<{kind.__name__} 'welcome' by email>"


class TestDevice:
    @pytest.mark.parametrize(
        ("arguments", "param"),
        [
            (("", "ios"), "token"),
            (("..", "ios"), "token"),
            ((5, "ios"), "token"),
            (("t", ""), "platform"),
            (("t", "windows"), "platform"),
            (("t", "ios", [1]), "data"),
            (("t", "ios", {"last_used": "now"}), "last_used"),
            (("t", "ios", {"x" * 151: 1}), "data"),
        ],
    )
    def test_is_checked_as_the_devices_of_people_are(
        self, arguments: tuple[object, ...], param: str
    ) -> None:
        """With the name of the parameter."""
        with pytest.raises(ParamError) as raised:
            Device(*arguments)

        assert raised.value.param == param

    def test_a_push_takes_no_other(self) -> None:
        """Such as the mapping that it becomes."""
        with pytest.raises(ParamError) as raised:
            SendPush(
                transactional_message_id=3,
                identifiers="5",
                custom_device={"token": "t", "platform": "ios"},
            )

        assert raised.value.param == "custom_device"

    def test_its_repr_has_no_token(self) -> None:
        """Who has it can send pushes."""
        assert repr(Device("hunter2", "ios")) == "<Device ios>"


class TestWaiting:
    @EACH
    def test_a_message_is_made_again_of_what_waits(self, kind: type[Message]) -> None:
        """It is sent as it would have been at once."""
        message = made(kind, ALL[kind])
        waiting = encode(message, ULID, NOW, "v2")

        assert call_of(waiting) == message
        assert app.request_of(envelope.body_of(waiting)) == app.request(message)
        assert customers_of(waiting) == ("lucy@example.com",)

    def test_a_waiting_message_has_a_key_for_its_order(self) -> None:
        """The one that the same person's other calls have."""
        for who, key in (
            ("5", "5"),
            (Identifier("a1", "cio_id"), "cio_a1"),
            (Identifier("cio_a1", "cio_id"), "cio_a1"),
        ):
            message = SendInApp(transactional_message_id=3, identifiers=who)
            assert customers_of(encode(message, ULID, NOW, "v2")) == (key,)

    def test_the_base_is_no_message(self) -> None:
        """Nor is a message of somebody's own making."""

        class SendPigeon(SendSMS):
            pass

        for kind in (Message, SendPigeon):
            with pytest.raises(ParamError, match="call"):
                encode(kind(transactional_message_id=3, identifiers="5"), ULID, NOW, "v2")
