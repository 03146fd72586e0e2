"""Raw operations: what is checked, how they arrive in each way, and that they are known again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cio_events import Operation, ParamError, Pipeline, Track, TrackClient
from cio_events._wire.encode import call_of, customers_of, encode
from cio_events._wire.envelope import body_of
from cio_events.sandbox import Sandbox
from tests.sources.ways import SOURCES
from tests.support.servers import ScriptedServer, answer

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
NOW = 1_700_000_000_000

EVENT = {"type": "person", "identifiers": {"id": "5"}, "action": "event", "name": "bought"}
NEW = {"type": "pet", "identifiers": {"pet_id": 7}, "action": "feed", "food": {"a": [1, None]}}
METRIC = {"type": "metric", "action": "report", "identifiers": {"id": "5"}}

Way = Callable[[str, Operation], None]


def by_client(url: str, call: Operation) -> None:
    """One request."""
    with TrackClient("a", "b", url=url) as client:
        client.send(call)


def by_batch(url: str, call: Operation) -> None:
    """One request with others."""
    with TrackClient("a", "b", url=url) as client:
        assert client.batch([call]) == []


def by_pipeline(url: str, call: Operation, **options: Any) -> None:
    """In the background."""
    with Pipeline(site_id="a", api_key="b", track_url=url, **options) as pipeline:
        assert pipeline.send(call)
        assert pipeline.flush(20)
        assert pipeline.stats().sent == 1


WAYS: dict[str, tuple[Way, str]] = {
    "client": (by_client, "/api/v2/entity"),
    "batch": (by_batch, "/api/v2/batch"),
    "pipeline": (by_pipeline, "/api/v2/batch"),
    "pipeline v1": (lambda url, call: by_pipeline(url, call, api="v1"), "/api/v2/entity"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "operation", [NEW, {"type": "metric", "action": "report", **EVENT}, EVENT]
)
def test_it_is_sent_as_it_is(way: str, operation: dict[str, Any]) -> None:
    """Also if it looks like a call of another kind, which might be written otherwise."""
    send, path = WAYS[way]
    with ScriptedServer([answer()] * 2) as server:
        send(server.url, Operation(operation))
        (request,) = server.requests

    told = json.loads(request.body)
    (sent,) = told.get("batch", [told])
    added = {"id", "timestamp"} if operation.get("action") == "event" else set()
    assert request.target == path
    assert {name: value for name, value in sent.items() if name not in added} == {
        **operation,
        "identifiers": {key: str(one) for key, one in operation["identifiers"].items()},
    }
    assert {*sent} == {*operation} | added


@pytest.mark.parametrize("source", SOURCES)
def test_a_log_line_asks_for_it(source: Any, sandbox: Sandbox) -> None:
    """And shows none of its data."""
    with Pipeline(site_id="a", api_key="b", track_url=sandbox.url) as pipeline:
        line = source(pipeline)("it", cio=Operation({**EVENT, "attributes": {"price": 1.5}}))
        assert pipeline.flush(20)
    (event,) = sandbox.events

    assert (event.customer, event.name, event.data) == ("5", "bought", {"price": 1.5})
    assert line["cio"] == "operation"
    assert len(line["cio_event_id"]) == 26
    assert event.id == line["cio_event_id"]


def test_an_event_gets_what_makes_a_retry_safe() -> None:
    """What it has it keeps."""
    body = json.loads(body_of(encode(Operation(EVENT), ULID, NOW, "v2")))
    own = json.loads(body_of(encode(Operation({**EVENT, "id": "x"}), ULID, NOW, "v2")))
    identify = json.loads(
        body_of(encode(Operation({**EVENT, "action": "identify"}), ULID, NOW, "v2"))
    )

    assert (body["id"], body["timestamp"]) == (ULID, NOW // 1000)
    assert own["id"] == "x"
    assert ("id" in identify, identify["timestamp"]) == (False, NOW // 1000)


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize("operation", [NEW, EVENT, {"identifiers": {"id": "5"}}])
def test_it_is_known_again_where_it_waits(api: Any, operation: dict[str, Any]) -> None:
    """Not as the kind of call that it looks like."""
    told = call_of(encode(Operation(operation), ULID, NOW, api))

    assert isinstance(told, Operation)
    assert told.operation.items() >= Operation(operation).operation.items()


def test_a_dead_letter_holds_it(tmp_path: Path) -> None:
    """It is read back, and resent as it is."""
    refusal = answer(400, b'{"errors": [{"reason": "invalid", "message": "no such type"}]}')
    with (
        ScriptedServer([refusal, refusal]) as server,
        Pipeline(
            site_id="a", api_key="b", track_url=server.url, spool=tmp_path / "spool"
        ) as pipeline,
    ):
        assert pipeline.send(Operation(NEW))
        assert pipeline.flush(20)
        (letter,) = pipeline.failures()
        assert letter.call == Operation(NEW)
        assert pipeline.resend() == 1
        assert pipeline.flush(20)
        bodies = [json.loads(request.body) for request in server.requests]

    assert bodies[0] == bodies[-1]


@pytest.mark.parametrize(
    ("operation", "customers"),
    [
        (EVENT, ("5",)),
        (
            {"action": "merge", "primary": {"id": "5"}, "secondary": {"email": "a@b.c"}},
            ("5", "a@b.c"),
        ),
        ({"identifiers": {"cio_id": "cio_a1"}}, ("cio_a1",)),
        (
            {
                "identifiers": {"object_type_id": 1, "object_id": "acme"},
                "cio_relationships": [{"identifiers": {"id": "5"}}, {"identifiers": {}}, 5, {}],
            },
            ("1 acme", "5"),
        ),
        ({**EVENT, "cio_relationships": {"action": "x"}}, ("5",)),
    ],
)
def test_the_order_is_kept_by_its_identifiers(
    operation: dict[str, Any], customers: tuple[str, ...]
) -> None:
    """By the same keys as those of other calls."""
    assert customers_of(encode(Operation(operation), ULID, NOW, "v2")) == customers


def test_order_with_other_calls_of_the_customer(sandbox: Sandbox) -> None:
    """As they were logged."""
    with Pipeline(site_id="a", api_key="b", track_url=sandbox.url) as pipeline:
        for number in range(6):
            name = f"{number}"
            large = {"text": "x" * 40_000} if number % 3 == 0 else {}
            call = Operation({**EVENT, "name": name}) if number % 2 else Track("5", name, large)
            assert pipeline.send(call)
        assert pipeline.flush(20)

    assert [event.name for event in sandbox.events] == list("012345")


@pytest.mark.parametrize(
    ("operation", "param"),
    [
        (None, "operation"),
        ("x", "operation"),
        ([EVENT], "operation"),
        ({}, "operation"),
        ({"type": "person"}, "operation"),
        ({5: 1, **EVENT}, "operation"),
        ({"identifiers": None}, "identifiers"),
        ({"identifiers": {}}, "identifiers"),
        ({"identifiers": {5: "5"}}, "identifiers"),
        ({"identifiers": {"id": ""}}, "id"),
        ({"identifiers": {"id": None}}, "id"),
        ({"identifiers": {"email": "x" * 151}}, "email"),
        ({"identifiers": {"pet": True}}, "pet"),
        ({"primary": {"id": "5"}, "secondary": {"id": ".."}}, "id"),
    ],
)
def test_wrong_identifiers_are_refused(operation: Any, param: str) -> None:
    """Naming the field."""
    with pytest.raises(ParamError) as caught:
        Operation(operation)

    assert caught.value.param == param


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_one_that_is_too_large_is_refused(api: Any, sandbox: Sandbox) -> None:
    """No other way takes more."""
    large = Operation({**EVENT, "attributes": {"text": "x" * 32_000}})
    with Pipeline(site_id="a", api_key="b", track_url=sandbox.url, api=api) as pipeline:
        assert not pipeline.send(large)
        assert pipeline.stats().failed_by_reason == {"too_large": 1}
    with TrackClient("a", "b", url=sandbox.url) as client, pytest.raises(ParamError) as caught:
        client.send(large)

    assert caught.value.limit == 32_000
    assert sandbox.requests == []


def test_it_shows_nothing_of_a_person_and_stays_as_it_was_made() -> None:
    """As every call."""
    given = {**EVENT}
    call = Operation(given)
    given["name"] = "sold"

    assert repr(call) == "<Operation>"
    assert call.operation["name"] == "bought"
    with pytest.raises(AttributeError):
        call.operation = {}  # type: ignore[misc]
