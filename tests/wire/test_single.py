"""Track API v1: each call as the one request that the vendor's page on it describes."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_events import (
    AddDevice,
    AddToSegment,
    Call,
    Delete,
    DeleteDevice,
    Identifier,
    Identify,
    Merge,
    RemoveFromSegment,
    Suppress,
    Track,
    TrackAnonymous,
    Unsuppress,
)
from cio_events._wire import single as v1
from cio_events._wire.encode import encode
from cio_events._wire.envelope import body_of

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
OTHER = "01BX5ZZKBKACTAV9WEVGEMMVRZ"


def sent(call: Call, id_: str | None = None) -> tuple[str, str, Any]:
    """The request as it leaves: method, path, and the meaning of its body."""
    request = v1.request(call, id_)
    return request.method, request.path, request.body and orjson.loads(request.body)


@pytest.mark.parametrize(
    ("call", "method", "path", "body"),
    [
        (Identify("5", {"plan": "pro"}), "PUT", "/api/v1/customers/5", {"plan": "pro"}),
        (Identify("5"), "PUT", "/api/v1/customers/5", {}),
        (
            Identify("5", {"plan": "pro"}, timestamp=7),
            "PUT",
            "/api/v1/customers/5",
            {"plan": "pro", "_timestamp": 7},
        ),
        (
            Track("5", "bought", {"price": 1.5}),
            "POST",
            "/api/v1/customers/5/events",
            {"name": "bought", "data": {"price": 1.5}},
        ),
        (
            Track("5", "/home", type="page", id=ULID, timestamp=7),
            "POST",
            "/api/v1/customers/5/events",
            {"name": "/home", "type": "page", "id": ULID, "timestamp": 7, "data": {}},
        ),
        (
            Track("5", "home", type="screen"),
            "POST",
            "/api/v1/customers/5/events",
            {"name": "home", "type": "screen", "data": {}},
        ),
        (
            TrackAnonymous("anon", "bought", {"price": 1}, timestamp=0),
            "POST",
            "/api/v1/events",
            {"name": "bought", "data": {"price": 1}, "anonymous_id": "anon", "timestamp": 0},
        ),
        (
            TrackAnonymous(None, "invited", {"recipient": "a@example.com"}),
            "POST",
            "/api/v1/events",
            {"name": "invited", "data": {"recipient": "a@example.com"}},
        ),
        (Delete("5"), "DELETE", "/api/v1/customers/5", None),
        (Suppress("5"), "POST", "/api/v1/customers/5/suppress", None),
        (Unsuppress("5"), "POST", "/api/v1/customers/5/unsuppress", None),
        (
            Merge(Identifier("a@example.com", "email"), Identifier("7", "cio_id")),
            "POST",
            "/api/v1/merge_customers",
            {"primary": {"email": "a@example.com"}, "secondary": {"cio_id": "7"}},
        ),
        (
            Merge("5", "6"),
            "POST",
            "/api/v1/merge_customers",
            {"primary": {"id": "5"}, "secondary": {"id": "6"}},
        ),
        (
            AddDevice("5", "token", "ios"),
            "PUT",
            "/api/v1/customers/5/devices",
            {"device": {"id": "token", "platform": "ios"}},
        ),
        (
            AddDevice(
                "5",
                "token",
                "android",
                {
                    "last_used": datetime(2024, 1, 1, tzinfo=timezone.utc),
                    "app_version": "1.2",
                    "id": "theirs",
                    "platform": "tv",
                },
            ),
            "PUT",
            "/api/v1/customers/5/devices",
            {
                "device": {
                    "id": "token",
                    "platform": "android",
                    "last_used": 1704067200,
                    "attributes": {"app_version": "1.2", "id": "theirs", "platform": "tv"},
                }
            },
        ),
        (DeleteDevice("5", "token"), "DELETE", "/api/v1/customers/5/devices/token", None),
        (
            AddToSegment(7, ["5", 6]),
            "POST",
            "/api/v1/segments/7/add_customers?id_type=id",
            {"ids": ["5", "6"]},
        ),
        (
            AddToSegment(7, [Identifier("a@b", "id")]),
            "POST",
            "/api/v1/segments/7/add_customers?id_type=id",
            {"ids": ["a@b"]},
        ),
        (
            RemoveFromSegment(7, ["a@example.com"]),
            "POST",
            "/api/v1/segments/7/remove_customers?id_type=email",
            {"ids": ["a@example.com"]},
        ),
        (
            RemoveFromSegment(7, ["cio_a1", {"cio_id": "a2"}]),
            "POST",
            "/api/v1/segments/7/remove_customers?id_type=cio_id",
            {"ids": ["a1", "a2"]},
        ),
    ],
    ids=lambda part: type(part).__name__ if isinstance(part, Call) else "",
)
def test_call_is_the_request_that_the_vendor_describes(
    call: Call, method: str, path: str, body: Any
) -> None:
    """Method, path and body, and nothing that was not set."""
    assert sent(call) == (method, path, body)


def test_event_without_an_id_gets_the_one_it_is_known_by() -> None:
    """Its own id goes before it; other calls have none."""
    assert sent(Track("5", "x"), OTHER)[2]["id"] == OTHER
    assert sent(TrackAnonymous("5", "x"), OTHER)[2]["id"] == OTHER
    assert sent(Track("5", "x", id=ULID), OTHER)[2]["id"] == ULID
    assert sent(Identify("5", {}), OTHER)[2] == {}


@pytest.mark.parametrize(
    ("who", "segment"),
    [
        ("5", "5"),
        ("Az-._~", "Az-._~"),
        ("a/b", "a%2Fb"),
        ("a b+c&d=e?f#g%2F", "a%20b%2Bc%26d%3De%3Ff%23g%252F"),
        ("é…", "%C3%A9%E2%80%A6"),
        ("...", "..."),
        (Identifier("a.b+c@example.com", "email"), "a.b%2Bc%40example.com"),
        (Identifier("03000001", "cio_id"), "cio_03000001"),
        (Identifier("cio_03000001", "cio_id"), "cio_03000001"),
        ("cio_5", "cio_5"),
    ],
)
def test_identifier_in_the_path_is_percent_encoded(who: Any, segment: str) -> None:
    """Nothing is kept but letters, digits and ``-._~``; a cio_id has its prefix once."""
    for call in (Identify(who), Delete(who), Track(who, "x"), AddDevice(who, "t", "ios")):
        assert sent(call)[1].split("/")[4] == segment


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=37))
def test_whatever_the_identifiers_are_they_arrive(text: str) -> None:
    """A path has as many segments as the vendor's, and they decode to what was given."""
    text = f"x{text}"
    path = sent(DeleteDevice(text, text))[1]

    segments = path.split("/")
    assert [unquote(segment) for segment in segments] == [
        "",
        "api",
        "v1",
        "customers",
        text,
        "devices",
        text,
    ]


def test_relationships_have_the_form_of_this_version() -> None:
    """A list, which is v2's form, is wrapped as v1 has it; v1's own form stays."""
    related = [{"identifiers": {"object_type_id": "1", "object_id": "acme"}}]
    added = {"action": "add_relationships", "relationships": related}
    removed = {"action": "delete_relationships", "relationships": related}

    assert sent(Identify("5", {"cio_relationships": related}))[2] == {"cio_relationships": added}
    assert sent(Identify("5", {"cio_relationships": added}))[2] == {"cio_relationships": added}
    assert sent(Identify("5", {"cio_relationships": removed}))[2] == {"cio_relationships": removed}


def test_waiting_operation_becomes_the_same_request() -> None:
    """A call that waited has the id and the time that it was accepted with, and is the same."""
    waited = v1.request_of(body_of(encode(Track("a/b", "x", {"a": 2**70}), ULID, 7_000, "v1")))

    assert waited == v1.request(Track("a/b", "x", {"a": 2**70}, id=ULID, timestamp=7), None)


def test_request_does_not_show_whom_it_is_about() -> None:
    """Its repr is fit for a log."""
    assert repr(v1.request(Delete("secret"), None)) == "<Request DELETE>"
