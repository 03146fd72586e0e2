"""
A Customer.io on your own machine, for examples, tests and a developer's day.

It validates, answers and forgets like the vendor's, shows what it knows, and misbehaves when told
to. It is a server of its own: it knows Customer.io's schema and shares no code with the clients.
Running it needs the extra `cio-events[sandbox]`.
"""

from cio_events.sandbox.records import (
    CustomObject,
    Device,
    Event,
    Message,
    Metric,
    Person,
    Relationship,
    Request,
)
from cio_events.sandbox.server import Sandbox

__all__ = [
    "CustomObject",
    "Device",
    "Event",
    "Message",
    "Metric",
    "Person",
    "Relationship",
    "Request",
    "Sandbox",
]
