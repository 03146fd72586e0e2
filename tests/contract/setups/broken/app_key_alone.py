"""The key for messages, and an application that tracks."""

# finds: W116
# env: CIO_SITE_ID=
# env: CIO_API_KEY=
# env: CIO_APP_API_KEY=0123456789abcdef0123456789abcdef
# mended env: CIO_SITE_ID=f82ad78f695bd32f9d99
# mended env: CIO_API_KEY=1a621ef65edfe6d3b6ae

import structlog

import cio_events

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()]
)
