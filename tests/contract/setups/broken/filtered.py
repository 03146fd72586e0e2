"""A filter on the handler that lets pass what has a request's id."""

# finds: W511 E602

import logging

import cio_events


class OfRequests(logging.Filter):
    """Let pass what has a request's id."""

    def filter(self, record):
        """Whether it has one."""
        return hasattr(record, "request_id")


handler = cio_events.CustomerIOHandler()
handler.addFilter(OfRequests())  # mend
logging.basicConfig(level=logging.INFO, handlers=[handler])
