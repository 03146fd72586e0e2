"""structlog's events through a QueueHandler, which makes text of them."""

# finds: E509 E602

import logging
import logging.handlers
import queue

import structlog

import cio_events

structlog.configure(
    processors=[
        *[],  # mend: cio_events.CustomerIOProcessor(),
        structlog.stdlib.add_log_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
)
records = queue.SimpleQueue()
logging.basicConfig(level=logging.INFO, handlers=[logging.handlers.QueueHandler(records)])
listener = logging.handlers.QueueListener(records, cio_events.CustomerIOHandler())
listener.start()
