"""The log line is the event: tagged log records become Customer.io calls."""

__version__ = "0.1.0"
