"""The App API's key in the Track API's place, and the reverse."""

# finds: E104 E105
# env: CIO_API_KEY=20436c6351668b25a74a2c289a639d3f
# env: CIO_APP_API_KEY=1a621ef65edfe6d3b6ae
# mended env: CIO_API_KEY=1a621ef65edfe6d3b6ae
# mended env: CIO_APP_API_KEY=20436c6351668b25a74a2c289a639d3f

import structlog

import cio_events

structlog.configure(
    processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()]
)
