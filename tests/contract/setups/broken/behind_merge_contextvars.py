"""The processor behind what merges the context, twice."""

# finds: W405 W411

import structlog

import cio_events

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,  # mend: cio_events.CustomerIOProcessor(),
        cio_events.CustomerIOProcessor(),  # mend: structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        cio_events.CustomerIOProcessor(),  # mend
        structlog.processors.JSONRenderer(),
    ]
)
