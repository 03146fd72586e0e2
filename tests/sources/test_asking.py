"""What each tag asks for, through each source, and what is no tag for asking."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import loguru
import pytest
import structlog
from structlog.contextvars import bound_contextvars

from cio_events import CustomerIOHandler, CustomerIOProcessor, Identifier, Track, signals
from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.fields import MARKS, TAGS, TRIGGERS
from tests.sources.arrivals import Arrivals
from tests.sources.ways import Log, by_loguru
from tests.sources.words import OBJECTS

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
MAY = 1714521600

NO_TRIGGERS: dict[str, Any] = {
    "cio_identity": "5",
    "cio_id_type": "id",
    "cio_anonymous": "a1",
    "cio_device": "t0k3n",
    "cio_platform": "ios",
    "cio_event": "purchase",
    "cio_data": {"cio_customer": "5", "cio": "identify"},
    "cio_timestamp": MAY,
    "cio_custmer": "5",
    "CIO": "track",
    "payload": {"cio_customer": "5", "cio": "identify"},
    "payloads": [{"cio_customer": "5"}],
}

# What makes a call of each tag that is None.
BESIDE: dict[str, dict[str, Any]] = {
    "cio_customer": {},
    "cio": {"cio_customer": "5"},
    "cio_identity": {"cio": "track"},
    "cio_id_type": {"cio_customer": "5"},
    "cio_anonymous": {"cio": "track", "cio_identity": "5"},
    "cio_device": {"cio": "add_device", "cio_customer": "5", "cio_platform": "ios"},
    "cio_platform": {"cio": "add_device", "cio_customer": "5", "cio_device": "t0k3n"},
    "cio_event": {"cio_customer": "5"},
    "cio_data": {"cio": "identify", "cio_customer": "5"},
    "cio_timestamp": {"cio_customer": "5"},
}

UNUSED: dict[str, dict[str, Any]] = {
    "cio_device": {"cio_customer": "5", "cio_device": "t0k3n"},
    "cio_platform": {"cio": "page", "cio_customer": "5", "cio_platform": "ios"},
    "cio_anonymous": {"cio_customer": "5", "cio_anonymous": "a1"},
    "cio_event": {"cio": "identify", "cio_customer": "5", "cio_event": "purchase"},
    "cio_timestamp": {"cio": Track("5", "x"), "cio_timestamp": MAY},
    "cio_data": {"cio": Track("5", "x"), "cio_data": {}},
    "cio_id_type": {"cio": Track("5", "x"), "cio_id_type": "email"},
    "cio_customer": {"cio": Track("5", "x"), "cio_customer": "6"},
}

# What JSON from outside may hold, an operation of v2 among it.
NO_WORDS: list[Any] = [
    *("", "TRACK", "trakc", "event", 5, True, 1.5, [], ["identify"], {}),
    {"type": "person", "action": "delete", "identifiers": {"id": "5"}},
]

IDENTITIES: list[tuple[Any, dict[str, str]]] = [
    ("5", {"id": "5"}),
    (5, {"id": "5"}),
    ("lucy@example.com", {"email": "lucy@example.com"}),
    ("cio_17", {"cio_id": "17"}),
    ({"phone": "+15551234567"}, {"phone": "+15551234567"}),
    ({"id": "lucy@example.com"}, {"id": "lucy@example.com"}),
    (Identifier("cio_17"), {"id": "cio_17"}),
]

TYPES: list[tuple[str, Any, dict[str, str]]] = [
    ("id", "lucy@example.com", {"id": "lucy@example.com"}),
    ("id", "cio_17", {"id": "cio_17"}),
    ("email", "lucy@example.com", {"email": "lucy@example.com"}),
    ("cio_id", "cio_17", {"cio_id": "17"}),
    ("cio_id", "17", {"cio_id": "17"}),
    ("phone", 15551234567, {"phone": "15551234567"}),
]


@contextmanager
def refusals(pipeline: Pipeline) -> Iterator[list[str]]:
    """What is said of each call that has failed meanwhile."""
    told: list[str] = []

    def receive(_: object, report: signals.Report) -> None:
        told.append(str(report.detail))

    with signals.failed.connected_to(receive, sender=pipeline):
        yield told


def identifiers(arrivals: Arrivals) -> list[str]:
    """Whom all calls so far concern, in any order."""
    return sorted(str(one["identifiers"]) for one in arrivals.operations())


def test_nothing_else_is_a_trigger(log: Log, arrivals: Arrivals) -> None:
    """Not alone, and not all of them together."""
    assert NO_TRIGGERS.keys() >= TAGS - TRIGGERS
    for key, value in NO_TRIGGERS.items():
        assert MARKS.isdisjoint(log("purchase", **{key: value}))
    assert MARKS.isdisjoint(log("purchase", **NO_TRIGGERS))

    assert arrivals.balance() == (0, 0, 0)


def test_each_word_asks_for_its_call(log: Log, arrivals: Arrivals) -> None:
    """With the payload that it has."""
    phone = {"cio": "add_device", "cio_customer": "5", "cio_platform": "ios", "app": "1"}
    log("signed up", cio="identify", cio_customer="5", plan="pro")
    log("bought", cio="track", cio_customer="5", price=1)
    log("/home", cio="page", cio_customer="5", referrer="ad")
    log("home", cio="screen", cio_customer="5")
    log("new phone", cio_device="new", **phone)
    log("old phone", cio_device="old", **phone)
    log("lost phone", cio="delete_device", cio_customer="5", cio_device="old")

    assert arrivals.balance() == (7, 0, 0)
    person = arrivals.sandbox.person("5")
    assert person is not None
    assert person.attributes["plan"] == "pro"
    assert {token: (one.platform, one.attributes) for token, one in person.devices.items()} == {
        "new": ("ios", {"app": "1"})
    }
    assert [(event.type, event.name, event.data) for event in arrivals.sandbox.events] == [
        ("event", "bought", {"price": 1}),
        ("page", "/home", {"referrer": "ad"}),
        ("screen", "home", {}),
    ]


def test_a_call_object_is_sent_exactly_as_it_is(log: Log, arrivals: Arrivals) -> None:
    """Nothing else of the record touches it; an id of its own is the one that the line shows."""
    call = Track("5", "purchase", {"price": 1}, type="page", id=ULID, timestamp=MAY)
    others = {"cio_customer": "6", "cio_event": "x", "cio_data": {"price": 2}, "cio_timestamp": 1}
    line = log("a line", cio=call, price=3, **others)

    event = arrivals.event()
    assert (event.customer, event.name, event.data) == ("5", "purchase", {"price": 1})
    assert (event.type, event.id, event.timestamp) == ("page", ULID, MAY)
    assert line["cio_event_id"] == ULID


def test_what_cannot_be_taken_back_names_its_object(
    log: Log, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Whoever else has written the word, nothing is asked for."""
    with refusals(pipeline) as told:
        for word in OBJECTS:
            line = log("it", cio=word, cio_customer="5", primary="5", secondary="6", to="a@b.c")
            assert line["cio_refused"] == "invalid"

    assert told == [
        f'cio: "{word}" needs a call object: cio={OBJECTS[word]}(...)' for word in OBJECTS
    ]
    assert arrivals.balance() == (0, len(OBJECTS), 0)
    assert arrivals.sandbox.requests == []


def test_anything_else_is_no_word(log: Log, pipeline: Pipeline, arrivals: Arrivals) -> None:
    """Whatever a dictionary from outside may say; the words that there are, are named."""
    with refusals(pipeline) as told:
        for what in NO_WORDS:
            assert log("it", cio=what, cio_customer="5")["cio_refused"] == "invalid"

    assert len(told) == len(NO_WORDS)
    assert all(text.startswith("cio: must be a call object, or one of track, ") for text in told)
    assert arrivals.sandbox.requests == []


def test_a_tag_of_none_is_named(log: Log, pipeline: Pipeline, arrivals: Arrivals) -> None:
    """It was probably meant to hold something."""
    assert BESIDE.keys() == TAGS
    with refusals(pipeline) as told:
        for tag, fields in BESIDE.items():
            assert log("it", **{**fields, tag: None})["cio_refused"] == "invalid"

    assert [text.partition(":")[0] for text in told] == list(BESIDE)
    assert arrivals.balance() == (0, len(BESIDE), 0)


def test_a_tag_of_none_that_says_nothing_refuses_nothing(
    log: Log, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
) -> None:
    """It would not be used if it held something; nor is an identity, beside who is named."""
    for tag, fields in UNUSED.items():
        log("it", **{**fields, tag: None})
    log("it", cio_customer="5", cio_identity=None)
    log("it", cio="track", cio_anonymous="a1", cio_identity=None)

    assert arrivals.balance() == (len(UNUSED) + 2, 0, 0)
    said = [message.partition(" says nothing beside")[0] for message in caplog.messages]
    assert said == list(UNUSED)


def test_a_tag_that_says_nothing_is_said_once(
    log: Log, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
) -> None:
    """But an identity, which may be bound; and the call is sent."""
    for fields in UNUSED.values():
        log("it", **fields, cio_identity="6")
        log("it", **fields, cio_identity="6")

    assert arrivals.balance() == (2 * len(UNUSED), 0, 0)
    assert [message.partition(" says nothing beside")[0] for message in caplog.messages] == list(
        UNUSED
    )


@pytest.mark.parametrize("key", ["level", "logger", "timestamp"])
def test_a_hidden_name_of_the_line_is_said_once(
    key: str, log: Log, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
) -> None:
    """No processor writes such a value, so somebody will look for it; cio_data can say it."""
    for _ in range(2):
        log("it", cio_customer="5", price=1, **{key: {"of": 12}})
    log("it", cio_customer="5", cio_data={key: 12})

    datas = [event.data for event in arrivals.events()]
    assert datas == [{"price": 1}, {"price": 1}, {key: 12}]
    (message,) = caplog.messages
    assert message.startswith(f"{key} is about logging")


def test_somebody_unknown(log: Log, arrivals: Arrivals) -> None:
    """Present but empty is an invite; both go before an identity."""
    log("looked", cio="track", cio_anonymous="a1", cio_identity="5", price=1)
    log("invited", cio="track", cio_anonymous="", cio_identity="5", recipient="a@b.c")

    assert sorted(
        (event.name, event.anonymous_id or "", event.customer, event.data)
        for event in arrivals.events()
    ) == [
        ("invited", "", None, {"recipient": "a@b.c"}),
        ("looked", "a1", None, {"price": 1}),
    ]


@pytest.mark.parametrize("bind", [bound_contextvars, None], ids=["context", "line"])
def test_an_identity_is_whatever_a_customer_is(
    bind: Callable[..., Any] | None, log: Log, arrivals: Arrivals
) -> None:
    """Bound to the context, or said by the line; and it alone makes no call."""
    for who, _ in IDENTITIES:
        if bind is None:
            log("it", cio_identity=who)
            log("it", cio="page", cio_identity=who)
        else:
            with bind(cio_identity=who):
                log("it")
                log("it", cio="page")

    assert arrivals.balance() == (len(IDENTITIES), 0, 0)
    assert identifiers(arrivals) == sorted(str(told) for _, told in IDENTITIES)


def test_an_identity_that_a_logger_has_is_for_its_lines(
    pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """By structlog's bind, loguru's two, and an adapter of logging; alone it makes no call."""
    processors = [CustomerIOProcessor(pipeline)]
    lines = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=processors)
    app = logging.Logger("on no tree", logging.DEBUG)
    app.addHandler(CustomerIOHandler(pipeline))
    by_loguru(pipeline)
    for log in (
        lines.bind(cio_identity="5", cio="page", shop="main"),
        loguru.logger.bind(cio_identity="5", cio="page", shop="main"),
        logging.LoggerAdapter(app, {"cio_identity": "5", "cio": "page", "shop": "main"}),
        lines.bind(cio_identity="6"),
        loguru.logger.bind(cio_identity="6"),
        logging.LoggerAdapter(app, {"cio_identity": "6"}),
    ):
        log.info("it")
    with loguru.logger.contextualize(cio_identity="5", ip="10.0.0.1"):
        loguru.logger.info("it")
        loguru.logger.info("it", cio="page", shop="main")

    told = [(one.customer, one.type, one.data) for one in arrivals.events()]
    assert told == [("5", "page", {"shop": "main"})] * 4


def test_a_type_is_said_where_the_shape_says_another(log: Log, arrivals: Arrivals) -> None:
    """By the line for its customer, and in the context for who is bound there."""
    for type_, who, _ in TYPES:
        log("it", cio_customer=who, cio_id_type=type_)
        with bound_contextvars(cio_identity=who, cio_id_type=type_):
            log("it", cio="track")

    assert arrivals.balance() == (2 * len(TYPES), 0, 0)
    assert identifiers(arrivals) == sorted(2 * [str(told) for *_, told in TYPES])
