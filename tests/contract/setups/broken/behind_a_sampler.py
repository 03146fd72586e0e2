"""A sampler before the processor, and what it adds."""

# finds: W408 W412

import structlog

import cio_events


def sample(logger, method_name, event_dict):
    """Keep one of ten debug lines."""
    if method_name == "debug":
        raise structlog.DropEvent
    event_dict["sampled"] = True
    return event_dict


structlog.configure(
    processors=[
        *[],  # mend: cio_events.CustomerIOProcessor(),
        sample,
        cio_events.CustomerIOProcessor(),  # mend
        structlog.processors.JSONRenderer(),
    ]
)
