"""
The direct client of the Track API: one call, one request, now.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

import pytest
import requests

from cio_events import (
    AnswerTimeoutError,
    APIError,
    Identifier,
    Identify,
    NoAnswerError,
    ParamError,
    SendEmail,
    Track,
    TrackAnonymous,
    TrackClient,
    deadline,
)
from cio_events._calls.ulid import valid_id
from cio_events.sandbox import Sandbox
from tests.support.servers import (
    ScriptedServer,
    Step,
    answer,
    drip_headers,
    redirect,
    reset,
    stall,
)

GENEROUS = 20.0
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@contextmanager
def talk(*script: Step, timeout: float = 10.0) -> Iterator[tuple[ScriptedServer, TrackClient]]:
    """
    A server that plays *script*, and its client.
    """
    with (
        ScriptedServer(script) as server,
        TrackClient("a", "b", url=server.url, timeout=timeout) as client,
    ):
        yield server, client


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """
    A Customer.io that lets one pair of credentials in.
    """
    with Sandbox("site", "key") as running:
        yield running


@pytest.fixture
def track(sandbox: Sandbox) -> Iterator[TrackClient]:
    """
    Its client.
    """
    with TrackClient("site", "key", url=sandbox.url) as client:
        yield client


class TestVerbs:
    def test_identify_sets_attributes(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        It adds to those that there are.
        """
        track.identify("5", {"email": "lucy@example.com", "plan": "basic"})
        track.identify("5", {"plan": "premium"})
        person = sandbox.person("5")

        assert person is not None
        assert person.attributes == {"email": "lucy@example.com", "plan": "premium"}

    def test_identify_has_a_timestamp_only_if_it_was_given(self) -> None:
        """
        Customer.io takes the time of arrival then, as with other clients.
        """
        with talk() as (server, client):
            client.identify("5", {"plan": "basic"})
            client.identify("5", {"plan": "basic"}, timestamp=1_700_000_000)

        assert server.requests[0].json == {"plan": "basic"}
        assert server.requests[1].json == {"plan": "basic", "_timestamp": 1_700_000_000}

    @pytest.mark.parametrize("type_", ["event", "page", "screen"])
    def test_track_sends_an_event(self, track: TrackClient, sandbox: Sandbox, type_: str) -> None:
        """
        With all that there is to say of it.
        """
        when = datetime(2024, 5, 17, 12, tzinfo=timezone.utc)
        track.track("5", " bought ", {"price": 13.99}, type=type_, id=ULID, timestamp=when)
        (event,) = sandbox.events

        assert (event.customer, event.name, event.type) == ("5", "bought", type_)
        assert (event.data, event.id, event.timestamp) == ({"price": 13.99}, ULID, 1715947200)

    def test_track_makes_an_id(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        So that an event can be sent again on a new connection, and counts once.
        """
        track.track("5", "bought")
        track.track("5", "bought")
        first, second = sandbox.events

        assert valid_id(first.id, "id") != valid_id(second.id, "id")

    def test_track_anonymous(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        The event is theirs once they are known.
        """
        track.track_anonymous("anon", "visited", {"page": "/"})
        assert sandbox.events[0].anonymous_id == "anon"
        track.identify("5", {"anonymous_id": "anon"})

        assert [event.name for event in sandbox.events_of("5")] == ["visited"]

    @pytest.mark.parametrize("nobody", [None, ""])
    def test_an_invite_has_a_recipient(
        self, track: TrackClient, sandbox: Sandbox, nobody: str | None
    ) -> None:
        """
        Instead of an anonymous id.
        """
        track.track_anonymous(nobody, "invite", {"recipient": "alex@example.com"})

        assert "anonymous_id" not in sandbox.requests[0].body
        assert sandbox.events[0].data == {"recipient": "alex@example.com"}

    def test_delete(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        The person is gone.
        """
        track.identify("5")
        track.delete("5")

        assert sandbox.people == []

    def test_suppress_and_unsuppress(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        A suppressed person is ignored until that is undone.
        """
        track.suppress("5")
        track.track("5", "ignored")
        track.unsuppress("5")
        track.track("5", "heard")

        assert [event.name for event in sandbox.events] == ["heard"]

    def test_merge_customers(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        The first stays, and gets what the second had.
        """
        track.identify("5", {"plan": "basic"})
        track.identify("6", {"email": "lucy@example.com", "city": "Rome"})
        track.merge_customers("5", Identifier("lucy@example.com", "email"))
        (person,) = sandbox.people

        assert (person.id, person.attributes["city"]) == ("5", "Rome")

    def test_devices(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        ``last_used`` is the device's own, all else are its attributes.
        """
        track.add_device("5", "token/1", "ios", {"last_used": 1_700_000_000, "app": "2.0"})
        person = sandbox.person("5")
        assert person is not None
        device = person.devices["token/1"]
        assert (device.platform, device.last_used) == ("ios", 1_700_000_000)
        assert device.attributes == {"app": "2.0"}
        track.delete_device("5", "token/1")
        person = sandbox.person("5")

        assert person is not None
        assert person.devices == {}

    @pytest.mark.parametrize(
        ("customer", "name"),
        [
            ("a/b", "a/b"),
            ("a+b c%20?#é", "a+b c%20?#é"),
            (5, "5"),
            (Identifier("lucy+x@example.com", "email"), "lucy+x@example.com"),
        ],
    )
    def test_any_identifier_arrives(
        self, track: TrackClient, sandbox: Sandbox, customer: object, name: str
    ) -> None:
        """
        Whatever characters it has.
        """
        track.track(customer, "seen")
        track.delete_device(customer, "a/../b")

        assert [event.customer for event in sandbox.events] == [name]

    def test_a_cio_id_is_told_from_an_id(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        With its prefix or without.
        """
        track.identify("5")
        cio_id = sandbox.people[0].cio_id
        track.track(Identifier(cio_id, "cio_id"), "one")
        track.track(Identifier(f"cio_{cio_id}", "cio_id"), "two")

        assert [event.customer for event in sandbox.events] == ["5", "5"]

    def test_region(self, sandbox: Sandbox, track: TrackClient) -> None:
        """
        It is Customer.io that says which, and the credentials are tested by the way.
        """
        assert track.region() == "us"
        with Sandbox(region="eu") as other, TrackClient("a", "b", url=other.url) as client:
            assert client.region() == "eu"
        with (
            TrackClient("site", "wrong", url=sandbox.url) as client,
            pytest.raises(APIError) as raised,
        ):
            client.region()

        assert raised.value.status == 401

    @pytest.mark.parametrize("body", [b"", b"{}", b'{"region":"mars"}', b"[]"])
    def test_a_region_that_cannot_be_is_an_error(self, body: bytes) -> None:
        """
        Somebody else has answered, most likely.
        """
        with talk(answer(200, body)) as (_server, client), pytest.raises(APIError):
            client.region()

    def test_send_takes_any_call(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        The verbs are shorthands for it.
        """
        track.send(Track("5", "bought", id=ULID))

        assert sandbox.events[0].id == ULID

    @pytest.mark.parametrize("call", [SendEmail(to="a@b.c", identifiers="5"), None, {"a": 1}])
    def test_send_takes_nothing_else(self, track: TrackClient, call: object) -> None:
        """
        Messages go through the other client.
        """
        with pytest.raises(ParamError, match="call"):
            track.send(call)


VERBS: dict[str, Callable[[TrackClient, float | None], object]] = {
    "identify": lambda client, timeout: client.identify("5", timeout=timeout),
    "track": lambda client, timeout: client.track("5", "x", timeout=timeout),
    "track_anonymous": lambda client, timeout: client.track_anonymous("a", "x", timeout=timeout),
    "delete": lambda client, timeout: client.delete("5", timeout=timeout),
    "suppress": lambda client, timeout: client.suppress("5", timeout=timeout),
    "unsuppress": lambda client, timeout: client.unsuppress("5", timeout=timeout),
    "merge_customers": lambda client, timeout: client.merge_customers("5", "6", timeout=timeout),
    "add_device": lambda client, timeout: client.add_device("5", "t", "ios", timeout=timeout),
    "delete_device": lambda client, timeout: client.delete_device("5", "t", timeout=timeout),
    "send": lambda client, timeout: client.send(Track("5", "x"), timeout=timeout),
    "batch": lambda client, timeout: client.batch([Track("5", "x")], timeout=timeout),
    "region": lambda client, timeout: client.region(timeout=timeout),
}


class TestTimeouts:
    @pytest.mark.parametrize("verb", VERBS)
    def test_every_verb_takes_one(self, verb: str) -> None:
        """
        It is for the whole request; a server that drips does not outwit it. Deletes obey it too.
        """
        with talk(drip_headers(), timeout=60) as (_server, client):
            started = time.monotonic()
            with pytest.raises(AnswerTimeoutError) as raised:
                VERBS[verb](client, 0.3)

        assert raised.value.maybe_received
        assert time.monotonic() - started < GENEROUS

    @pytest.mark.parametrize("verb", VERBS)
    def test_every_verb_obeys_a_deadline(self, verb: str) -> None:
        """
        Whatever its own timeout.
        """
        with talk(stall()) as (_server, client), deadline(0.3), pytest.raises(AnswerTimeoutError):
            VERBS[verb](client, 60)

    def test_the_clients_own(self) -> None:
        """
        For all verbs that have none.
        """
        with talk(stall(), timeout=0.3) as (_server, client), pytest.raises(AnswerTimeoutError):
            client.track("5", "x")


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


class TestLimits:
    def test_data_up_to_the_limit_arrives(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        Although it is more than one operation of v2 may have.
        """
        track.track("5", "big", {"text": "x" * 90_000})
        track.identify("5", {"text": "x" * 90_000})

        assert len(sandbox.events[0].data["text"]) == 90_000

    @pytest.mark.parametrize("verb", ["track", "track_anonymous", "identify", "add_device"])
    def test_data_over_the_limit_is_refused(self, verb: str) -> None:
        """
        Before anything is sent.
        """
        big = {"text": "x" * 100_000}
        arguments = {
            "track": ("5", "x", big),
            "track_anonymous": ("a", "x", big),
            "identify": ("5", big),
            "add_device": ("5", "t", "ios", big),
        }[verb]
        with talk() as (server, client), pytest.raises(ParamError) as raised:
            getattr(client, verb)(*arguments)

        assert raised.value.limit == 100_000
        assert raised.value.param == ("attributes" if verb == "identify" else "data")
        assert server.connections == 0

    @pytest.mark.parametrize(
        ("verb", "arguments", "param"),
        [
            ("identify", ("",), "customer"),
            ("identify", (" ",), "customer"),
            ("identify", (True,), "customer"),
            ("identify", ("x" * 151,), "customer"),
            ("track", ("5", " "), "name"),
            ("track", ("5", "x" * 101), "name"),
            ("track", ("..", "x"), "customer"),
            ("track_anonymous", (None, "x"), "recipient"),
            ("delete", (".",), "customer"),
            ("add_device", ("5", "", "ios"), "device_id"),
            ("add_device", ("5", "t", "windows"), "platform"),
            ("delete_device", ("5", ".."), "device_id"),
            ("merge_customers", ("5", ""), "secondary"),
            ("merge_customers", ("", "5"), "primary"),
        ],
    )
    def test_what_cannot_be_is_refused(
        self, verb: str, arguments: tuple[object, ...], param: str
    ) -> None:
        """
        Before anything is sent, with the name of the parameter.
        """
        with talk() as (server, client), pytest.raises(ParamError) as raised:
            getattr(client, verb)(*arguments)

        assert raised.value.param == param
        assert server.connections == 0


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


class TestTheClient:
    @pytest.mark.parametrize(
        ("arguments", "options", "param"),
        [
            (("", "key"), {}, "site_id"),
            (("site", None), {}, "api_key"),
            (("site", "key"), {"region": "mars"}, "region"),
            (("site", "key"), {"url": "nonsense"}, "url"),
            (("site", "key"), {"timeout": 0}, "timeout"),
            (("site", "key"), {"user_agent": ""}, "user_agent"),
        ],
    )
    def test_settings_that_cannot_be_are_refused(
        self, arguments: tuple[object, ...], options: dict[str, object], param: str
    ) -> None:
        """
        When the client is made.
        """
        with pytest.raises(ParamError) as raised:
            TrackClient(*arguments, **options)

        assert raised.value.param == param

    def test_its_repr_has_no_credentials(self) -> None:
        """
        It shows where it sends to.
        """
        shown = repr(TrackClient("hunter1", "hunter2", region="eu"))

        assert shown == "<TrackClient https://track-eu.customer.io>"

    def test_it_uses_the_applications_session(self, sandbox: Sandbox) -> None:
        """
        And leaves it open.
        """
        with requests.Session() as session:
            session.headers["X-Mesh"] = "blue"
            with TrackClient("site", "key", url=sandbox.url, session=session) as client:
                client.track("5", "x")
            assert session.get(f"{sandbox.url}/sandbox/events", timeout=GENEROUS).ok

        assert sandbox.requests[0].headers["x-mesh"] == "blue"

    def test_it_goes_on_after_close(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        Closing is about connections.
        """
        track.track("5", "one")
        track.close()
        track.close()
        track.track("5", "two")

        assert len(sandbox.events) == 2

    def test_threads_share_it(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        No call is lost or doubled.
        """

        def send(start: int) -> None:
            for number in range(start, start + 20):
                track.track("5", f"number {number}")

        threads = [threading.Thread(target=send, args=(n * 20,)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(GENEROUS)

        assert {event.name for event in sandbox.events} == {f"number {n}" for n in range(100)}

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
    def test_a_forked_child_goes_on_with_it(self, track: TrackClient, sandbox: Sandbox) -> None:
        """
        On connections of its own.
        """
        track.track("5", "parent")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                track.track("5", "child")
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        track.track("5", "parent again")

        assert os.waitstatus_to_exitcode(status) == 0
        assert [event.name for event in sandbox.events] == ["parent", "child", "parent again"]
