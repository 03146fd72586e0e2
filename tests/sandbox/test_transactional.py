"""The sandbox takes transactional messages as the App API does, and keeps them in an outbox."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
import requests

from tests.sandbox.asking import Api, raw

KINDS = ("email", "push", "sms", "whatsapp", "inbox_message", "in_app")
EMAIL: dict[str, Any] = {
    "transactional_message_id": 44,
    "to": "lucy@example.com",
    "identifiers": {"id": "5"},
}
PUSH: dict[str, Any] = {"transactional_message_id": 44, "identifiers": {"id": "5"}}


# The schema's example of each kind, the e-mail's attachments being real Base64 here. It has no
# WhatsApp message; the vendor's Python client 3.2 sends these fields.
EXAMPLES: dict[str, dict[str, Any]] = {
    "email": {
        "transactional_message_id": 44,
        "to": "cool.person@example.com",
        "from": "override-templated-address@example.com",
        "subject": "Order receipt",
        "identifiers": {"email": "cool.person@example.com"},
        "message_data": {
            "password_reset_token": "abcde-12345-fghij-d888",
            "account_id": "123dj",
        },
        "attachments": {"file1.csv": "YSxi", "file2.pdf": "JVBERg=="},
        "headers": {"X-Mailgun-Tag": "my-cool-tag"},
        "bcc": "bcc@example.com",
        "disable_message_retention": False,
        "send_to_unsubscribed": True,
        "tracked": True,
        "queue_draft": False,
        "disable_css_preprocessing": True,
    },
    "push": {
        "transactional_message_id": 44,
        "title": "Did you really login from a new location?",
        "identifiers": {"id": 12345},
        "message_data": {
            "password_reset_token": "abcde-12345-fghij-d888",
            "account_id": "123dj",
        },
    },
    "sms": {
        "transactional_message_id": "confirmation code",
        "to": "+15559876543",
        "from": "+15551234567",
        "identifiers": {"id": "123456"},
        "message_data": {"confirmation_code": "123456", "account_name": "Jane Doe"},
    },
    "whatsapp": {
        "transactional_message_id": "confirmation code",
        "to": "+15559876543",
        "identifiers": {"id": "123456"},
        "message_data": {"confirmation_code": "123456"},
    },
    "inbox_message": {
        "transactional_message_id": "order_shipped",
        "identifiers": {"id": "user_123"},
        "message_data": {
            "order_id": "ORD-5678",
            "tracking_url": "https://track.example.com/5678",
            "product_name": "Blue Widget",
            "product_image": "https://cdn.example.com/widget.jpg",
        },
    },
    "in_app": {
        "transactional_message_id": "order_confirmation",
        "identifiers": {"id": "user_123"},
        "message_data": {
            "order_id": "ORD-5678",
            "tracking_url": "https://track.example.com/5678",
        },
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_schemas_examples_are_taken(api: Api, kind: str) -> None:
    """Each is queued, answered with a receipt, and found in the outbox as it was sent."""
    before = int(time.time())
    answer = api.message(kind, **EXAMPLES[kind])

    assert answer.status_code == 200
    assert set(answer.json()) == {"delivery_id", "queued_at"}
    assert before <= answer.json()["queued_at"] <= time.time()
    (message,) = api.sandbox.messages
    assert (message.kind, message.delivery_id) == (kind, answer.json()["delivery_id"])
    sent = {name: value for name, value in EXAMPLES[kind].items() if name != "attachments"}
    assert message.fields == sent


def test_attachments_are_decoded(api: Api) -> None:
    """In Python they are bytes; in the view they have a name, a size and Base64."""
    content = bytes(range(256))
    encoded = base64.b64encode(content).decode()
    api.message("email", **EMAIL, attachments={"bytes.bin": encoded, "empty.txt": ""})

    (message,) = api.sandbox.messages
    assert message.attachments == {"bytes.bin": content, "empty.txt": b""}
    (shown,) = api.get("/sandbox/messages").json()
    assert shown == {
        "kind": "email",
        "delivery_id": message.delivery_id,
        "queued_at": message.queued_at,
        "workspace": "-key",
        "fields": EMAIL,
        "attachments": [
            {"name": "bytes.bin", "size": 256, "base64": encoded},
            {"name": "empty.txt", "size": 0, "base64": ""},
        ],
    }


# Every field that the vendor's clients know, with a value of its type.
SHARED = {
    "message_data": {"x": 1},
    "send_at": 1700000000,
    "queue_draft": False,
    "language": "en",
    "auto_create": True,
}
RETENTION = {"disable_message_retention": True, "send_to_unsubscribed": False}
ALL_FIELDS: dict[str, dict[str, Any]] = {
    "email": {
        **RETENTION,
        "from": "a@example.com",
        "reply_to": "b@example.com",
        "cc": "c@example.com",
        "bcc": "d@example.com",
        "fake_bcc": False,
        "subject": "s",
        "preheader": "p",
        "body": "<b>",
        "body_plain": "b",
        "body_amp": "<html amp4email>",
        "headers": '[{"name":"X-Tag","value":"tag"}]',
        "attachments": {},
        "tracked": False,
        "disable_css_preprocessing": False,
    },
    "push": {
        **RETENTION,
        "to": "last_used",
        "title": "t",
        "message": "m",
        "image_url": "https://example.com/i.png",
        "link": "app://x",
        "sound": "none",
        "custom_data": {"x": "y"},
        "custom_payload": {"ios": {}},
        "custom_device": {"token": "t", "platform": "ios"},
    },
    "sms": {**RETENTION, "from": "+15551234567", "tracked": False},
    "whatsapp": {**RETENTION, "tracked": False},
    "inbox_message": {"to": "x"},
    "in_app": {},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_known(api: Api, kind: str) -> None:
    """Null is the same as unset; false, 0 and the empty text are values."""
    fields = {**EXAMPLES[kind], **SHARED, **ALL_FIELDS[kind]}
    assert api.message(kind, **fields).status_code == 200
    assert api.message(kind, **EXAMPLES[kind], language=None).status_code == 200

    known, without_null = api.sandbox.messages
    assert set(known.fields) == set(fields) - {"attachments"}
    assert "language" not in without_null.fields


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("email", {**EMAIL, "to": None}, "to is required"),
        ("email", {**EMAIL, "to": ""}, "to is required"),
        ("email", {**EMAIL, "identifiers": None}, "identifiers is required"),
        ("email", {**EMAIL, "subjekt": "x"}, "subjekt is not a field of this message"),
        ("email", {**EMAIL, "tracked": "yes"}, "tracked must be true or false"),
        ("email", {**EMAIL, "send_at": "now"}, "send_at must be an integer"),
        ("email", {**EMAIL, "send_at": True}, "send_at must be an integer"),
        ("email", {**EMAIL, "message_data": []}, "message_data must be an object"),
        ("email", {**EMAIL, "to": ["a@example.com"]}, "to must be a string"),
        ("email", {**EMAIL, "headers": 5}, "headers must be an object, or a string of JSON"),
        ("email", {**EMAIL, "attachments": {"a.txt": "%"}}, "attachments.a.txt is not Base64"),
        ("email", {**EMAIL, "attachments": {"a.txt": 5}}, "attachments.a.txt is not Base64"),
        (
            "email",
            {**EMAIL, "transactional_message_id": " "},
            "transactional_message_id must be the id or the trigger name of a message",
        ),
        (
            "email",
            {**EMAIL, "identifiers": {"id": "5", "email": "a@b"}},
            "identifiers must hold exactly one of id, email, cio_id",
        ),
        ("email", {**EMAIL, "identifiers": {}}, "identifiers must hold exactly one of"),
        ("email", {**EMAIL, "identifiers": {"id": ""}}, "identifiers.id must not be blank"),
        (
            "email",
            {**EMAIL, "bcc": ",".join(f"{n}@example.com" for n in range(15))},
            "to, cc and bcc hold more than 15 recipients",
        ),
        ("push", {"identifiers": {"id": "5"}}, "transactional_message_id is required"),
        ("push", {"transactional_message_id": 44}, "identifiers is required"),
        ("push", {**PUSH, "custom_device": {"token": "t"}}, "device.platform is required"),
        ("push", {**PUSH, "subject": "x"}, "subject is not a field of this message"),
        ("in_app", {**PUSH, "to": "x"}, "to is not a field of this message"),
    ],
)
def test_what_customer_io_refuses_is_refused(
    api: Api, kind: str, fields: dict[str, Any], message: str
) -> None:
    """One problem comes as `meta.error`, and nothing is sent."""
    answer = api.message(kind, **fields)

    assert answer.status_code == 400
    assert answer.json()["meta"]["error"].startswith(message)
    assert api.sandbox.messages == []
    assert api.sandbox.people == []


def test_several_problems_come_together(api: Api) -> None:
    """They are a list, `meta.errors`."""
    answer = api.message("email", subject="Hello", tracked=1)

    assert answer.status_code == 400
    assert answer.json() == {
        "meta": {
            "errors": [
                "to is required",
                "identifiers is required",
                "from is required",
                "body is required",
                "tracked must be true or false",
            ]
        }
    }


def test_an_email_without_a_template_brings_its_content(api: Api) -> None:
    """Sender, subject and body stand in for the template."""
    content = {"from": "a@example.com", "subject": "Hello", "body": "<p>Hello"}
    own = {"to": "lucy@example.com", "identifiers": {"email": "lucy@example.com"}, **content}
    assert api.message("email", **own).status_code == 200

    for name in content:
        without = {key: value for key, value in own.items() if key != name}
        answer = api.message("email", **without)
        assert answer.json() == {"meta": {"error": f"{name} is required"}}


def test_a_message_may_have_2_048_kb(api: Api) -> None:
    """As JSON, to the byte, attachments included."""
    rest = len(
        requests.Request(json={**EMAIL, "body": ""}, method="POST", url="http://x").prepare().body
        or b""
    )
    assert api.message("email", **EMAIL, body="x" * (2_048_000 - rest)).status_code == 200

    answer = api.message("email", **EMAIL, body="x" * (2_048_001 - rest))
    assert answer.status_code == 400
    assert answer.json() == {"meta": {"error": "the message is larger than 2048000 bytes"}}


@pytest.mark.parametrize("empty", [{}, [], ""])
def test_attachments_may_be_empty(api: Api, empty: object) -> None:
    """In the forms in which languages write an empty mapping."""
    assert api.message("email", **EMAIL, attachments=empty).status_code == 200
    assert api.sandbox.messages[0].attachments == {}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_takes_retention_and_no_recipient(api: Api, kind: str) -> None:
    """`to` is an e-mail's need alone; others go to whom the identifiers name."""
    fields = {**(EMAIL if kind == "email" else PUSH), "disable_message_retention": True}
    assert api.message(kind, **fields).status_code == 200


def test_a_custom_device_is_added_to_the_person(api: Api) -> None:
    """It is an upsert at the time of sending."""
    device = {"token": "t", "platform": "ios", "last_used": 5, "attributes": {"app": "2"}}
    api.message("push", **PUSH, custom_device=device)

    (person,) = api.sandbox.people
    assert (person.id, person.devices["t"].attributes) == ("5", {"app": "2"})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("header", [None, "Bearer", "Bearer ", "Basic YTpi", "app-key"])
def test_the_app_api_wants_a_bearer(api: Api, kind: str, header: str | None) -> None:
    """Without a key it is 401, and nothing is sent."""
    headers = {} if header is None else {"Authorization": header}
    status, body = raw(api.sandbox, "POST", f"/v1/send/{kind}", b"{}", **headers)

    assert (status, body) == (401, b'{"meta":{"error":"Unauthorized request"}}')


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"to": NaN}'])
def test_a_body_that_is_no_object_is_refused(api: Api, body: bytes) -> None:
    """In the App API's own shape."""
    status, answer = raw(
        api.sandbox, "POST", "/v1/send/email", body, Authorization="Bearer app-key"
    )
    assert status == 400
    assert answer.startswith(b'{"meta":{"error":"the body ')
