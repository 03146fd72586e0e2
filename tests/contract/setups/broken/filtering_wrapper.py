"""structlog's own filter, above info."""

# finds: E409 E602

import logging

import structlog

import cio_events

LEVEL = logging.WARNING  # mend: LEVEL = logging.INFO

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()],
    wrapper_class=structlog.make_filtering_bound_logger(LEVEL),
    cache_logger_on_first_use=True,
)
