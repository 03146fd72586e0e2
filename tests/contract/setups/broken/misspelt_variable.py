"""A variable that nobody reads."""

# finds: W110
# env: CIO_REGOIN=eu
# mended env: CIO_REGOIN=
# mended env: CIO_REGION=eu

import structlog

import cio_events

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()]
)
