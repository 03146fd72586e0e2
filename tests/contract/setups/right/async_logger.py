"""structlog's asynchronous logger, which wants an event loop, and a factory without a name."""

import logging

import structlog

import cio_events

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()],
    wrapper_class=structlog.stdlib.AsyncBoundLogger,
    logger_factory=lambda: logging.getLogger("shop"),
)
