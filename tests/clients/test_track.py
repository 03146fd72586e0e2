"""The direct client of the Track API: one call, one request, now."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone

import pytest

from cio_events import (
    AddToSegment,
    AnswerTimeoutError,
    APIError,
    Identifier,
    ParamError,
    SendEmail,
    Track,
    TrackClient,
    deadline,
)
from cio_events._calls.ulid import valid_id
from cio_events.sandbox import Sandbox
from tests.clients.talking import GENEROUS, talk
from tests.support.servers import answer, drip_headers, stall

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


class TestVerbs:
    def test_identify_sets_attributes(self, track: TrackClient, sandbox: Sandbox) -> None:
        """It adds to those that there are."""
        track.identify("5", {"email": "lucy@example.com", "plan": "basic"})
        track.identify("5", {"plan": "premium"})
        person = sandbox.person("5")

        assert person is not None
        assert person.attributes == {"email": "lucy@example.com", "plan": "premium"}

    def test_identify_has_a_timestamp_only_if_it_was_given(self) -> None:
        """Customer.io takes the time of arrival then, as with other clients."""
        with talk() as (server, client):
            client.identify("5", {"plan": "basic"})
            client.identify("5", {"plan": "basic"}, timestamp=1_700_000_000)

        assert server.requests[0].json == {"plan": "basic"}
        assert server.requests[1].json == {"plan": "basic", "_timestamp": 1_700_000_000}

    @pytest.mark.parametrize("type_", ["event", "page", "screen"])
    def test_track_sends_an_event(self, track: TrackClient, sandbox: Sandbox, type_: str) -> None:
        """With all that there is to say of it."""
        when = datetime(2024, 5, 17, 12, tzinfo=timezone.utc)
        track.track("5", " bought ", {"price": 13.99}, type=type_, id=ULID, timestamp=when)
        (event,) = sandbox.events

        assert (event.customer, event.name, event.type) == ("5", "bought", type_)
        assert (event.data, event.id, event.timestamp) == ({"price": 13.99}, ULID, 1715947200)

    def test_track_makes_an_id(self, track: TrackClient, sandbox: Sandbox) -> None:
        """So that an event can be sent again on a new connection, and counts once."""
        track.track("5", "bought")
        track.track("5", "bought")
        first, second = sandbox.events

        assert valid_id(first.id, "id") != valid_id(second.id, "id")

    def test_track_anonymous(self, track: TrackClient, sandbox: Sandbox) -> None:
        """The event is theirs once they are known."""
        track.track_anonymous("anon", "visited", {"page": "/"})
        assert sandbox.events[0].anonymous_id == "anon"
        track.identify("5", {"anonymous_id": "anon"})

        assert [event.name for event in sandbox.events_of("5")] == ["visited"]

    @pytest.mark.parametrize("nobody", [None, ""])
    def test_an_invite_has_a_recipient(
        self, track: TrackClient, sandbox: Sandbox, nobody: str | None
    ) -> None:
        """Instead of an anonymous id."""
        track.track_anonymous(nobody, "invite", {"recipient": "alex@example.com"})

        assert "anonymous_id" not in sandbox.requests[0].body
        assert sandbox.events[0].data == {"recipient": "alex@example.com"}

    def test_delete(self, track: TrackClient, sandbox: Sandbox) -> None:
        """The person is gone."""
        track.identify("5")
        track.delete("5")

        assert sandbox.people == []

    def test_suppress_and_unsuppress(self, track: TrackClient, sandbox: Sandbox) -> None:
        """A suppressed person is ignored until that is undone."""
        track.suppress("5")
        track.track("5", "ignored")
        track.unsuppress("5")
        track.track("5", "heard")

        assert [event.name for event in sandbox.events] == ["heard"]

    def test_merge_customers(self, track: TrackClient, sandbox: Sandbox) -> None:
        """The first stays, and gets what the second had."""
        track.identify("5", {"plan": "basic"})
        track.identify("6", {"email": "lucy@example.com", "city": "Rome"})
        track.merge_customers("5", Identifier("lucy@example.com", "email"))
        (person,) = sandbox.people

        assert (person.id, person.attributes["city"]) == ("5", "Rome")

    def test_devices(self, track: TrackClient, sandbox: Sandbox) -> None:
        """``last_used`` is the device's own, all else are its attributes."""
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
        """Whatever characters it has."""
        track.track(customer, "seen")
        track.delete_device(customer, "a/../b")

        assert [event.customer for event in sandbox.events] == [name]

    def test_a_cio_id_is_told_from_an_id(self, track: TrackClient, sandbox: Sandbox) -> None:
        """With its prefix or without."""
        track.identify("5")
        cio_id = sandbox.people[0].cio_id
        track.track(Identifier(cio_id, "cio_id"), "one")
        track.track(Identifier(f"cio_{cio_id}", "cio_id"), "two")

        assert [event.customer for event in sandbox.events] == ["5", "5"]

    def test_region(self, sandbox: Sandbox, track: TrackClient) -> None:
        """It is Customer.io that says which, and the credentials are tested by the way."""
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
        """Somebody else has answered, most likely."""
        with talk(answer(200, body)) as (_server, client), pytest.raises(APIError):
            client.region()

    def test_people_are_in_a_segment(self, track: TrackClient, sandbox: Sandbox) -> None:
        """Up to a thousand at once, whom any iterable names in one way."""
        people = [f"{n:0150}" for n in range(1_000)]
        track.identify(people[-1], {"email": "a@example.com"})
        track.add_to_segment(7, iter(people))
        track.add_to_segment(8, {"a@example.com"})
        assert [person.segments for person in sandbox.people] == [[7, 8]]

        track.remove_from_segment(7, [{"email": "a@example.com"}])
        assert [person.segments for person in sandbox.people] == [[8]]

    def test_a_segment_is_part_of_no_batch(self, track: TrackClient, sandbox: Sandbox) -> None:
        """Version 2 has no operation for it."""
        with pytest.raises(ParamError, match="number 0 cannot be part of a batch"):
            track.batch([AddToSegment(7, ["5"])])

        assert sandbox.requests == []

    def test_send_takes_any_call(self, track: TrackClient, sandbox: Sandbox) -> None:
        """The verbs are shorthands for it."""
        track.send(Track("5", "bought", id=ULID))

        assert sandbox.events[0].id == ULID

    @pytest.mark.parametrize("call", [SendEmail(to="a@b.c", identifiers="5"), None, {"a": 1}])
    def test_send_takes_nothing_else(self, track: TrackClient, call: object) -> None:
        """Messages go through the other client."""
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
    "add_to_segment": lambda client, timeout: client.add_to_segment(7, ["5"], timeout=timeout),
    "remove_from_segment": lambda client, timeout: client.remove_from_segment(
        7, ["5"], timeout=timeout
    ),
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
        """Whatever its own timeout."""
        with talk(stall()) as (_server, client), deadline(0.3), pytest.raises(AnswerTimeoutError):
            VERBS[verb](client, 60)

    def test_the_clients_own(self) -> None:
        """For all verbs that have none."""
        with talk(stall(), timeout=0.3) as (_server, client), pytest.raises(AnswerTimeoutError):
            client.track("5", "x")


class TestLimits:
    def test_data_up_to_the_limit_arrives(self, track: TrackClient, sandbox: Sandbox) -> None:
        """Although it is more than one operation of v2 may have."""
        track.track("5", "big", {"text": "x" * 90_000})
        track.identify("5", {"text": "x" * 90_000})

        assert len(sandbox.events[0].data["text"]) == 90_000

    @pytest.mark.parametrize("verb", ["track", "track_anonymous", "identify", "add_device"])
    def test_data_over_the_limit_is_refused(self, verb: str) -> None:
        """Before anything is sent."""
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
            ("add_to_segment", (0, ["5"]), "segment_id"),
            ("remove_from_segment", (7, ["5", "a@example.com"]), "customers"),
        ],
    )
    def test_what_cannot_be_is_refused(
        self, verb: str, arguments: tuple[object, ...], param: str
    ) -> None:
        """Before anything is sent, with the name of the parameter."""
        with talk() as (server, client), pytest.raises(ParamError) as raised:
            getattr(client, verb)(*arguments)

        assert raised.value.param == param
        assert server.connections == 0
