"""Where a line's call goes, through each source: to whom, by which pipeline, or nowhere."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import loguru
import pytest
import structlog

from cio_events import (
    CustomerIOHandler,
    CustomerIOProcessor,
    Identifier,
    Track,
    configure,
    get_pipeline,
    signals,
)
from cio_events._pipeline.pipeline import Pipeline
from cio_events.sandbox import Sandbox
from tests.sources.arrivals import CREDENTIALS, LONG, Arrivals
from tests.sources.ways import SOURCES, Log

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
Source = Callable[..., Log]

# More than v2 takes, and less than v1 does.
LARGE = ["x" * 500] * 80

PEOPLE: list[tuple[Any, dict[str, str]]] = [
    ("5", {"id": "5"}),
    (5, {"id": "5"}),
    ("a/b?c", {"id": "a/b?c"}),
    ("lucy@example.com", {"email": "lucy@example.com"}),
    ("cio_17", {"cio_id": "17"}),
    ({"email": "lucy@example.com"}, {"email": "lucy@example.com"}),
    ({"cio_id": "17"}, {"cio_id": "17"}),
    (Identifier("17", "cio_id"), {"cio_id": "17"}),
]

# Whom v1, which reads a text by its shape, takes for somebody else.
OF_V2: list[dict[str, Any]] = [
    {"cio_customer": {"id": "lucy@example.com"}},
    {"cio_customer": {"phone": "+15551234567"}},
    {"cio_customer": Identifier("cio_17")},
    {"cio_customer": "cio_17", "cio_id_type": "id"},
    {"cio": "identify", "cio_identity": {"phone": "+15551234567"}},
]


def named(sandbox: Sandbox) -> list[dict[str, str]]:
    """Whom each call concerns, as Customer.io understands it."""
    people: list[dict[str, str]] = []
    for request in sandbox.requests:
        path = unquote(request.path)
        if path.startswith("/api/v1/customers/"):
            who = path.removeprefix("/api/v1/customers/").removesuffix("/events")
            if "@" in who:
                people.append({"email": who})
            elif who.startswith("cio_"):
                people.append({"cio_id": who.removeprefix("cio_")})
            else:
                people.append({"id": who})
        else:
            people += [one["identifiers"] for one in request.body.get("batch", [request.body])]
    return people


def test_no_line_waits_for_the_server(log: Log, pipeline: Pipeline, arrivals: Arrivals) -> None:
    """It has come back while Customer.io is silent."""
    arrivals.sandbox.delay(LONG, before=True)
    for number in range(20):
        log("it", cio_customer="5", number=number, text=LARGE if number % 5 == 4 else [])
    log("refused", cio_customer="")
    pending = pipeline.stats().pending
    arrivals.sandbox.heal()

    assert pending == 20
    assert arrivals.balance() == (20, 1, 0)


def test_a_large_call_is_about_the_same_person(log: Log, arrivals: Arrivals) -> None:
    """Where v2 ends, v1 is told the same."""
    for who, _ in PEOPLE:
        log("small", cio_customer=who)
        log("large", cio_customer=who, text=LARGE)
        log("page", cio="page", cio_customer=who, text=LARGE)

    assert arrivals.balance() == (3 * len(PEOPLE), 0, 0)
    assert any(request.path.startswith("/api/v1/") for request in arrivals.sandbox.requests)
    told = [told for _, told in PEOPLE for _ in range(3)]
    assert sorted(map(str, named(arrivals.sandbox))) == sorted(map(str, told))


def test_whom_v1_cannot_name_is_too_large(
    log: Log, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Rather than that it goes to somebody else; the text says why."""
    details: list[str] = []

    def receive(_: object, report: signals.Report) -> None:
        details.append(str(report.detail))

    with signals.failed.connected_to(receive, sender=pipeline):
        for fields in OF_V2:
            assert "cio_event_id" in log("small", **fields)
            assert log("large", **fields, text=LARGE)["cio_refused"] == "too_large"

    assert arrivals.balance() == (len(OF_V2), len(OF_V2), 0)
    assert all("cannot go by v1" in detail for detail in details)
    assert not any(request.path.startswith("/api/v1/") for request in arrivals.sandbox.requests)


@each_source
@pytest.mark.parametrize("reason", ["disabled", "closed", "full", "unconfigured"])
def test_a_dropped_line_shows_why(source: Source, reason: str, sandbox: Sandbox) -> None:
    """And the ledger has it."""
    sandbox.delay(LONG, before=True)
    settings = {} if reason == "unconfigured" else {**CREDENTIALS, "track_url": sandbox.url}
    with Pipeline(**settings, enabled=reason != "disabled", max_pending=1) as pipeline:
        log = source(pipeline)
        if reason == "full":
            assert "cio_event_id" in log("first", cio_customer="5")
        if reason == "closed":
            pipeline.close()
        line = log("it", cio_customer="5")
        sandbox.heal()

        assert line["cio_refused"] == reason
        assert "cio_event_id" not in line
        assert pipeline.stats().dropped_by_reason == {reason: 1}


def two_processors(first: Pipeline, second: Pipeline) -> Callable[..., None]:
    """One chain with both."""
    chain = [CustomerIOProcessor(first), CustomerIOProcessor(second)]
    log = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=chain)
    return lambda event, **fields: log.info(event, **fields)


def two_handlers(first: Pipeline, second: Pipeline) -> Callable[..., None]:
    """One logger with both."""
    app = logging.Logger("app")
    app.addHandler(CustomerIOHandler(first))
    app.addHandler(CustomerIOHandler(second))
    return lambda event, **fields: app.info(event, extra=fields)


def two_sinks(first: Pipeline, second: Pipeline) -> Callable[..., None]:
    """Both as sinks of loguru."""
    loguru.logger.remove()
    for pipeline in (first, second):
        loguru.logger.add(CustomerIOHandler(pipeline), catch=False)  # type: ignore[arg-type]
    return lambda event, **fields: loguru.logger.bind(**fields).info(event)


def processor_before_handler(first: Pipeline, second: Pipeline) -> Callable[..., None]:
    """Both libraries, one before the other."""
    app = logging.Logger("app")
    app.addHandler(CustomerIOHandler(second))
    chain = [CustomerIOProcessor(first), structlog.stdlib.render_to_log_kwargs]
    log = structlog.wrap_logger(app, processors=chain)
    return lambda event, **fields: log.info(event, **fields)


@pytest.mark.parametrize(
    "both", [two_processors, two_handlers, two_sinks, processor_before_handler]
)
def test_the_first_pipeline_has_it(both: Callable[..., Any], sandbox: Sandbox) -> None:
    """One record is one event, also one that is refused or that the first one drops."""
    with (
        Pipeline(
            site_id="first",
            api_key="k",
            track_url=sandbox.url,
            before_send=lambda call: None if getattr(call, "name", "") == "dropped" else call,
        ) as first,
        Pipeline(site_id="second", api_key="k", track_url=sandbox.url) as second,
    ):
        log = both(first, second)
        log("it", cio_customer="5")
        log("an object", cio=Track("5", "it"))
        log("refused", cio_customer="")
        log("dropped", cio_customer="5")

        assert Arrivals(sandbox, first).balance() == (2, 1, 1)
        assert second.stats().received == 0
        assert [event.workspace for event in sandbox.events] == ["first", "first"]


@each_source
def test_the_environments_credentials_make_the_default(
    source: Source, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before what a handler's options make, whose own lines are its own."""
    for name, value in {**CREDENTIALS, "track_url": sandbox.url}.items():
        monkeypatch.setenv(f"CIO_{name.upper()}", value)
    handler = CustomerIOHandler(site_id="handler", api_key="k", track_url=sandbox.url)
    source(None)("the environment's", cio_customer="5")
    handler.handle(logging.makeLogRecord({"msg": "the handler's", "cio_customer": "5"}))

    assert handler._own is not None
    assert handler._own.flush(LONG)
    assert get_pipeline().flush(LONG)
    handler.close()
    assert sorted((event.workspace, event.name) for event in sandbox.events) == [
        ("handler", "the handler's"),
        ("the-site", "the environment's"),
    ]


@each_source
def test_the_default_is_that_of_the_moment(source: Source, sandbox: Sandbox) -> None:
    """What works goes before what drops, and what is configured before all."""
    log = source(None)
    options: dict[str, Any] = {"api_key": "k", "track_url": sandbox.url, "flush_interval": 0}
    assert log("nobody's", cio_customer="5")["cio_refused"] == "unconfigured"
    handler = CustomerIOHandler(site_id="handler", **options)
    log("the handler's", cio_customer="5")
    configured = configure(site_id="configured", **options)
    log("the configured one's", cio_customer="5")
    CustomerIOHandler(site_id="later", **options).close()
    log("still the configured one's", cio_customer="5")

    assert handler._own is not None
    assert handler._own.flush(LONG)
    assert configured.flush(LONG)
    handler.close()
    assert sorted((event.workspace, event.name) for event in sandbox.events) == [
        ("configured", "still the configured one's"),
        ("configured", "the configured one's"),
        ("handler", "the handler's"),
    ]
