"""Processor and handler together: each record is captured once."""

import logging

import structlog

import cio_events

structlog.configure(
    processors=[
        cio_events.CustomerIOProcessor(),
        structlog.stdlib.add_log_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
)
logging.basicConfig(
    level=logging.INFO, handlers=[cio_events.CustomerIOHandler(), logging.StreamHandler()]
)
