"""A key that nobody has set."""

# finds: E101
# env: CIO_API_KEY=
# mended env: CIO_API_KEY=1a621ef65edfe6d3b6ae

import structlog

import cio_events

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()]
)
