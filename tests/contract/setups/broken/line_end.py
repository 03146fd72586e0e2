"""A key with a line break, as a secret has that was made by `echo`."""

# finds: E102
# env: CIO_API_KEY=1a621ef65edfe6d3b6ae\n
# mended env: CIO_API_KEY=1a621ef65edfe6d3b6ae

import structlog

import cio_events

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()]
)
