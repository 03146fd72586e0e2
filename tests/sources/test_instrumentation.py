"""What well-known instrumentation writes is no payload: the real packages, as they are set up."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest
from celery.app.log import TaskFormatter

from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.fields import Shapes
from cio_events._sources.instrumentation import WRITERS, written_by_instrumentation
from cio_events._sources.logging import CustomerIOHandler
from cio_events.sandbox import Sandbox
from tests.sources.arrivals import Arrivals
from tests.sources.ways import by_structlog
from tests.support.scripts import environment, run_python


@pytest.fixture
def app(pipeline: Pipeline) -> logging.Logger:
    """The application's logger, whose first handler formats and whose second is ours."""
    app = logging.Logger("app", logging.DEBUG)  # noqa: LOG001
    app.addHandler(logging.NullHandler())
    app.addHandler(CustomerIOHandler(pipeline))
    return app


def test_opentelemetry(app: logging.Logger, arrivals: Arrivals) -> None:
    """It gives each record its trace."""
    from opentelemetry.instrumentation.logging import LoggingInstrumentor

    LoggingInstrumentor().instrument()
    try:
        app.info("purchase", extra={"cio_customer": "5", "price": 1})
    finally:
        LoggingInstrumentor().uninstrument()

    assert arrivals.event().data == {"price": 1}


def test_asgi_correlation_id(app: logging.Logger, arrivals: Arrivals) -> None:
    """A filter writes the request's id."""
    from asgi_correlation_id import CorrelationIdFilter, correlation_id

    app.addFilter(CorrelationIdFilter())
    token = correlation_id.set("r1")
    try:
        app.info("purchase", extra={"cio_customer": "5", "price": 1})
    finally:
        correlation_id.reset(token)

    assert arrivals.event().data == {"price": 1}


def test_celery(app: logging.Logger, arrivals: Arrivals) -> None:
    """Its formatter writes the task, or question marks where there is none."""

    class Formats(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            self.format(record)

    formats = Formats()
    formats.setFormatter(TaskFormatter("%(task_name)s %(message)s"))
    app.handlers.insert(0, formats)
    app.info("purchase", extra={"cio_customer": "5", "price": 1})

    assert arrivals.event().data == {"price": 1}


def test_uvicorn_and_rich(app: logging.Logger, arrivals: Arrivals) -> None:
    """They are told how to show a line by extra."""
    import rich  # noqa: F401 - its names are its own where it is in use

    extra: dict[str, Any] = {"color_message": "x", "markup": True, "highlighter": None}
    app.info("purchase", extra={"cio_customer": "5", "price": 1, **extra})

    assert arrivals.event().data == {"price": 1}


DDTRACE = """
import logging
import sys
import ddtrace
ddtrace.patch(logging=True)
import cio_events
from cio_events import CustomerIOHandler, Pipeline
with Pipeline(site_id="s", api_key="k", track_url={url!r}) as pipeline:
    logging.getLogger().addHandler(CustomerIOHandler(pipeline))
    with ddtrace.tracer.trace("request"):
        logging.getLogger().warning("purchase", extra={{"cio_customer": "5", "price": 1}})
"""


def test_ddtrace(sandbox: Sandbox) -> None:
    """It patches logging, in a process of its own here."""
    pytest.importorskip("ddtrace")
    env = {"DD_TRACE_ENABLED": "true", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false"}
    env |= {"DD_REMOTE_CONFIGURATION_ENABLED": "false", "DD_TRACE_AGENT_URL": "http://127.0.0.1:9"}
    run_python("-c", DDTRACE.format(url=sandbox.url), env=environment(**env))

    (event,) = sandbox.events
    assert event.data == {"price": 1}


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
