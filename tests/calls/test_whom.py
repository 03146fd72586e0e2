"""Whom a call concerns: a person is one person, whichever way a call takes."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from cio_events import (
    AddDevice,
    AddRelationships,
    Call,
    CustomerIOProcessor,
    Delete,
    DeleteDevice,
    Identifier,
    Identify,
    Merge,
    ObjectIdentifier,
    ParamError,
    Pipeline,
    Relationship,
    SendInApp,
    Suppress,
    Track,
    TrackClient,
    Unsuppress,
)
from tests.support.servers import ScriptedServer

WHO: list[tuple[Any, str, str]] = [
    ("5", "id", "5"),
    ("lucy@example.com", "email", "lucy@example.com"),
    ("cio_17", "cio_id", "17"),
    ("CIO_17", "id", "CIO_17"),
    (5, "id", "5"),
    (uuid.UUID(int=5), "id", str(uuid.UUID(int=5))),
    (np.int64(5), "id", "5"),
    (enum.IntEnum("Shop", {"LUCY": 5}).LUCY, "id", "5"),  # type: ignore[attr-defined]
    ({"id": "lucy@example.com"}, "id", "lucy@example.com"),
    ({"id": 5}, "id", "5"),
    ({"email": "lucy@example.com"}, "email", "lucy@example.com"),
    ({"cio_id": "cio_17"}, "cio_id", "17"),
    ({"cio_id": "17"}, "cio_id", "17"),
    ({"phone": "+15551234567"}, "phone", "+15551234567"),
    (MappingProxyType({"email": "lucy"}), "email", "lucy"),
    (Identifier("cio_17"), "id", "cio_17"),
    (Identifier("cio_17", "cio_id"), "cio_id", "17"),
    (Identifier("+15551234567", "phone"), "phone", "+15551234567"),
]

CALLS: list[Callable[[Any], Call]] = [
    lambda who: Identify(who, {"plan": "pro"}),
    lambda who: Track(who, "bought"),
    Delete,
    Suppress,
    Unsuppress,
    lambda who: AddDevice(who, "t0k3n", "ios"),
    lambda who: DeleteDevice(who, "t0k3n"),
]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """It takes all that comes."""
    with ScriptedServer() as server:
        yield server


def named(server: ScriptedServer) -> list[dict[str, str]]:
    """Whom each request so far is about, as Customer.io understands it."""
    people = []
    for request in server.requests:
        path = unquote(request.target)
        if path.startswith("/api/v1/customers/"):
            value = path.split("/")[4]
            if "@" in value:
                people.append({"email": value})
            elif value.startswith("cio_"):
                people.append({"cio_id": value.removeprefix("cio_")})
            else:
                people.append({"id": value})
        else:
            body = request.json
            people += [one["identifiers"] for one in body.get("batch", [body])]
    return people


@pytest.mark.parametrize(("who", "type_", "value"), WHO)
def test_a_person_is_one_person(server: ScriptedServer, who: Any, type_: str, value: str) -> None:
    """By a pipeline's batches, by v1, by a client, and in a message."""
    calls = [make(who) for make in CALLS]
    for api in ("v2", "v1"):
        with Pipeline(site_id="a", api_key="b", track_url=server.url, api=api) as pipeline:
            for call in calls:
                assert pipeline.send(call)
    with TrackClient("a", "b", url=server.url) as client:
        for call in calls:
            client.send(call)

    assert named(server) == [{type_: value}] * len(calls) * 3
    message = SendInApp(transactional_message_id=3, identifiers=who)
    assert message.identifiers == Identifier(value, type_)  # type: ignore[arg-type]
    assert Relationship(who).to == message.identifiers


@pytest.mark.parametrize("who", ["lucy@example.com", "cio_17", "5", {"email": "l@example.com"}])
def test_a_large_call_goes_to_the_same_person(server: ScriptedServer, who: Any) -> None:
    """Where v2 ends, v1 is told the same."""
    with Pipeline(site_id="a", api_key="b", track_url=server.url) as pipeline:
        pipeline.track(who, "small")
        assert pipeline.flush(10)
        pipeline.track(who, "large", {"text": "x" * 50_000})

    small, large = named(server)
    assert small == large


@pytest.mark.parametrize("who", [{"id": "lucy@example.com"}, {"id": "cio_17"}, {"phone": "+1555"}])
def test_what_v1_cannot_say_is_too_large_for_v2(server: ScriptedServer, who: Any) -> None:
    """Rather than that it goes to somebody else."""
    with Pipeline(site_id="a", api_key="b", track_url=server.url) as pipeline:
        assert not pipeline.track(who, "large", {"text": "x" * 50_000})
        assert pipeline.stats().failed_by_reason == {"too_large": 1}
    with (
        TrackClient("a", "b", url=server.url) as client,
        pytest.raises(ParamError, match=r"data: is over 32000 bytes.* cannot go by v1") as error,
    ):
        client.track(who, "large", {"text": "x" * 50_000})

    assert error.value.limit == 32_000
    assert server.requests == []


def test_relationships_that_v1_alone_has_need_an_identifier_that_it_has() -> None:
    """Neither way says all of it."""
    call = Identify({"phone": "+1555"}, {"cio_relationships": {"action": "delete_relationships"}})

    with TrackClient("a", "b", url="http://127.0.0.1:1") as client, pytest.raises(ParamError):
        client.send(call)


@pytest.mark.parametrize(
    "who",
    [
        {},
        {"id": "5", "email": "a@b.c"},
        {"name": "lucy"},
        {5: "5"},
        {"id": ""},
        {"id": None},
        True,
        np.True_,
        1.5,
        None,
        [],
        "cio_",
        {"cio_id": "cio_"},
        b"5",
    ],
)
def test_what_names_nobody_is_refused(who: Any) -> None:
    """The error names the parameter."""
    with pytest.raises(ParamError, match="customer: "):
        Track(who, "bought")


def test_a_merge_knows_no_phone() -> None:
    """Customer.io has no such merge."""
    for people in (("5", {"phone": "+1555"}), (Identifier("+1555", "phone"), "5")):
        with pytest.raises(ParamError, match="ary: a merge cannot name a person by phone"):
            Merge(*people)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("id_type", "who", "told"),
    [
        ("id", "lucy@example.com", {"id": "lucy@example.com"}),
        ("id", "cio_17", {"id": "cio_17"}),
        ("email", "lucy", {"email": "lucy"}),
        ("cio_id", "cio_17", {"cio_id": "17"}),
        ("cio_id", "17", {"cio_id": "17"}),
        ("phone", 1555, {"phone": "1555"}),
        ("id", {"email": "a@b.c"}, {"email": "a@b.c"}),
        ("email", Identifier("5"), {"id": "5"}),
        ("auto", "lucy@example.com", {"email": "lucy@example.com"}),
    ],
)
def test_the_option_says_what_a_plain_text_means(
    server: ScriptedServer, id_type: Any, who: Any, told: dict[str, str]
) -> None:
    """In each verb, plain events among them; what says its type keeps it."""
    with Pipeline(
        site_id="a", api_key="b", track_url=server.url, id_type=id_type, max_pending=9
    ) as pipeline:
        pipeline.track(who, "bought")
        pipeline.track(who, "bought", {"at": object()})
        pipeline.identify(who, {"plan": "pro"})
        pipeline.add_device(who, "t0k3n", "ios")
        process = CustomerIOProcessor(pipeline)
        process(None, "info", {"event": "bought", "cio_customer": who})
        process(None, "info", {"event": "x", "cio": "identify", "cio_identity": who})
        pipeline.add_relationships(ObjectIdentifier("1", "acme"), [who])

    *people, _ = named(server)
    assert people == [told] * 6
    (body,) = [request.json for request in server.requests]
    assert body["batch"][-1]["cio_relationships"] == [{"identifiers": told}]


def test_the_prefix_is_of_v1_paths_only(server: ScriptedServer) -> None:
    """Everywhere else the type is said."""
    with TrackClient("a", "b", url=server.url) as client:
        client.track("cio_17", "bought")
        client.merge_customers("cio_17", {"cio_id": "18"})
        client.send(AddRelationships("cio_17", [ObjectIdentifier("1", "acme")]))

    event, merge, related = server.requests
    assert event.target == "/api/v1/customers/cio_17/events"
    assert merge.json == {"primary": {"cio_id": "17"}, "secondary": {"cio_id": "18"}}
    assert related.json["identifiers"] == {"cio_id": "17"}


def test_a_prefix_that_is_there_twice_is_no_part_of_a_cio_id() -> None:
    """Else v1, which reads a text by its shape, and v2 would mean two people."""
    for who in ("cio_cio_17", {"cio_id": "cio_cio_17"}, Identifier("cio_cio_17", "cio_id")):
        assert Delete(who).customer == Identifier("17", "cio_id")
    with pytest.raises(ParamError, match="customer: must not be blank"):
        Delete("cio_cio_")
