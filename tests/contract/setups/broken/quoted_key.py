"""A key with the quotes of an .env file, as Docker's --env-file leaves them."""

# finds: E103
# env: CIO_API_KEY="1a621ef65edfe6d3b6ae"
# mended env: CIO_API_KEY=1a621ef65edfe6d3b6ae

import structlog

import cio_events

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()]
)
