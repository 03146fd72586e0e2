"""
The log line is the event: tagged log records become Customer.io calls.

Only names live here; each is documented where it is made. What a process may never need, such as
the clients, is imported when its name is first asked for.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from cio_events import signals
from cio_events.calls import (
    AddDevice,
    Call,
    Delete,
    DeleteDevice,
    Identifier,
    Identify,
    Merge,
    Suppress,
    Track,
    TrackAnonymous,
    Unsuppress,
)
from cio_events.deadline import deadline
from cio_events.default import configure
from cio_events.errors import (
    AnswerTimeoutError,
    APIError,
    AttachmentExistsError,
    CustomerIOError,
    CustomerIOWarning,
    NoAnswerError,
    ParamError,
    TransactionalError,
)
from cio_events.handler import CustomerIOHandler
from cio_events.lifecycle import late_imports as _late_imports
from cio_events.processor import CustomerIOProcessor
from cio_events.signals import Report, Retry
from cio_events.version import __version__

if TYPE_CHECKING:
    from cio_events.clients import AppClient, Refusal, TrackClient
    from cio_events.ledger import Stats
    from cio_events.messages import (
        Device,
        Message,
        Receipt,
        SendEmail,
        SendInApp,
        SendInboxMessage,
        SendPush,
        SendSMS,
        SendWhatsApp,
    )
    from cio_events.objects import (
        AddRelationships,
        DeleteObject,
        DeleteRelationships,
        IdentifyObject,
        ObjectIdentifier,
        Relationship,
        ReportMetric,
    )
    from cio_events.pipeline import Pipeline
    from cio_events.serverless import flushing
    from cio_events.shutdown import install_signal_handlers

__all__ = [
    "APIError",
    "AddDevice",
    "AddRelationships",
    "AnswerTimeoutError",
    "AppClient",
    "AttachmentExistsError",
    "Call",
    "CustomerIOError",
    "CustomerIOHandler",
    "CustomerIOProcessor",
    "CustomerIOWarning",
    "Delete",
    "DeleteDevice",
    "DeleteObject",
    "DeleteRelationships",
    "Device",
    "Identifier",
    "Identify",
    "IdentifyObject",
    "Merge",
    "Message",
    "NoAnswerError",
    "ObjectIdentifier",
    "ParamError",
    "Pipeline",
    "Receipt",
    "Refusal",
    "Relationship",
    "Report",
    "ReportMetric",
    "Retry",
    "SendEmail",
    "SendInApp",
    "SendInboxMessage",
    "SendPush",
    "SendSMS",
    "SendWhatsApp",
    "Stats",
    "Suppress",
    "Track",
    "TrackAnonymous",
    "TrackClient",
    "TransactionalError",
    "Unsuppress",
    "__version__",
    "configure",
    "deadline",
    "flushing",
    "install_signal_handlers",
    "signals",
]

_ROOM_OF = {
    "AppClient": "cio_events.clients",
    "Refusal": "cio_events.clients",
    "TrackClient": "cio_events.clients",
    "flushing": "cio_events.serverless",
    "Stats": "cio_events.ledger",
    "Device": "cio_events.messages",
    "Message": "cio_events.messages",
    "Receipt": "cio_events.messages",
    "SendEmail": "cio_events.messages",
    "SendInApp": "cio_events.messages",
    "SendInboxMessage": "cio_events.messages",
    "SendPush": "cio_events.messages",
    "SendSMS": "cio_events.messages",
    "SendWhatsApp": "cio_events.messages",
    "AddRelationships": "cio_events.objects",
    "DeleteObject": "cio_events.objects",
    "DeleteRelationships": "cio_events.objects",
    "IdentifyObject": "cio_events.objects",
    "ObjectIdentifier": "cio_events.objects",
    "Relationship": "cio_events.objects",
    "ReportMetric": "cio_events.objects",
    "Pipeline": "cio_events.pipeline",
    "install_signal_handlers": "cio_events.shutdown",
}


def __getattr__(name: str) -> object:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _late_imports:
        value: object = getattr(_import_module(room), name)
    globals()[name] = value  # so that it is asked for here but once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOM_OF})
