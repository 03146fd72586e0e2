"""A mistake names the record that has it: its event, its logger, and the line of code."""

from __future__ import annotations

import json
import logging
import logging.handlers
import re
from collections.abc import Callable
from time import process_time
from typing import Any

import pytest
import structlog

from cio_events import signals
from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.logging import CustomerIOHandler
from cio_events._sources.origin import origin_of
from cio_events._sources.structlog import CustomerIOProcessor
from tests.sources.records import logger_with
from tests.sources.ways import SOURCES, Log, by_structlog

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
Source = Callable[[Pipeline], Log]

# The logger that is a source's own, and the line in ways.py that logs.
WHICH = re.compile(r'\(record "(.*)" of (tests\.sources\.ways|on no tree), ways\.py:\d+\)')


def which(caplog: pytest.LogCaptureFixture) -> str:
    """The event of the record that the only line said names."""
    (message,) = caplog.messages
    found = WHICH.search(message)
    assert found, message
    return found[1]


@each_source
@pytest.mark.parametrize(
    "fields",
    [
        {"cio_customer": ""},
        {"cio_customer": "5" * 151},
        {"cio_customer": "5", "text": "x" * 100_001},
        {"cio_customer": "5", "cio": "merge"},
        {"cio_customer": "5", "cio_custmer": "6"},
        {"cio_customer": "5", "cio_device": "t0k3n"},
        {"cio_customer": "5", "thing": object()},
    ],
    ids=["blank", "too long", "too large", "word", "misspelt", "unused", "unsaid"],
)
def test_each_mistake_names_its_record(
    source: Source, fields: dict[str, Any], pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """So that whoever reads of it finds the line."""
    source(pipeline)("purchase", **fields)

    assert which(caplog) == "purchase"


@each_source
def test_a_bound_trigger_names_its_record(
    source: Source, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """Which would have become a call."""
    log = source(pipeline)
    with structlog.contextvars.bound_contextvars(cio_customer="5"):
        log("purchase")

    assert which(caplog) == "purchase"


def test_a_positional_dictionary_names_its_record(
    pipeline: Pipeline, app: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    """In logging."""
    app.addHandler(CustomerIOHandler(pipeline))
    app.info("purchase", {"cio_customer": "5"})

    (message,) = caplog.messages
    assert re.search(r'\(record "purchase" of app, test_origin\.py:\d+\)$', message)


@each_source
def test_nothing_personal_is_named(
    source: Source, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """Though the text of a line has it: the record's values, addresses, numbers, escapes."""
    event = "Lucy Miller (lucy@example.com, +1 555 123 4567) \x1b[31m bought"
    source(pipeline)(event, cio_customer="", name_of_person="Lucy Miller")

    assert which(caplog) == "*** (***, ***) \\x1b[31m bought"


def test_structlog_s_own_name_of_a_logger(
    pipeline: Pipeline, app: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    """That of logging, or of a processor that adds it."""

    def add_name(_: object, __: str, event_dict: Any) -> Any:
        return {**event_dict, "logger": "billing"}

    ours = CustomerIOProcessor(pipeline)
    structlog.wrap_logger(app, processors=[ours, lambda *_: ""]).info("a", cio_customer="")
    logger_with(add_name, ours)[0].info("b", cio_customer=None)

    first, second = caplog.messages
    assert 'record "a" of app, test_origin.py:' in first
    assert 'record "b" of billing, test_origin.py:' in second


def test_another_thread_s_line_is_known_or_not_made_up(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """Structlog's async methods have one, and all but old versions remember who has called."""
    import asyncio

    log = structlog.wrap_logger(
        structlog.testing.CapturingLogger(),
        processors=[CustomerIOProcessor(pipeline)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
    )

    async def buy() -> None:
        await log.ainfo("purchase", cio_customer="")

    asyncio.run(buy())
    asyncio.run(log.ainfo("refund", cio_customer="5", cio_timestamp="never"))

    known, unknown = caplog.messages
    remembers = hasattr(structlog.contextvars, "_ASYNC_CALLING_STACK")
    assert ("of tests.sources.test_origin, test_origin.py:" in known) == remembers
    assert 'record "refund")' in unknown


def test_a_call_is_named_by_kind_name_and_id(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """Where there is no record, too; the id is the one that signals tell."""
    ids = []

    def receive(_: object, report: signals.Report) -> None:
        ids.append(report.id)

    with signals.failed.connected_to(receive, sender=pipeline):
        pipeline.track("5", "purchase", {"text": "x" * 100_001})

    (message,) = caplog.messages
    assert message.startswith(f'track "purchase" {ids[0]} is not sent: data: is over 100000 bytes')


def test_what_a_record_holds_makes_no_delay() -> None:
    """However long its texts are, and however many."""
    fields = {f"text {number}": f"{number} {'abc' * 30_000}" for number in range(300)}
    event = "abc " * 100

    def seconds(work: Callable[[], object]) -> float:
        begin = process_time()
        work()
        return process_time() - begin

    usual = min(seconds(lambda: json.dumps(fields)) for _ in range(3))
    assert min(seconds(lambda: origin_of(event, fields, None)) for _ in range(3)) < 3 * usual


class Incomparable:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


def test_a_message_that_cannot_be_compared_is_named_by_its_type(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """And its record is sent all the same."""
    line = by_structlog(pipeline)(
        Incomparable(), cio="identify", cio_customer="5", cio_custmer="x", plan="free"
    )

    assert "cio_event_id" in line
    assert "(record <Incomparable> of" in caplog.messages[0]
