"""The probe: it comes as far as a source, is counted nowhere, and keeps nobody else from it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from cio_events import CustomerIOHandler, CustomerIOProcessor, Pipeline, signals
from cio_events.doctor import examine, probe
from cio_events.doctor.examination import Check, run
from cio_events.doctor.subject import Subject
from cio_events.testing import Recorder


class Kept(logging.Handler):
    """Keeps what it gets, as a log file does."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)


@pytest.fixture
def shop() -> Iterator[tuple[Pipeline, Kept]]:
    """An application with both sources, and a log."""
    logger, log = logging.getLogger("shop_of_the_doctor"), Kept()
    logger.setLevel(logging.INFO)
    with Pipeline(site_id="site", api_key="key") as pipeline:
        handler = CustomerIOHandler(pipeline)
        logger.handlers = [handler, log]
        structlog.configure(
            processors=[CustomerIOProcessor(pipeline), structlog.processors.JSONRenderer()],
            logger_factory=lambda *_: log,
        )
        yield pipeline, log
    handler.close()
    logger.handlers = []
    structlog.reset_defaults()


def test_nothing_is_sent_written_counted_or_told(shop: tuple[Pipeline, Kept]) -> None:
    """Neither in the ledger, nor by a signal, nor in the application's log."""
    pipeline, log = shop
    before, told = pipeline.stats(), []

    def hear(_: object, **news: Any) -> None:
        told.append(news)

    with (
        signals.sent.connected_to(hear),
        signals.failed.connected_to(hear),
        signals.dropped.connected_to(hear),
    ):
        findings = examine(network=False)

    arrived = [one for one in findings if one.id == "I600"]
    assert [one.title for one in arrived] == [
        "The probe arrives by structlog, the logger shop_of_the_doctor"
    ]
    assert (pipeline.stats(), told, log.records) == (before, [], [])


def test_others_are_captured_meanwhile(
    shop: tuple[Pipeline, Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that is logged by one of the application's filters, amid the probe."""
    logger = logging.getLogger("shop_of_the_doctor")

    def log_too(record: logging.LogRecord) -> bool:
        if record.msg != "seen":
            logger.info("seen", extra={"cio_customer": "5"})
        return True

    monkeypatch.setattr(logger, "filters", [log_too])
    with Recorder() as cio:
        examine(network=False)

    assert {event.name for event in cio.events} == {"seen"}


def test_a_way_that_is_lost_is_drawn_with_an_arrow(
    shop: tuple[Pipeline, Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the station where it was lost."""
    logger = logging.getLogger("shop_of_the_doctor")
    monkeypatch.setattr(logger, "filters", [lambda _: False])

    findings = list(probe.look(Subject(network=False, has_application=True)))
    (lost,) = (one for one in findings if one.id == "E602")

    assert lost.where.splitlines() == [
        "   the logger shop_of_the_doctor",
        "─▶ filter <lambda>",
    ]


def test_a_check_that_raises_is_a_finding_and_stops_no_other() -> None:
    """What was found before it stays."""

    def broken(_: Subject) -> Iterator[Any]:
        raise ZeroDivisionError("secret")
        yield

    subject = Subject(network=False, has_application=True, environ={})
    checks = [Check("broken", "", broken), Check("probe", "", lambda _: iter(()))]

    first, second = run(checks, subject)

    assert [one.title for one in first.findings] == [
        "The check broken could not be finished: it raised ZeroDivisionError"
    ]
    assert (second.check, second.findings) == ("probe", [])
