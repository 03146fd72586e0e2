"""structlog's generic logger, to which any name is a method; and a processor of one's own kind."""

import structlog

import cio_events


class Processor(cio_events.CustomerIOProcessor):
    """The application's own."""


structlog.configure(
    processors=[Processor(), structlog.processors.LogfmtRenderer()],
    wrapper_class=structlog.BoundLogger,
)
