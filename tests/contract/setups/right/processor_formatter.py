"""Our processor in a ProcessorFormatter alone."""

import logging

import structlog

import cio_events

structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
)
console = logging.StreamHandler()
console.setFormatter(
    structlog.stdlib.ProcessorFormatter(
        processors=[
            cio_events.CustomerIOProcessor(),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ]
    )
)
logging.basicConfig(level=logging.INFO, handlers=[console])
