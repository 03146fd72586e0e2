"""The processor at the end of the chain, where "add" most often puts it."""

# finds: E404 E602

import structlog

import cio_events

structlog.configure(
    processors=[
        *[],  # mend: cio_events.CustomerIOProcessor(),
        structlog.processors.add_log_level,
        structlog.processors.JSONRenderer(),
        cio_events.CustomerIOProcessor(),  # mend
    ]
)
