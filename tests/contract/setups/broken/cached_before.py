"""A logger that has logged before structlog was configured, and keeps what it found."""

# finds: E410

import structlog

import cio_events

structlog.configure(cache_logger_on_first_use=True)
log = structlog.get_logger()
log.info("starting")  # mend

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()],
    cache_logger_on_first_use=True,
)
