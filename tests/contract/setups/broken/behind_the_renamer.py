"""The processor behind EventRenamer, format_exc_info and one that adds to each event."""

# finds: E406 W407

import structlog

import cio_events

structlog.configure(
    processors=[
        *[],  # mend: cio_events.CustomerIOProcessor(),
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        cio_events.CustomerIOProcessor(),  # mend
        structlog.processors.JSONRenderer(),
    ]
)
