"""structlog in front of logging, of which nobody has said the level."""

# finds: E504 E602

import logging

import structlog

import cio_events

logging.basicConfig(format="%(message)s")  # mend: logging.basicConfig(level=logging.INFO)

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        cio_events.CustomerIOProcessor(),
        structlog.processors.JSONRenderer(),
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
)
