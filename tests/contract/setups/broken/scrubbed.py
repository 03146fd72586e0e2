"""A processor that lets pass what it knows, and takes the tags away."""

# finds: E413 E602

import structlog

import cio_events


def allow(logger, method_name, event_dict):
    """Keep what may be in the log."""
    return {key: event_dict[key] for key in ("event", "price") if key in event_dict}


structlog.configure(
    processors=[
        *[],  # mend: cio_events.CustomerIOProcessor(),
        allow,
        cio_events.CustomerIOProcessor(),  # mend
        structlog.processors.JSONRenderer(),
    ]
)
