"""
Whatever graph of objects comes in, by whichever way: nothing raises, and the ledger balances.
"""

from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cio_events import (
    AddDevice,
    Identify,
    IdentifyObject,
    ObjectIdentifier,
    Operation,
    Pipeline,
    SendPush,
    Track,
    TrackAnonymous,
)
from cio_events._pipeline.verbs import Verbs
from tests.sources.arrivals import Arrivals
from tests.sources.ways import SOURCES, Log, by_logging, by_loguru
from tests.support.effort import times
from tests.support.graphs import BadClass, BadList, graphs

bounded = settings(
    max_examples=times(25),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

WORDS = ["track", "page", "identify", "add_device", "delete_device"]
TAGS = ["cio_event", "cio_data", "cio_timestamp", "cio_device", "cio_anonymous", "cio_identity"]
MARKS = {"cio_event_id", "cio_refused"}

PLAIN = {"plan"}

fields = st.fixed_dictionaries(
    {"cio_customer": st.just("5") | graphs(), "plan": st.just("pro")},
    optional={
        "cio": st.sampled_from(WORDS) | graphs(),
        "price": graphs(),
        "items": graphs(),
        "line\nbreak": graphs(),
        **dict.fromkeys(TAGS, graphs()),
    },
)

RENDERERS = [
    structlog.processors.JSONRenderer(),
    structlog.processors.JSONRenderer(default=lambda value: f"<{type(value).__name__}>"),
    structlog.dev.ConsoleRenderer(colors=False),
]


def received(pipeline: Pipeline) -> int:
    """How many calls came in, of a ledger that balances."""
    stats = pipeline.stats()
    assert stats.received == stats.sent + stats.failed + stats.dropped + stats.pending
    return stats.received


CALLS: list[Callable[[Any], Any]] = [
    lambda graph: Track("5", "x", {"value": graph}),
    lambda graph: Identify("5", {"value": graph}),
    lambda graph: AddDevice("5", "t", "ios", {"value": graph}),
    lambda graph: TrackAnonymous("a1", "x", {"value": graph}),
    lambda graph: IdentifyObject(ObjectIdentifier("1", "acme"), {"value": graph}),
    lambda graph: Operation({"type": "person", "identifiers": {"id": "5"}, "value": graph}),
    lambda graph: SendPush(
        identifiers="5", transactional_message_id=3, message_data={"value": graph}
    ),
]


def by_dictionary(pipeline: Pipeline) -> Log:
    """Logging, with a dictionary as the message."""
    log = by_logging(pipeline)
    return lambda event, **fields: log({"event": event, **fields})["msg"]


def by_json_fields(pipeline: Pipeline) -> Log:
    """Logging, with the dictionary that Google's client reads."""
    log = by_logging(pipeline)
    return lambda event, **fields: log(event, json_fields=fields)["json_fields"]


@pytest.mark.parametrize("source", [*SOURCES, by_dictionary, by_json_fields])
def test_no_log_line_raises(source: Any, pipeline: Pipeline, arrivals: Arrivals) -> None:
    """It is counted once, and stays as it was written, for any renderer that could render it."""
    log = source(pipeline)
    # loguru itself makes text of the message.
    events = st.text() if source is by_loguru else st.text() | graphs()

    @bounded
    @given(fields, events)
    def logged(given_: dict[str, Any], event: Any) -> None:
        before = received(pipeline)
        line = log(event, **given_)

        assert received(pipeline) == before + 1
        assert len(MARKS & line.keys()) == 1
        assert all(line[key] is value for key, value in given_.items())
        # A graph may have no form in a renderer, or next to no end. All else can be rendered.
        ours = {key: value for key, value in line.items() if key in MARKS or key in PLAIN}
        assert ours.keys() >= PLAIN
        for renderer in RENDERERS:
            assert renderer(None, "info", {"event": "it", **ours})

    logged()
    assert sum(arrivals.balance()) > 0
    # A payload of 100 000 bytes is the most, and what is beside it is bounded too.
    assert all(len(json.dumps(one)) < 110_000 for one in arrivals.operations())


@pytest.mark.parametrize("source", SOURCES)
def test_no_line_with_a_call_object_raises(
    source: Any, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Whatever the call holds, its line has plain tags that can be rendered."""
    log = source(pipeline)

    @bounded
    @given(st.sampled_from(CALLS), graphs())
    def logged(make: Callable[[Any], Any], graph: Any) -> None:
        before = received(pipeline)
        line = log("it", cio=make(graph), plan="pro")

        assert received(pipeline) == before + 1
        ours = {key: value for key, value in line.items() if key.startswith("cio")}
        assert len(MARKS & ours.keys()) == 1
        assert json.loads(json.dumps(ours)) == ours

    logged()
    assert sum(arrivals.balance()) > 0


@pytest.mark.parametrize("source", SOURCES)
def test_no_untagged_line_is_touched(source: Any, pipeline: Pipeline, arrivals: Arrivals) -> None:
    """Whatever it holds: nothing raises, nothing is counted, and it stays as it was written."""
    log = source(pipeline)
    events = st.text() if source is by_loguru else st.text() | graphs()
    keys = st.sampled_from(["plan", "items", "extra", "line\nbreak", "cio_custmer", *TAGS])

    @bounded
    @given(st.dictionaries(keys, graphs(), max_size=4), events)
    def logged(given_: dict[str, Any], event: Any) -> None:
        line = log(event, **given_)

        assert received(pipeline) == 0
        assert MARKS.isdisjoint(line)
        assert all(line[key] is value for key, value in given_.items())

    logged()
    assert arrivals.balance() == (0, 0, 0)


VERBS = [name for name in vars(Verbs) if not name.startswith("_")]


def test_no_verb_raises(pipeline: Pipeline, arrivals: Arrivals) -> None:
    """Each says whether its call was taken, and counts it."""

    @bounded
    @given(st.data(), st.sampled_from([*VERBS, "send"]))
    def called(data: st.DataObject, verb: str) -> None:
        before = received(pipeline)
        method = getattr(pipeline, verb)
        arguments = {
            name: data.draw(st.sampled_from(["5", "ios", {"a": 1}]) | graphs(), name)
            for name, parameter in inspect.signature(method).parameters.items()
            if name != "timeout"
            and (parameter.default is parameter.empty or data.draw(st.booleans()))
        }
        taken = method(**arguments)

        assert type(taken) is bool
        assert received(pipeline) == before + 1

    called()
    assert sum(arrivals.balance()) > 0


def test_argument_that_raises_when_it_is_looked_at_makes_no_call(pipeline: Pipeline) -> None:
    """Whichever argument it is, the application does not hear of it."""
    bad: Any = BadClass()
    for call in (
        lambda: pipeline.track(bad, "x"),
        lambda: pipeline.track("5", bad),
        lambda: pipeline.track("5", "x", bad),
        lambda: pipeline.track("5", "x", type=bad),
        lambda: pipeline.track("5", "x", id=bad),
        lambda: pipeline.track("5", "x", timestamp=bad),
        lambda: pipeline.identify("5", bad),
        lambda: pipeline.add_device("5", bad, bad),
        lambda: pipeline.delete(bad),
        lambda: pipeline.send(bad),
    ):
        assert call() is False

    assert pipeline.stats().failed_by_reason == {"invalid": 10}


class Unreadable(list[Any]):
    def __iter__(self) -> Any:
        raise RuntimeError


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        (BadList(["5"]), "too_large"),
        (BadClass(), "invalid"),
        ([BadClass()], "invalid"),
        (Unreadable(["5"]), "invalid"),
        (itertools.repeat("5"), "too_large"),
    ],
    ids=["endless list", "no class", "one of no class", "unreadable", "endless"],
)
def test_relationships_have_an_end(ends: Any, reason: str, pipeline: Pipeline) -> None:
    """A verb neither raises nor reads on for ever, whatever it is handed."""
    acme = ObjectIdentifier("1", "acme")

    assert pipeline.identify_object(acme, relationships=ends) is False
    assert pipeline.add_relationships(acme, ends) is False
    assert pipeline.stats().failed_by_reason == {reason: 2}
