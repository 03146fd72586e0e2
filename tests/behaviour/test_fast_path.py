"""A plain event, which goes from its values to its bytes, fares as a `Track` does."""

from __future__ import annotations

import itertools
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cio_events import CustomerIOHandler, CustomerIOProcessor, ParamError, Pipeline, Track
from cio_events._calls.validation import obviously_fits
from cio_events._wire.encode import encode
from cio_events._wire.plain_event import encode_event
from tests.behaviour.watching import settled
from tests.support.servers import ScriptedServer

MakePipeline = Callable[..., Pipeline]

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
NOW = 1_704_067_200_123  # milliseconds

texts = st.text(max_size=5) | st.sampled_from(
    [".", "..", "/", "5", " 5", "5 ", "\t", "é", "x" * 150, "x" * 151, "é" * 76, "\ud800", "a.b@c"]
)
customers = texts | st.integers() | st.none() | st.uuids() | st.booleans()
event_names = texts | st.sampled_from(["x" * 100, "x" * 101, " x" * 50, "\x1f", "é" * 51])
values = st.none() | st.integers() | st.floats() | st.text(max_size=9) | st.datetimes()
payloads = st.dictionaries(st.text(max_size=9) | st.integers(0, 9), values, max_size=4)


@given(customers, event_names | st.integers() | st.none(), payloads, st.integers(0, 2**33))
@example("é" * 76, "x", {}, 0)
@example("5", "é" * 51, {}, 0)
@example("5", "x", {"long": "x" * 2_000}, 0)
@example("5", "x", {"name" * 40: 1}, 0)
@example("5", "x", {f"{number}": 1 for number in range(301)}, 0)
@settings(deadline=None)
def test_its_bytes_are_those_of_the_track(
    customer: Any, name: Any, data: dict[Any, object], timestamp: int
) -> None:
    """Or it does not go that way: what cannot be is never let through."""
    envelope = None
    if obviously_fits(data):
        envelope = encode_event(customer, name, data, ULID, NOW, timestamp)

    if envelope is not None:
        track = Track(customer, name, data, timestamp=timestamp)
        assert envelope == encode(track, ULID, NOW, "v2")


@pytest.mark.parametrize("customer", ["5", "a@example.com", str(uuid.UUID(int=7)), "x" * 150])
@pytest.mark.parametrize("name", ["purchase", " Order Completed ", "x" * 100])
def test_usual_ones_go_that_way(customer: str, name: str) -> None:
    """Otherwise there would be no point in having it."""
    data: dict[str, object] = {"price": 13.99, "at": datetime(2024, 1, 1, tzinfo=timezone.utc)}

    assert encode_event(customer, name, data, ULID, NOW, 0) is not None


class _Text(str):
    __slots__ = ()


EVENTS: list[tuple[Any, Any, Any]] = [
    ("5", "usual", {"price": 13.99, "tags": {"a", "b"}}),
    ("5", "no data", {}),
    ("5", " trimmed ", {"a": 1}),
    (5, "integer", {"a": 1}),
    (uuid.UUID(int=5), "uuid", {"a": 1}),
    (_Text("5"), _Text("subclass"), {_Text("a"): _Text("b")}),
    ("é", "é", {"é": "é"}),
    ("5", "large", {"pad": "x" * 20_000}),
    ("5", "alone", {"pad": "x" * 50_000}),
    ("5", "too large", {"pad": "x" * 100_001}),
    ("5", "many", {f"{number}": number for number in range(300)}),
    ("5", "too many", {f"{number}": number for number in range(301)}),
    ("5", "long name", {"x" * 151: 1}),
    ("5", "odd names", {5: 1, None: 2}),
    ("5", "lone surrogate", {"a": "\ud800"}),
    ("5", "x" * 101, {}),
    ("5", "", {}),
    ("5", None, {}),
    ("x" * 151, "long id", {}),
    ("", "blank id", {}),
    ("..", "path", {}),
    (True, "boolean", {}),
    (None, "nobody", {}),
]


def _by_verb(pipeline: Pipeline, customer: Any, name: Any, data: Any) -> None:
    pipeline.track(customer, name, data)


def _by_verb_with_another_mapping(pipeline: Pipeline, customer: Any, name: Any, data: Any) -> None:
    pipeline.track(customer, name, MappingProxyType(data))


def _by_structlog(pipeline: Pipeline, customer: Any, name: Any, data: Any) -> None:
    process = CustomerIOProcessor(pipeline)
    process(None, "info", {"cio_customer": customer, "event": name, **data})


def _by_logging(pipeline: Pipeline, customer: Any, name: Any, data: Any) -> None:
    record = logging.LogRecord("shop", logging.INFO, __file__, 1, name, (), None)
    # Two of one moment would be a record and a queue's copy of it.
    record.created = NOW / 1000 + next(_MICROSECONDS) / 1_000_000
    record.__dict__.update({"cio_customer": customer, **data})
    CustomerIOHandler(pipeline).handle(record)


_MICROSECONDS = itertools.count()

WAYS = [_by_verb, _by_verb_with_another_mapping, _by_structlog, _by_logging]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """It takes all that comes."""
    with ScriptedServer() as server:
        yield server


def _delivered(server: ScriptedServer) -> list[tuple[str, object]]:
    """What has arrived since the last look, without what differs from one event to the next."""
    arrived: list[tuple[str, object]] = []
    for request in server.requests:
        operations = request.json.get("batch", [request.json])
        for operation in operations:
            assert operation.pop("id")
            if operation.get("timestamp") != NOW // 1000:
                assert operation.pop("timestamp") > NOW // 1000
        arrived.append((request.target, operations))
    server.requests.clear()
    return arrived


@pytest.mark.parametrize("way", WAYS)
def test_each_fares_as_by_the_other_way(
    way: Callable[..., None], make: MakePipeline, server: ScriptedServer
) -> None:
    """With a ``before_send`` there have to be objects to look at: all the rest is the same."""
    fates = []
    for before_send in (None, lambda call: call):
        fate = []
        for event in EVENTS:
            pipeline = make(track_url=server.url, before_send=before_send)
            with suppress(ParamError):
                way(pipeline, *event)
            fate.append((settled(pipeline), _delivered(server)))
        fates.append(fate)

    straight, other = fates
    for event, one, two in zip(EVENTS, straight, other, strict=True):
        assert one == two, event[1]
    assert sum(stats.sent for stats, _ in straight) == 12


def test_its_data_is_that_of_the_moment(make: MakePipeline, server: ScriptedServer) -> None:
    """What the application changes afterwards changes nothing."""
    pipeline = make(track_url=server.url, flush_interval=3600)
    cart: list[int] = [1]
    data: dict[str, object] = {"cart": cart}
    pipeline.track("5", "x", data)
    cart.append(2)
    data["late"] = True
    settled(pipeline)

    (request,) = server.requests
    assert request.json["batch"][0]["attributes"] == {"cart": [1]}


def test_it_is_dropped_when_full_as_the_others(make: MakePipeline) -> None:
    """The fast path has the same bounds."""
    pipeline = make(flush_interval=3600, max_pending=2)
    taken = [pipeline.track("5", "x", {"a": 1}) for _ in range(4)]

    assert taken == [True, True, False, False]
    assert pipeline.stats().dropped_by_reason == {"full": 2}


def test_it_is_dropped_after_the_close(make: MakePipeline) -> None:
    """The fast path ends with the pipeline."""
    pipeline = make()
    pipeline.close()

    assert not pipeline.track("5", "x", {"a": 1})
    assert pipeline.stats().dropped_by_reason == {"closed": 1}
