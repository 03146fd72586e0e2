"""Manual segments: whom a call may name, how many, and what it is refused for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from cio_events import AddToSegment, Call, Identifier, ParamError, RemoveFromSegment
from cio_events._wire.encode import call_of, encode
from cio_events._wire.envelope import Route, route_of
from cio_events._wire.single import request_of

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
NOW = 1_700_000_000_000

each_kind = pytest.mark.parametrize("make", [AddToSegment, RemoveFromSegment])


class Segment(IntEnum):
    """An application's own name for a number."""

    FRIENDS = 7


class Broken:
    """An iterable of an application's that fails."""

    def __iter__(self) -> Iterator[str]:
        yield "secret"
        raise RuntimeError("secret")


@each_kind
@pytest.mark.parametrize(
    ("customers", "named"),
    [
        (["5", 6, UUID(int=7)], [("5", "id"), ("6", "id"), (str(UUID(int=7)), "id")]),
        (("a@example.com", {"email": "b"}), [("a@example.com", "email"), ("b", "email")]),
        (
            {"cio_a1", Identifier("a2", "cio_id")},
            [("a1", "cio_id"), ("a2", "cio_id")],
        ),
        ({"5": None}.keys(), [("5", "id")]),
        ([Identifier("a@b", "id"), "5"], [("a@b", "id"), ("5", "id")]),
    ],
)
def test_people_are_named_as_everywhere(
    make: Callable[..., Any], customers: Any, named: list[tuple[str, str]]
) -> None:
    """In any iterable, by what a plain text has the shape of, or with the type said."""
    call = make(Segment.FRIENDS, customers)

    assert (call.segment_id, type(call.segment_id)) == (7, int)
    assert sorted((who.value, who.type) for who in call.customers) == sorted(named)


@each_kind
@pytest.mark.parametrize(
    ("segment", "customers", "param", "limit"),
    [
        (0, ["5"], "segment_id", None),
        (-7, ["5"], "segment_id", None),
        (True, ["5"], "segment_id", None),
        ("7", ["5"], "segment_id", None),
        (7.0, ["5"], "segment_id", None),
        (None, ["5"], "segment_id", None),
        (2**31, ["5"], "segment_id", 2**31 - 1),
        (7, [], "customers", None),
        (7, None, "customers", None),
        (7, "56", "customers", None),
        (7, b"56", "customers", None),
        (7, {"id": "5"}, "customers", None),
        (7, Identifier("5"), "customers", None),
        (7, ["5", ""], "customers", None),
        (7, ["5", None], "customers", None),
        (7, ["5", ".."], "customers", None),
        (7, ["x" * 151], "customers", 150),
        (7, ["5", "secret@example.com"], "customers", None),
        (7, [{"phone": "+15551234567"}], "customers", None),
        (7, range(1_001), "customers", 1_000),
        (7, count(), "customers", 1_000),
        (7, Broken(), "customers", None),
    ],
)
def test_what_cannot_be_is_refused(
    make: Callable[..., Any], segment: Any, customers: Any, param: str, limit: int | None
) -> None:
    """With the parameter's name and the limit, and without what was given."""
    with pytest.raises(ParamError) as raised:
        make(segment, customers)

    assert (raised.value.param, raised.value.limit) == (param, limit)
    assert "secret" not in str(raised.value)
    assert limit is None or str(limit) in str(raised.value)


@pytest.mark.parametrize("letter", ["x", "é", '"', "\x01"])
@each_kind
def test_a_thousand_of_the_longest_ids_wait_and_leave(
    make: Callable[..., Any], letter: str
) -> None:
    """However long JSON makes them: no size of an operation bounds what is none."""
    room = 150 // len(letter.encode()) - 4
    call: Call = make(7, [letter * room + f"{n:04}" for n in range(1_000)])
    for api in ("v2", "v1"):
        envelope = encode(call, ULID, NOW, api)  # type: ignore[arg-type]

        assert route_of(envelope) is Route.SINGLE
        assert call_of(envelope) == call
        assert request_of(envelope[33:]).path.startswith("/api/v1/segments/7/")


@each_kind
def test_nobody_is_shown(make: Callable[..., Any]) -> None:
    """A call's repr has no personal data."""
    assert repr(make(7, ["secret"])) == f"<{make.__name__}>"  # type: ignore[attr-defined]
