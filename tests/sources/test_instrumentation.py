"""What well-known instrumentation writes is no payload: the real packages, as they are set up."""

from __future__ import annotations

import logging
import sys
from typing import Any

import loguru
import pytest
import structlog
from celery.app.log import TaskFormatter

from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.fields import Shapes
from cio_events._sources.instrumentation import WRITERS, written_by_instrumentation
from cio_events._sources.logging import CustomerIOHandler
from cio_events.sandbox import Sandbox
from tests.sources.arrivals import Arrivals
from tests.sources.records import Kept
from tests.sources.ways import by_structlog
from tests.support.scripts import environment, run_python


@pytest.fixture
def app(pipeline: Pipeline) -> logging.Logger:
    """The application's logger, whose first handler formats and whose second is ours."""
    app = logging.Logger("app", logging.DEBUG)
    app.addHandler(logging.NullHandler())
    app.addHandler(CustomerIOHandler(pipeline))
    return app


def log_by_all(app: logging.Logger) -> None:
    """A purchase by logging, and by structlog and loguru in front of it."""

    class Propagate(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            app.handle(record)

    app.info("purchase", extra={"cio_customer": "5", "price": 1})
    structlog.wrap_logger(
        app,
        processors=[structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
    ).info("purchase", cio_customer="5", price=1)
    loguru.logger.remove()
    loguru.logger.add(Propagate(), catch=False)
    loguru.logger.info("purchase", cio_customer="5", price=1)


def test_opentelemetry(app: logging.Logger, arrivals: Arrivals) -> None:
    """It gives each record its trace, and what an application's hook adds."""
    from opentelemetry import trace
    from opentelemetry.instrumentation.logging import LoggingInstrumentor

    def hook(_: object, record: logging.LogRecord) -> None:
        record.tenant = "t1"

    app.addHandler(kept := Kept())
    span = trace.NonRecordingSpan(trace.SpanContext(5, 6, is_remote=False))
    # Older versions did it without being asked.
    LoggingInstrumentor().instrument(inject_trace_context=True, log_hook=hook)
    try:
        with trace.use_span(span):
            log_by_all(app)
    finally:
        LoggingInstrumentor().uninstrument()

    assert [event.data for event in arrivals.events()] == [{"price": 1}] * 3
    for record in kept.records[:2]:  # loguru makes its records without logging's factory
        assert (vars(record)["otelSpanID"], vars(record)["tenant"]) == (f"{6:016x}", "t1")


def test_asgi_correlation_id(app: logging.Logger, arrivals: Arrivals) -> None:
    """A filter writes the request's id."""
    from asgi_correlation_id import CorrelationIdFilter, correlation_id

    app.addHandler(kept := Kept())
    app.addFilter(CorrelationIdFilter())
    token = correlation_id.set("r1")
    try:
        log_by_all(app)
    finally:
        correlation_id.reset(token)

    assert [event.data for event in arrivals.events()] == [{"price": 1}] * 3
    assert all(vars(record)["correlation_id"] == "r1" for record in kept.records)


def test_celery(app: logging.Logger, arrivals: Arrivals) -> None:
    """Its formatter writes the task, or question marks where there is none."""

    class Formats(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            self.format(record)

    formats = Formats()
    formats.setFormatter(TaskFormatter("%(task_name)s %(message)s"))
    app.handlers.insert(0, formats)
    log_by_all(app)

    assert [event.data for event in arrivals.events()] == [{"price": 1}] * 3


def test_uvicorn_and_rich(app: logging.Logger, arrivals: Arrivals) -> None:
    """They are told how to show a line by extra."""
    import rich  # noqa: F401 - its names are its own where it is in use

    extra: dict[str, Any] = {"color_message": "x", "markup": True, "highlighter": None}
    app.info("purchase", extra={"cio_customer": "5", "price": 1, **extra})

    assert arrivals.event().data == {"price": 1}


DDTRACE = """
import warnings
warnings.filterwarnings("ignore", "Accessing structlog.__version__")  # which ddtrace does
import ddtrace
ddtrace.patch(logging=True, structlog=True, loguru=True)
import logging
import loguru
import structlog
from cio_events import CustomerIOHandler, CustomerIOProcessor, Pipeline
with Pipeline(site_id="s", api_key="k", track_url={url!r}) as pipeline:
    loguru.logger.remove()
    loguru.logger.add(CustomerIOHandler(pipeline), catch=False)
    logging.getLogger().addHandler(CustomerIOHandler(pipeline))
    structlog.configure([CustomerIOProcessor(pipeline), structlog.processors.JSONRenderer()])
    with ddtrace.tracer.trace("request"):
        logging.getLogger().warning("logging", extra={{"cio_customer": "5", "price": 1}})
        structlog.get_logger().info("structlog", cio_customer="5", price=1)
        loguru.logger.info("loguru", cio_customer="5", price=1)
"""


def test_ddtrace(sandbox: Sandbox) -> None:
    """It patches all three, in a process of its own here."""
    pytest.importorskip("ddtrace")
    env = {"DD_TRACE_ENABLED": "true", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false"}
    env |= {"DD_REMOTE_CONFIGURATION_ENABLED": "false", "DD_TRACE_AGENT_URL": "http://127.0.0.1:9"}
    run_python("-c", DDTRACE.format(url=sandbox.url), env=environment(**env))

    told = {event.name: event.data for event in sandbox.events}
    assert told == {name: {"price": 1} for name in ("logging", "structlog", "loguru")}


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.package)
def test_every_row_is_left_out_where_its_package_is_in_use(
    writer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names that are nobody else's always."""
    keys = (*writer.own, *writer.common)
    for other in WRITERS:
        monkeypatch.delitem(sys.modules, other.package, raising=False)
    assert Shapes()[keys].payload == writer.common
    monkeypatch.setitem(sys.modules, writer.package, sys)

    assert Shapes()[keys].payload == ()
    assert all(map(written_by_instrumentation, keys))


def test_structlog_s_events_too(pipeline: Pipeline, arrivals: Arrivals) -> None:
    """Processors of the same packages write there."""
    by_structlog(pipeline)("it", cio_customer="5", price=1, **{"dd.trace_id": "1", "sentry_id": 2})

    assert arrivals.event().data == {"price": 1}
