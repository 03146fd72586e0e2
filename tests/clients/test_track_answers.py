"""
What the Track API answers, and what the client makes of it.
"""

from __future__ import annotations

import pytest

from cio_events import (
    APIError,
    Identify,
    NoAnswerError,
    ParamError,
    SendEmail,
    Track,
    TrackAnonymous,
    TrackClient,
)
from cio_events.sandbox import Sandbox
from tests.clients.talking import talk
from tests.support.servers import answer, redirect, reset


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    def test_any_success_is_one(self, status: int) -> None:
        """
        The vendor's Go client takes 200 alone.
        """
        with talk(answer(status, b"")) as (server, client):
            client.track("5", "x")

        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503])
    def test_anything_else_is_an_error(self, status: int) -> None:
        """
        Its attributes have all that there is to know, and its text nothing personal.
        """
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
    def test_a_redirect_is_an_error_that_names_the_region(self, status: int) -> None:
        """
        It is what the data centre of another region answers, and following it loses the call.
        """
        with (
            talk(redirect("https://track-eu.customer.io/", status)) as (server, client),
            pytest.raises(APIError) as raised,
        ):
            client.track("5", "x")

        assert raised.value.status == status
        assert "region" in str(raised.value)
        assert len(server.requests) == 1

    def test_wrong_credentials_are_an_error_that_names_them(self, sandbox: Sandbox) -> None:
        """
        And the region, since those of another are refused like wrong ones.
        """
        with (
            TrackClient("site", "wrong", url=sandbox.url) as client,
            pytest.raises(APIError, match=r"credentials.*region"),
        ):
            client.track("5", "x")

    def test_a_stale_connection_goes_unnoticed(self) -> None:
        """
        The event that is sent twice has one id.
        """
        with talk(answer(), reset(), answer()) as (server, client):
            client.track("5", "one")
            client.track("5", "two")
        ids = [received.json["id"] for received in server.requests]

        assert ids[1] == ids[2] != ids[0]

    def test_a_broken_connection_is_an_error(self) -> None:
        """
        There is no layer of retries here.
        """
        with talk(reset(), answer()) as (server, client), pytest.raises(NoAnswerError):
            client.track("5", "x")

        assert len(server.requests) == 1


class TestBatch:
    def test_all_of_them_arrive_in_one_request(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        In order.
        """
        calls = [Identify("5", {"plan": "basic"}), Track("5", "one"), Track("5", "two")]

        assert track.batch(calls) == []
        assert [event.name for event in sandbox.events] == ["one", "two"]
        assert [request.path for request in sandbox.requests] == ["/api/v2/batch"]

    def test_none_is_no_request(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        There is nothing to say.
        """
        assert track.batch([]) == []
        assert sandbox.requests == []

    def test_those_refused_are_returned(self) -> None:
        """
        The others were taken.
        """
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
            b'{"errors":[{"batch_index":-1}]}',
            b'{"errors":["x"]}',
        ],
    )
    def test_refusals_that_cannot_be_read_are_an_error(self, body: bytes) -> None:
        """
        An empty list would say that all were taken.
        """
        with talk(answer(207, body)) as (_server, client), pytest.raises(APIError) as raised:
            client.batch([Track("5", "one")])

        assert raised.value.status == 207

    def test_a_refusal_of_all_is_an_error(self) -> None:
        """
        Nothing was taken.
        """
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
        """
        Before anything is sent, with its number.
        """
        with talk() as (server, client), pytest.raises(ParamError, match="number 1") as raised:
            client.batch([Track("5", "x"), call])

        assert raised.value.param == "calls"
        assert server.connections == 0

    def test_the_limit_is_for_all_of_it(self) -> None:
        """
        The last byte that fits is sent, the next one is not.
        """
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
