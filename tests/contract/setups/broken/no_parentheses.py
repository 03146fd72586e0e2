"""The class where a processor belongs."""

# finds: E417 E602

import structlog

import cio_events

structlog.configure(
    processors=[
        cio_events.CustomerIOProcessor,  # mend: cio_events.CustomerIOProcessor(),
        structlog.processors.JSONRenderer(),
    ],
)
