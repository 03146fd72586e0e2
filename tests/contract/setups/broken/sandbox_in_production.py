"""What `cio-events sandbox` has printed, in production."""

# finds: E106
# env: CIO_TRACK_URL=http://127.0.0.1:8026
# env: APP_ENV=production
# mended env: CIO_TRACK_URL=

import structlog

import cio_events

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()]
)
