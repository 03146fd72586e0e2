"""structlog's events as logging's keywords, and the handler there."""

import logging

import structlog

import cio_events

structlog.configure(
    processors=[structlog.stdlib.add_log_level, structlog.stdlib.render_to_log_kwargs],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
)
logging.basicConfig(level=logging.INFO, handlers=[cio_events.CustomerIOHandler()])
