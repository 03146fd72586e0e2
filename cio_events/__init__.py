"""The log line is the event: tagged log records become Customer.io calls."""

from cio_events.version import __version__

__all__ = ["__version__"]
