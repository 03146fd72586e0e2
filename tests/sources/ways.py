"""Each source as one function that logs a line: structlog, logging and loguru."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import loguru
import structlog
from structlog.contextvars import merge_contextvars

from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.logging import CustomerIOHandler
from cio_events._sources.structlog import CustomerIOProcessor

Log = Callable[..., dict[str, Any]]
"""Logs an event with these fields, and returns what the line shows of them."""


def by_structlog(pipeline: Pipeline, *, merged: bool = False) -> Log:
    """structlog, with the processor first, or behind merge_contextvars."""
    lines = structlog.testing.CapturingLogger()
    processors: list[Any] = [CustomerIOProcessor(pipeline)]
    processors.insert(0 if merged else 1, merge_contextvars)
    # structlog 22's filtering logger formats whatever the event is, and raises for some.
    log = structlog.wrap_logger(lines, processors=processors, wrapper_class=structlog.BoundLogger)

    def line(event: Any, /, **fields: Any) -> dict[str, Any]:
        log.info(event, **fields)
        return dict(lines.calls[-1].kwargs)

    return line


def by_structlog_merged(pipeline: Pipeline) -> Log:
    """structlog, with the processor behind merge_contextvars."""
    return by_structlog(pipeline, merged=True)


def by_logging(pipeline: Pipeline) -> Log:
    """Logging's extra."""
    app = logging.Logger("on no tree", logging.DEBUG)
    app.addHandler(CustomerIOHandler(pipeline))
    kept: list[logging.LogRecord] = []
    last = logging.Handler()
    last.emit = kept.append  # type: ignore[method-assign]
    app.addHandler(last)

    def line(event: Any, /, **fields: Any) -> dict[str, Any]:
        app.info(event, extra=fields)
        return dict(vars(kept[-1]))

    return line


def by_loguru(pipeline: Pipeline) -> Log:
    """Loguru's own records, with the handler as a sink."""
    log = loguru.logger
    log.remove()
    log.add(CustomerIOHandler(pipeline), catch=False)  # type: ignore[arg-type]
    kept: list[dict[str, Any]] = []
    log.add(lambda message: kept.append(message.record["extra"]), catch=False)

    def line(event: Any, /, **fields: Any) -> dict[str, Any]:
        log.bind(**fields).info(event)
        return dict(kept[-1])

    return line


SOURCES = [by_structlog, by_structlog_merged, by_logging, by_loguru]
