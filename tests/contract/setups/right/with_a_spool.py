"""A spool in a directory of its own, and options from code."""

import structlog

import cio_events

cio_events.configure(region="eu", spool="spool", exit_timeout=5)
structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()],
    wrapper_class=structlog.make_filtering_bound_logger(20),
)
