"""Where tags are found in a record, and where they are seen and cannot be used."""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import sys
from collections.abc import Iterator
from typing import Any

import loguru
import pytest
import structlog

from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.logging import CustomerIOHandler
from cio_events._sources.structlog import CustomerIOProcessor
from cio_events.errors import CustomerIOWarning
from tests.sources.arrivals import Arrivals


@pytest.fixture
def app(pipeline: Pipeline) -> logging.Logger:
    """The application's logger, with the handler."""
    app = logging.Logger("app", logging.DEBUG)
    app.addHandler(CustomerIOHandler(pipeline))
    return app


def seen(arrivals: Arrivals) -> list[tuple[object, ...]]:
    """Whose events have arrived, by which names and with what."""
    return [(event.customer, event.name, event.data) for event in arrivals.events()]


class TestLogging:
    @pytest.mark.parametrize("key", ["event", "message", "msg"])
    def test_a_dictionary_as_the_message(
        self, key: str, app: logging.Logger, arrivals: Arrivals
    ) -> None:
        """The name under the key that loggers of dictionaries use, or as its tag."""
        app.info({key: "purchase", "cio_customer": "5", "price": 1})
        app.info({"cio_event": "purchase", "cio_customer": "5", "price": 1})

        assert seen(arrivals) == [("5", "purchase", {"price": 1})] * 2

    def test_json_fields(self, app: logging.Logger, arrivals: Arrivals) -> None:
        """As Google's client has them; once, with two handlers."""
        app.addHandler(app.handlers[0])
        fields = {"cio_customer": "5", "price": 1}
        app.info("bought %s", "tea", extra={"json_fields": fields})

        assert seen(arrivals) == [("5", "bought %s", {"price": 1})]
        assert fields == {"cio_customer": "5", "price": 1}

    @pytest.mark.skipif(sys.version_info < (3, 13), reason="Python has no merge_extra")
    def test_an_adapter_that_merges(self, app: logging.Logger, arrivals: Arrivals) -> None:
        """Its context and the call's extra are one."""
        adapter = logging.LoggerAdapter(app, {"cio_customer": "5"}, merge_extra=True)
        adapter.info("purchase", extra={"price": 1})

        assert seen(arrivals) == [("5", "purchase", {"price": 1})]

    def test_tags_beside_the_message_go_first(
        self, app: logging.Logger, arrivals: Arrivals
    ) -> None:
        """One record is one event."""
        app.info(
            {"event": "x", "cio_customer": "6"}, extra={"cio_customer": "5", "cio_event": "e"}
        )

        assert seen(arrivals) == [("5", "e", {})]

    def test_a_positional_dictionary_is_said_once(
        self, app: logging.Logger, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is an argument of the message, and nothing can be read of it."""
        for _ in range(3):
            app.info("purchase", {"cio_customer": "5"})
        app.info("%(a)s", {"a": 1})

        (message,) = caplog.messages
        assert "positional" in message
        assert arrivals.balance() == (0, 0, 0)


class TestStructlog:
    def test_a_positional_dictionary_is_said_once(
        self, pipeline: Pipeline, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As in logging."""
        log = structlog.wrap_logger(
            structlog.testing.CapturingLogger(),
            processors=[CustomerIOProcessor(pipeline)],
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        log.info("purchase", {"cio_customer": "5"})
        log.info("purchase", {"cio_customer": "5"})

        (message,) = caplog.messages
        assert "positional" in message
        assert arrivals.balance() == (0, 0, 0)


class Queued(logging.handlers.QueueHandler):
    """Has a listener handle each record before the log call returns."""

    def __init__(self, handler: logging.Handler) -> None:
        self._records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        self._listener = logging.handlers.QueueListener(self._records, handler)
        super().__init__(self._records)

    def emit(self, record: logging.LogRecord) -> None:
        """Put it into the queue, and take it from there."""
        super().emit(record)
        self._listener.handle(self._records.get())


class TestBehindAQueue:
    @pytest.fixture
    def app(self, pipeline: Pipeline) -> logging.Logger:
        """A logger with the handler behind a queue."""
        app = logging.Logger("app", logging.DEBUG)
        app.addHandler(Queued(CustomerIOHandler(pipeline)))
        return app

    def buy(self, app: logging.Logger) -> None:
        """Log two lines of one template, with tracebacks."""
        for product in ("tea", "milk"):
            try:
                raise ValueError(product)
            except ValueError:
                app.exception("bought %s", product, extra={"cio_customer": "5"})

    def test_the_first_line_is_the_name_and_it_is_said_once(
        self, app: logging.Logger, arrivals: Arrivals
    ) -> None:
        """The rest is a traceback, most often."""
        # Not logged, as the queue's handler holds a lock here.
        with pytest.warns(CustomerIOWarning, match="beside the queue") as warned:
            self.buy(app)

        assert seen(arrivals) == [("5", "bought tea", {}), ("5", "bought milk", {})]
        assert len(warned) == 1

    def test_a_name_of_its_own_is_kept_and_nothing_is_said(
        self, app: logging.Logger, arrivals: Arrivals, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nor of calls that have no name."""
        app.info("bought %s", "tea", extra={"cio_customer": "5", "cio_event": "purchase"})
        app.info("is %s", "pro", extra={"cio": "identify", "cio_customer": "5", "plan": "pro"})

        assert arrivals.balance() == (2, 0, 0)
        assert [event.name for event in arrivals.sandbox.events] == ["purchase"]
        assert caplog.messages == []


class TestLoguru:
    @pytest.fixture
    def log(self) -> Iterator[Any]:
        """Loguru's logger, without sinks."""
        loguru.logger.remove()
        yield loguru.logger
        loguru.logger.remove()

    def test_as_a_sink(self, log: Any, pipeline: Pipeline, arrivals: Arrivals) -> None:
        """By bind or as an argument; the sinks behind it show the id."""
        lines: list[str] = []
        log.add(CustomerIOHandler(pipeline), catch=False)
        log.add(lambda message: lines.append(message.record["extra"]), catch=False)

        log.bind(cio_customer="5", price=1).info("purchase")
        log.info("bought {}", "tea", cio_customer="5")
        log.info("untagged")

        assert seen(arrivals) == [("5", "purchase", {"price": 1}), ("5", "bought tea", {})]
        ids = [event.id for event in arrivals.sandbox.events]
        assert [line.get("cio_event_id") for line in lines] == [*ids, None]  # type: ignore[attr-defined]

    def test_its_level_and_filters_hold(
        self, log: Any, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """As for logging."""
        handler = CustomerIOHandler(pipeline, level="WARNING")
        handler.addFilter(lambda record: record.getMessage() != "filtered")
        log.add(handler, catch=False)

        for event in ("purchase", "filtered"):
            log.bind(cio_customer="5").info(event)
            log.bind(cio_customer="5").warning(event)

        assert seen(arrivals) == [("5", "purchase", {})]

    @pytest.mark.parametrize("enqueue", [False, True])
    def test_as_a_sink_behind_its_queue(
        self, enqueue: bool, log: Any, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """Loguru's records are whole there."""
        log.add(
            CustomerIOHandler(pipeline), enqueue=enqueue, catch=False, format="{time} {message}"
        )
        log.bind(cio_customer="5", price=1).info("purchase")
        log.complete()

        assert seen(arrivals) == [("5", "purchase", {"price": 1})]

    def test_through_logging(self, log: Any, app: logging.Logger, arrivals: Arrivals) -> None:
        """As its documentation propagates records; a traceback is no part of the name."""

        class Propagate(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                app.handle(record)

        log.add(Propagate(), format="{message}", catch=False)
        log.bind(cio_customer="5", price=1).info("purchase")
        try:
            raise ValueError
        except ValueError:
            log.bind(cio_customer="5").exception("failed")

        assert seen(arrivals) == [("5", "purchase", {"price": 1}), ("5", "failed", {})]

    def test_a_line_that_was_read_back(
        self, log: Any, pipeline: Pipeline, arrivals: Arrivals
    ) -> None:
        """Serialized by loguru, logged again by another source."""
        lines: list[str] = []
        log.add(CustomerIOHandler(pipeline), catch=False)
        log.add(lines.append, serialize=True, catch=False)
        log.bind(cio_customer="5").info("purchase")
        fields = json.loads(lines[0])["record"]["extra"]

        CustomerIOProcessor(pipeline)(None, "info", {"event": "purchase", **fields})

        assert arrivals.balance() == (1, 0, 0)
