"""
A Customer.io on your own machine, for examples, tests and a developer's day.

It validates, answers and forgets like the vendor's, shows what it knows, and misbehaves when told
to. It is a server of its own: it knows Customer.io's schema and shares no code with the clients.
Running it needs the extra `cio-events[sandbox]`.
"""

from cio_events.sandbox.model.explanations import Explanation
from cio_events.sandbox.model.records import (
    CustomObject,
    Event,
    Item,
    Metric,
    OutboxMessage,
    Person,
    PersonDevice,
    ReceivedRequest,
    Relationship,
)
from cio_events.sandbox.sandbox import Sandbox

# Their names in 0.1.
Device = PersonDevice
Message = OutboxMessage
Request = ReceivedRequest

__all__ = [
    "CustomObject",
    "Device",
    "Event",
    "Explanation",
    "Item",
    "Message",
    "Metric",
    "OutboxMessage",
    "Person",
    "PersonDevice",
    "ReceivedRequest",
    "Relationship",
    "Request",
    "Sandbox",
]
