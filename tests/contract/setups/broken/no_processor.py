"""structlog without a processor of ours."""

# finds: E402 E502

import structlog

import cio_events

structlog.configure(
    processors=[
        *[],  # mend: cio_events.CustomerIOProcessor(),
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.JSONRenderer(),
    ]
)
pipeline = cio_events.get_pipeline()
