"""What the Track API answers, and what the client makes of it."""

from __future__ import annotations

import pickle
import ssl
from pathlib import Path

import pytest
import requests
import trustme

from cio_events import (
    AnswerTimeoutError,
    APIError,
    Identify,
    NoAnswerError,
    ParamError,
    SendEmail,
    Track,
    TrackAnonymous,
    TrackClient,
)
from cio_events._process import debugging
from cio_events.sandbox import Sandbox
from tests.clients.talking import talk
from tests.support.servers import (
    ScriptedServer,
    Step,
    answer,
    redirect,
    reset,
    stall,
    truncated,
    tunnel,
)

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    def test_any_success_is_one(self, status: int) -> None:
        """The vendor's Go client takes 200 alone."""
        with talk(answer(status, b"")) as (server, client):
            client.track("5", "x")

        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503])
    def test_anything_else_is_an_error(self, status: int) -> None:
        """Its attributes have all that there is to know, and its text nothing personal."""
        with (
            talk(answer(status, b"lucy is wrong")) as (server, client),
            pytest.raises(APIError) as raised,
        ):
            client.identify("lucy@example.com")
        error = raised.value

        assert (error.status, error.body) == (status, b"lucy is wrong")
        assert error.url == f"{server.url}/api/v1/customers/lucy%40example.com"
        assert "lucy" not in f"{error} {error!r}"
        assert str(status) in str(error)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirect_is_an_error_that_names_url_and_region(self, status: int) -> None:
        """
        It is what the data centre of another region answers, and following it loses the call.
        """
        with (
            talk(redirect("https://track-eu.customer.io/", status)) as (server, client),
            pytest.raises(APIError) as raised,
        ):
            client.track("5", "x")

        assert raised.value.status == status
        assert "the url is probably wrong, or the region" in str(raised.value)
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (
                (
                    b'{"errors":[{"reason":"invalid","field":"attributes.plan",'
                    b'"message":"gold-2024 is no plan of lucy@example.com"}]}'
                ),
                "invalid attributes.plan *** is no plan of ***",
            ),
            (b'{"meta":{"error":"lucy@example.com?"}}', "***?"),
            (b"no\nline\x1b[31m", "no\\nline\\x1b[31m"),
            (b"<html><body>lucy</body></html>", ""),
            (b"", ""),
        ],
    )
    def test_the_text_says_what_was_asked_and_what_was_said(self, body: bytes, said: str) -> None:
        """Kind, field and reason, with all masked that came from the call."""
        with talk(answer(400, body)) as (_server, client), pytest.raises(APIError) as raised:
            client.identify("lucy@example.com", {"plan": "Gold-2024"})
        text = "identify: Customer.io answered with status 400"

        assert str(raised.value) == (f"{text}: {said}" if said else text)

    def test_the_text_names_the_event(self) -> None:
        """Its name, and its id."""
        with talk(answer(400, b"{}")) as (_server, client), pytest.raises(APIError) as raised:
            client.track("5", "bought\n", id=ULID)

        assert str(raised.value).startswith(f'track "bought" {ULID}: Customer.io answered')

    def test_the_error_can_be_pickled(self) -> None:
        """With its text."""
        with talk(answer(400, b"{}")) as (_server, client), pytest.raises(APIError) as raised:
            client.delete("5")
        copy = pickle.loads(pickle.dumps(raised.value))

        assert (str(copy), vars(copy)) == (str(raised.value), vars(raised.value))

    @pytest.mark.parametrize(
        "body", [b"<html>Welcome to the hotel</html>", b"\n <!doctype html>", b"OK"]
    )
    def test_a_success_that_is_not_customer_ios_is_an_error(self, body: bytes) -> None:
        """A portal or a proxy gives it; the text names the host."""
        with talk(answer(200, body)) as (server, client), pytest.raises(APIError) as raised:
            client.track("5", "x")

        assert (raised.value.status, raised.value.body) == (200, body)
        assert f"127.0.0.1:{server.port} answered with status 200" in str(raised.value)
        assert "not Customer.io" in str(raised.value)

    @pytest.mark.parametrize(
        "step", [truncated(), truncated(b"{"), answer(200, b"\xef\xbb\xbf{}")]
    )
    def test_a_success_that_is_cut_off_is_one(self, step: Step) -> None:
        """Its status is known."""
        with talk(step) as (server, client):
            client.track("5", "x")

        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [404, 405])
    def test_an_answer_of_somebody_else_names_the_url(self, status: int) -> None:
        """There is nothing of Customer.io's there; its own answer says what is wrong."""
        theirs = answer(status, b'{"meta":{"error":"no such thing"}}')
        with talk(answer(status, b"404 page not found"), theirs) as (_server, client):
            with pytest.raises(APIError, match="the url is probably wrong"):
                client.track("5", "x")
            with pytest.raises(APIError, match=f"status {status}: no such thing"):
                client.track("5", "x")

    @pytest.mark.cio_live  # a name that is none of this machine's
    def test_a_redirect_to_another_region_names_it(self, tmp_path: Path) -> None:
        """It is what to change."""
        ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("track.customer.io").configure_cert(context)
        ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        script = [redirect("https://track-eu.customer.io/api")]
        with (
            ScriptedServer(script, tls=context) as server,
            ScriptedServer([tunnel(server.port)]) as proxy,
            requests.Session() as session,
        ):
            session.verify, session.proxies = str(tmp_path / "ca.pem"), {"https": proxy.url}
            with (
                TrackClient("a", "b", session=session) as client,
                pytest.raises(APIError, match='the region is "eu"'),
            ):
                client.track("5", "x")

        assert len(server.requests) == 1

    @pytest.mark.cio_live  # a name that is none of this machine's
    def test_a_proxy_that_wants_credentials_is_named(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also when it is asked for a tunnel."""
        with ScriptedServer([answer(407)]) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            with (
                TrackClient("a", "b", url="https://customer.test") as client,
                pytest.raises(APIError, match="proxy wants credentials"),
            ):
                client.track("5", "x")

    def test_wrong_credentials_are_an_error_that_names_them(self, sandbox: Sandbox) -> None:
        """And the region, since those of another are refused like wrong ones."""
        with (
            TrackClient("site", "wrong", url=sandbox.url) as client,
            pytest.raises(APIError, match=r"credentials.*region"),
        ):
            client.track("5", "x")

    def test_a_stale_connection_goes_unnoticed(self) -> None:
        """The event that is sent twice has one id."""
        with talk(answer(), reset(), answer()) as (server, client):
            client.track("5", "one")
            client.track("5", "two")
        ids = [received.json["id"] for received in server.requests]

        assert ids[1] == ids[2] != ids[0]

    def test_a_broken_connection_is_an_error(self) -> None:
        """There is no layer of retries here."""
        with talk(reset(), answer()) as (server, client), pytest.raises(NoAnswerError):
            client.track("5", "x")

        assert len(server.requests) == 1


class TestBatch:
    def test_all_of_them_arrive_in_one_request(self, track: TrackClient, sandbox: Sandbox) -> None:
        """In order."""
        calls = [Identify("5", {"plan": "basic"}), Track("5", "one"), Track("5", "two")]

        assert track.batch(calls) == []
        assert [event.name for event in sandbox.events] == ["one", "two"]
        assert [request.path for request in sandbox.requests] == ["/api/v2/batch"]

    def test_none_is_no_request(self, track: TrackClient, sandbox: Sandbox) -> None:
        """There is nothing to say."""
        assert track.batch([]) == []
        assert sandbox.requests == []

    def test_those_refused_are_returned(self) -> None:
        """The others were taken."""
        calls = [Track("5", "one"), Track("6", "two"), Track("7", "three")]
        body = (
            b'{"errors":[{"batch_index":1,"reason":"invalid","field":"identifiers",'
            b'"message":"no such person"},{"batch_index":2,"reason":"parse"}]}'
        )
        with talk(answer(207, body)) as (_server, client):
            first, second = client.batch(iter(calls))

        assert (first.index, first.call) == (1, calls[1])
        assert (first.reason, first.field) == ("invalid", "identifiers")
        assert first.message == "no such person"
        assert (second.index, second.reason, second.field, second.message) == (2, "parse", "", "")
        assert repr(first) == "<Refusal 1 reason='invalid'>"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{}",
            b"[]",
            b'{"errors":[{}]}',
            b'{"errors":[{"batch_index":1}]}',
            b'{"errors":[{"batch_index":true}]}',
            b'{"errors":[{"batch_index":0.5}]}',
            b'{"errors":[{"batch_index":[0]}]}',
            b'{"errors":[{"batch_index":-1}]}',
            b'{"errors":["x"]}',
        ],
    )
    def test_refusals_that_cannot_be_read_are_an_error(self, body: bytes) -> None:
        """An empty list would say that all were taken."""
        with talk(answer(207, body)) as (_server, client), pytest.raises(APIError) as raised:
            client.batch([Track("5", "one")])

        assert raised.value.status == 207

    def test_refusals_are_read_as_the_pipeline_reads_them(self) -> None:
        """Whatever their numbers look like, and however deep their reasons are."""
        deep = b"[" * 1_000 + b'"parse"' + b"]" * 1_000
        body = b'{"errors":[{"batch_index":1.0,"reason":%s,"message":["a",5]}]}' % deep
        with talk(answer(207, body)) as (_server, client):
            (refusal,) = client.batch([Track("5", "one"), Track("6", "two")])

        assert (refusal.index, refusal.reason, refusal.message) == (1, "parse", "a 5")

    def test_a_refusal_of_all_is_an_error(self) -> None:
        """Nothing was taken."""
        with (
            talk(answer(400, b'{"errors":[]}')) as (_server, client),
            pytest.raises(APIError) as raised,
        ):
            client.batch([Track("5", "one")])

        assert raised.value.status == 400
        assert raised.value.url.endswith("/api/v2/batch")

    @pytest.mark.parametrize(
        "call",
        [
            TrackAnonymous("a", "x"),
            SendEmail(to="a@b.c", identifiers="5"),
            Track("5", "x", {"text": "x" * 32_000}),
            Track("5", "x", {"text": "x" * 100_000}),
            Identify("5", {"cio_relationships": {"action": "delete_relationships"}}),
            "a word",
        ],
        ids=["anonymous", "message", "over 32 kB", "over 100 kB", "v1 relationships", "no call"],
    )
    def test_what_cannot_be_part_of_one_is_refused(self, call: object) -> None:
        """Before anything is sent, with its number."""
        with talk() as (server, client), pytest.raises(ParamError, match="number 1") as raised:
            client.batch([Track("5", "x"), call])

        assert raised.value.param == "calls"
        assert server.connections == 0

    def test_the_limit_is_for_all_of_it(self) -> None:
        """The last byte that fits is sent, the next one is not."""
        calls = [Track("5", "x", {"text": "x" * 30_000}) for _ in range(16)]
        with talk() as (server, client):
            client.batch([*calls, Track("5", "x", {"text": ""})])
            room = 500_000 - len(server.requests[0].body)
            client.batch([*calls, Track("5", "x", {"text": "x" * room})])
            with pytest.raises(ParamError) as raised:
                client.batch([*calls, Track("5", "x", {"text": "x" * (room + 1)})])

        assert len(server.requests[1].body) == 500_000
        assert raised.value.limit == 500_000
        assert len(server.requests) == 2


def test_error_without_an_answer_names_the_call() -> None:
    """As the others do; its kind and what else it tells stay."""
    with talk(reset(), stall(), timeout=0.3) as (_, client):
        with pytest.raises(NoAnswerError, match=r'^track "bought" [0-9A-Z]{26}: the connection'):
            client.track("5", "bought")
        with pytest.raises(AnswerTimeoutError, match=r"^identify: .*did not answer") as caught:
            client.identify("5", {"plan": "pro"})
    error = caught.value
    assert (error.maybe_received, str(error)) == (True, error.message)
    assert str(pickle.loads(pickle.dumps(error))) == error.message


def test_each_request_is_said_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As a pipeline says it; nothing is said otherwise, nor where the word is one for off."""
    monkeypatch.setenv("CIO_DEBUG", "off")
    with talk() as (_, client):
        client.track("5", "silent")
    monkeypatch.setattr(debugging, "on", False)
    monkeypatch.setenv("CIO_DEBUG", "1")
    with talk(answer(), reset(), reset()) as (_, client):
        client.track("5", "bought")
        with pytest.raises(NoAnswerError):
            client.identify("5", {})
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith('debug: request to the Track API with track "bought" ')
    assert ": status 200, " in lines[0]
    assert lines[1].startswith("debug: request to the Track API with identify: no answer (")
