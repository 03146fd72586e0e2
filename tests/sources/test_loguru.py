"""What is loguru's own: how it names a line, and what it does with what a sink raises."""

from __future__ import annotations

import logging
from typing import Any

import loguru
import pytest
import structlog

from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.logging import CustomerIOHandler
from cio_events._sources.setup.obstacles import obstacles
from cio_events.errors import ParamError
from cio_events.sandbox import Sandbox
from tests.sources.arrivals import CREDENTIALS, Arrivals
from tests.sources.ways import by_logging, by_structlog

TWO_LINES = "one\ntwo"


class Propagate(logging.Handler):
    """As loguru's documentation gives records to logging."""

    def __init__(self, target: logging.Handler) -> None:
        super().__init__()
        self._target = target

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it on."""
        self._target.handle(record)


def add(handler: CustomerIOHandler, by: str, **options: Any) -> Any:
    """Have loguru's lines come to *handler*, and to nobody else."""
    loguru.logger.remove()
    sink: Any = handler if by == "sink" else Propagate(handler)
    loguru.logger.add(sink, format="{message}", **options)
    return loguru.logger


@pytest.mark.parametrize("by", ["sink", "logging"])
def test_a_line_s_name_is_all_of_its_text(by: str, pipeline: Pipeline, arrivals: Arrivals) -> None:
    """As it is through structlog and logging."""
    for source in (by_structlog, by_logging):
        source(pipeline)(TWO_LINES, cio_customer="5")
    add(CustomerIOHandler(pipeline), by).info(TWO_LINES, cio_customer="5")

    assert [one.name for one in arrivals.events()] == [TWO_LINES] * 3


@pytest.mark.parametrize("by", ["sink", "logging"])
@pytest.mark.parametrize("backtrace", [False, True])
def test_a_traceback_is_no_part_of_a_name(
    by: str, backtrace: bool, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Loguru writes it behind the text of the line."""
    log = add(CustomerIOHandler(pipeline), by, backtrace=backtrace)
    try:
        raise LookupError("secret")
    except LookupError:
        log.exception("failed", cio_customer="5")

    assert arrivals.event().name == "failed"


class Intercept(logging.Handler):
    """As loguru's documentation takes records from logging."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on what loguru can know of it."""
        log = loguru.logger.opt(depth=6, exception=record.exc_info)
        log.log(record.levelname, record.getMessage())


class TestIntercepted:
    """Lines of logging that come to loguru as text."""

    @pytest.fixture
    def handler(self, pipeline: Pipeline, app: logging.Logger) -> CustomerIOHandler:
        """A sink of loguru's, which gets the lines of *app*."""
        handler = CustomerIOHandler(pipeline, level=logging.INFO)
        app.addHandler(Intercept())
        add(handler, "sink", catch=False)
        return handler

    @pytest.mark.usefixtures("handler")
    def test_their_tags_are_read(self, app: logging.Logger, arrivals: Arrivals) -> None:
        """As the line has them; loguru's own lines beside them, too."""
        app.info("bought %s", "tea", extra={"cio_customer": "5", "price": 1})
        app.info({"event": "sold", "cio_customer": "5", "price": 2})
        app.info("nothing", extra={"price": 3})
        app.debug("too low", extra={"cio_customer": "5"})
        loguru.logger.info("own", cio_customer="5", price=4)

        assert [(one.name, one.data) for one in arrivals.events()] == [
            ("bought %s", {"price": 1}),
            ("sold", {"price": 2}),
            ("own", {"price": 4}),
        ]

    @pytest.mark.parametrize("first", [False, True])
    def test_none_is_captured_twice(
        self, first: bool, handler: CustomerIOHandler, app: logging.Logger, arrivals: Arrivals
    ) -> None:
        """Whoever else has the line, before or after."""
        app.handlers[:] = [handler, *app.handlers] if first else [*app.handlers, handler]
        app.info("x", extra={"cio_customer": "5", "price": 1})

        assert arrivals.event().data == {"price": 1}

    @pytest.mark.usefixtures("handler")
    def test_what_is_logged_inside_a_handler_is_its_own(
        self, app: logging.Logger, arrivals: Arrivals
    ) -> None:
        """Loguru's line is not the record that is handled, when it says more."""
        filtered = logging.Handler()
        filtered.emit = lambda _: loguru.logger.info("y", cio_customer="6", n=1)  # type: ignore[method-assign]
        app.handlers[:] = [filtered]
        app.info("x", extra={"cio_customer": "5", "price": 1})

        assert arrivals.event().data == {"n": 1}


@pytest.mark.parametrize("by", ["sink", "logging"])
def test_loguru_catches_what_a_strict_pipeline_raises(
    by: str, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """And shows it, unless it is told not to catch."""
    with Pipeline(**CREDENTIALS, track_url=sandbox.url, strict=True) as pipeline:
        add(CustomerIOHandler(pipeline), by).info("x", cio_customer="")
        assert "ParamError: cio_customer: must not be blank" in capsys.readouterr().err

        log = add(CustomerIOHandler(pipeline), by, catch=False)
        with pytest.raises(ParamError, match="cio_customer"):
            log.info("x", cio_customer="")
    loguru.logger.remove()


def test_a_sink_needs_nothing_of_structlog_and_logging(pipeline: Pipeline) -> None:
    """Where structlog is not configured; and a sink with a level of its own is an obstacle."""
    structlog.reset_defaults()
    handler = CustomerIOHandler(pipeline)
    add(handler, "sink", level="INFO")
    try:
        assert obstacles() == []

        add(handler, "sink", level="WARNING")
        (found,) = obstacles()
        assert (found.kind, found.value) == ("sink's level", "WARNING")
    finally:
        loguru.logger.remove()
