"""How a soaked process logs, and notes what was accepted."""

from __future__ import annotations

import logging
import os

import cio_events

logger = logging.getLogger("soaked")


def set_up(url: str, spool: str) -> cio_events.Pipeline:
    """Have what is logged delivered to *url*, by way of *spool*."""
    pipeline = cio_events.configure(
        site_id="site",
        api_key="key",
        track_url=url,
        spool=spool,
        flush_interval=0.2,
        timeout=5.0,
        retry_base=0.1,
        retry_cap=1.0,
        hold_interval=0.5,
    )
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(cio_events.CustomerIOHandler(pipeline))
    # What the package has to say of an outage each second is of no use here.
    logging.getLogger("cio_events").addHandler(logging.NullHandler())
    logging.getLogger("cio_events").propagate = False
    return pipeline


def log_one(who: str, number: int, data: dict[str, object], notes: str) -> None:
    """Log an event of that customer, and note it in a file once the log call has returned."""
    event = f"{who}.{number}"
    logger.info(event, extra={"cio_customer": who, "cio_data": data})
    # Neither buffered nor locked, so that a kill between two lines loses no note of what was
    # logged; and by a descriptor of its own, as a daemon closes those that it has inherited.
    noted = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(noted, f"{event}\n".encode())
    os.close(noted)
