"""A pipeline of its own, with all its options in code, and nothing in the environment."""

# env: CIO_SITE_ID=
# env: CIO_API_KEY=

import structlog

import cio_events

pipeline = cio_events.Pipeline(site_id="f82ad78f695bd32f9d99", api_key="1a621ef65edfe6d3b6ae")
structlog.configure(
    processors=[cio_events.CustomerIOProcessor(pipeline), structlog.processors.JSONRenderer()]
)
