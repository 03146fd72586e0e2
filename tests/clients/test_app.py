"""The direct client of the App API: one message, one request, at most once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest
import requests

from cio_events import (
    AnswerTimeoutError,
    AppClient,
    Device,
    Identifier,
    NoAnswerError,
    ParamError,
    Receipt,
    SendEmail,
    SendInApp,
    SendInboxMessage,
    SendPush,
    SendSMS,
    SendWhatsApp,
    Track,
    TransactionalError,
    deadline,
)
from cio_events._calls.messages import Message
from cio_events._http.endpoint import USER_AGENT
from cio_events.sandbox import Sandbox
from tests.support.servers import (
    ScriptedServer,
    Step,
    answer,
    drip_body,
    redirect,
    reset,
    stall,
    truncated,
)

GENEROUS = 20.0

RECEIPT = answer(200, b'{"delivery_id":"abc","queued_at":1700000000}')

EMAIL = SendEmail(to="lucy@example.com", transactional_message_id=3, identifiers="5")
LUCY = {"transactional_message_id": 3, "identifiers": "5"}

VERBS: dict[str, tuple[str, Message]] = {
    "send_email": ("email", EMAIL),
    "send_push": ("push", SendPush(**LUCY)),
    "send_sms": ("sms", SendSMS(**LUCY, to="+15551234567")),
    "send_whatsapp": ("whatsapp", SendWhatsApp(**LUCY)),
    "send_inbox_message": ("inbox_message", SendInboxMessage(**LUCY)),
    "send_in_app": ("in_app", SendInApp(**LUCY)),
    "send": ("email", EMAIL),
}


def verb(client: AppClient, name: str) -> Callable[..., Receipt]:
    """The client's method of that name."""
    method: Callable[..., Receipt] = getattr(client, name)
    return method


@contextmanager
def talk(*script: Step, timeout: float = 10.0) -> Iterator[tuple[ScriptedServer, AppClient]]:
    """A server that plays *script*, and its client."""
    with (
        ScriptedServer(script) as server,
        AppClient("key", url=server.url, timeout=timeout) as client,
    ):
        yield server, client


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A Customer.io that lets one key in."""
    with Sandbox(app_api_key="key") as running:
        yield running


@pytest.fixture
def app(sandbox: Sandbox) -> Iterator[AppClient]:
    """Its client."""
    with AppClient("key", url=sandbox.url) as client:
        yield client


class TestVerbs:
    @pytest.mark.parametrize("name", VERBS)
    def test_a_message_is_sent(self, app: AppClient, sandbox: Sandbox, name: str) -> None:
        """Customer.io gives a receipt for it."""
        kind, message = VERBS[name]
        receipt = verb(app, name)(message)
        (sent,) = sandbox.messages

        assert sent.kind == kind
        assert receipt.delivery_id == sent.delivery_id
        assert receipt.queued_at == datetime.fromtimestamp(sent.queued_at, timezone.utc)
        assert receipt.queued_at.tzinfo is timezone.utc
        assert sent.fields["identifiers"] == {"id": "5"}
        assert sandbox.requests[0].headers["user-agent"] == USER_AGENT

    def test_an_email_with_attachments(
        self, app: AppClient, sandbox: Sandbox, tmp_path: Path
    ) -> None:
        """They arrive as they were."""
        invoice = tmp_path / "invoice.pdf"
        invoice.write_bytes(bytes(range(256)) * 1000)
        message = SendEmail(
            to="lucy@example.com",
            identifiers=Identifier("lucy@example.com", "email"),
            transactional_message_id="receipt",
            message_data={"order": 5},
        )
        message.attach("invoice.pdf", invoice)
        message.attach("héllo.txt", "héllo")
        app.send_email(message)
        (sent,) = sandbox.messages

        assert sent.attachments == {
            "invoice.pdf": bytes(range(256)) * 1000,
            "héllo.txt": "héllo".encode(),
        }
        assert sent.fields["message_data"] == {"order": 5}

    def test_a_push_with_a_device(self, app: AppClient, sandbox: Sandbox) -> None:
        """It is the person's from then on."""
        device = Device("token", "ios", {"last_used": 1_700_000_000, "app": "2.0"})
        app.send_push(SendPush(**LUCY, custom_device=device, title="Hello"))
        person = sandbox.person("5")

        assert person is not None
        assert person.devices["token"].last_used == 1_700_000_000
        assert person.devices["token"].attributes == {"app": "2.0"}

    @pytest.mark.parametrize("message", [Track("5", "x"), {"to": "a@b.c"}, None])
    def test_nothing_but_a_message_is_sent(self, app: AppClient, message: object) -> None:
        """Other calls go through the other client."""
        with pytest.raises(ParamError, match="call"):
            app.send(message)


class TestErrors:
    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b'{"meta":{"error":"lucy is wrong"}}', "lucy is wrong"),
            (b'{"meta":{"errors":["lucy","is wrong"]}}', "lucy; is wrong"),
            (b"lucy is wrong", "lucy is wrong"),
            (b"", ""),
        ],
    )
    @pytest.mark.parametrize("status", [400, 404, 422, 429, 500, 503])
    def test_say_what_customer_io_said(self, status: int, body: bytes, said: str) -> None:
        """In an attribute: it may quote the message, and the text shows nothing personal."""
        with (
            talk(answer(status, body)) as (server, client),
            pytest.raises(TransactionalError) as raised,
        ):
            client.send_email(EMAIL)
        error = raised.value

        assert (error.status, error.message) == (status, said)
        assert "lucy" not in f"{error} {error!r}"
        assert str(status) in str(error)
        assert len(server.requests) == 1

    def test_a_wrong_key(self, sandbox: Sandbox) -> None:
        """The text says where to look."""
        with (
            AppClient("wrong", url=sandbox.url) as client,
            pytest.raises(TransactionalError, match=r"credentials.*region") as raised,
        ):
            client.send_email(EMAIL)

        assert raised.value.status == 401
        assert sandbox.messages == []

    def test_a_redirect(self) -> None:
        """It is not followed, and the region is named."""
        with (
            talk(redirect("https://api-eu.customer.io/")) as (server, client),
            pytest.raises(TransactionalError, match="region"),
        ):
            client.send_email(EMAIL)

        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        "body", [b"<html>Welcome to the hotel</html>", b"", b"{}", b"[]", b'{"delivery_id":null}']
    )
    def test_a_success_without_a_receipt(self, body: bytes) -> None:
        """It may have been taken: to send it again may deliver it twice."""
        with (
            talk(answer(200, body)) as (server, client),
            pytest.raises(NoAnswerError, match="send_email") as raised,
        ):
            client.send_email(EMAIL)
        error = raised.value

        assert error.maybe_received
        assert error.status == 200
        assert f"127.0.0.1:{server.port}" in str(error)
        assert len(server.requests) == 1

    def test_a_receipt_that_is_cut_off(self) -> None:
        """The status is known, and not what was taken."""
        with (
            talk(truncated(b'{"delivery_id":"abc"')) as (server, client),
            pytest.raises(NoAnswerError) as raised,
        ):
            client.send_email(EMAIL)

        assert raised.value.maybe_received
        assert len(server.requests) == 1

    def test_the_text_says_what_was_asked_and_what_was_said(self) -> None:
        """With all masked that came from the message."""
        body = b'{"meta":{"errors":["to: lucy@example.com is blocked","by bob@example.com"]}}'
        with (
            talk(answer(400, body)) as (_server, client),
            pytest.raises(TransactionalError) as raised,
        ):
            client.send_email(EMAIL)

        assert str(raised.value) == (
            "send_email: Customer.io answered with status 400: to: *** is blocked; by ***"
        )

    def test_a_refusal_of_the_sandbox(self, app: AppClient, sandbox: Sandbox) -> None:
        """In the form that Customer.io gives it."""
        with pytest.raises(TransactionalError) as raised:
            app.send_email(SendEmail(to=", ".join(["a@b.c"] * 16), identifiers="5", body="x"))

        assert raised.value.status == 400
        assert raised.value.message
        assert sandbox.messages == []


class TestAtMostOnce:
    def test_a_message_in_doubt_is_not_sent_again(self) -> None:
        """On a connection that was just used and breaks, an event would be."""
        with talk(RECEIPT, reset(), RECEIPT) as (server, client):
            client.send_email(EMAIL)
            with pytest.raises(NoAnswerError) as raised:
                client.send_email(EMAIL)

        assert raised.value.maybe_received
        assert len(server.requests) == 2

    def test_what_was_not_received_is_told(self) -> None:
        """Then sending again is safe."""
        with ScriptedServer() as server:
            url = server.url
        with AppClient("key", url=url) as client, pytest.raises(NoAnswerError) as raised:
            client.send_email(EMAIL)

        assert not raised.value.maybe_received


class TestTimeouts:
    @pytest.mark.parametrize("name", VERBS)
    def test_every_verb_takes_one(self, name: str) -> None:
        """For the whole request, answer included."""
        with talk(drip_body(), timeout=60) as (_server, client):
            started = time.monotonic()
            with pytest.raises(AnswerTimeoutError) as raised:
                verb(client, name)(VERBS[name][1], timeout=0.3)

        assert raised.value.maybe_received
        assert time.monotonic() - started < GENEROUS

    @pytest.mark.parametrize("name", VERBS)
    def test_every_verb_obeys_a_deadline(self, name: str) -> None:
        """Whatever its own timeout."""
        with talk(stall()) as (_server, client), deadline(0.3), pytest.raises(AnswerTimeoutError):
            verb(client, name)(VERBS[name][1], timeout=60)


class TestTheClient:
    @pytest.mark.parametrize(
        ("key", "options", "param"),
        [
            ("", {}, "app_api_key"),
            ("hunter2\n", {}, "app_api_key"),
            ("key", {"region": "mars"}, "region"),
            ("key", {"url": "nonsense"}, "url"),
            ("key", {"timeout": -1}, "timeout"),
            ("key", {"user_agent": 5}, "user_agent"),
        ],
    )
    def test_settings_that_cannot_be_are_refused(
        self, key: str, options: dict[str, object], param: str
    ) -> None:
        """When the client is made, and without showing them."""
        with pytest.raises(ParamError) as raised:
            AppClient(key, **options)

        assert raised.value.param == param
        assert "hunter2" not in str(raised.value)

    def test_its_repr_has_no_credentials(self) -> None:
        """It shows where it sends to."""
        assert repr(AppClient("hunter2")) == "<AppClient https://api.customer.io>"
        assert repr(AppClient("hunter2", region="eu")) == "<AppClient https://api-eu.customer.io>"

    def test_it_uses_the_applications_session(self, sandbox: Sandbox) -> None:
        """With its proxies, headers and adapters."""
        with requests.Session() as session:
            session.headers["X-Mesh"] = "blue"
            with AppClient("key", url=sandbox.url, session=session) as client:
                client.send_email(EMAIL)

        assert sandbox.requests[0].headers["x-mesh"] == "blue"
        assert len(sandbox.messages) == 1
