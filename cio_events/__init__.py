"""
The log line is the event: tagged log records become Customer.io calls.

Only names live here; each is documented where it is made.
"""

from __future__ import annotations

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
from cio_events.clients import AppClient, Refusal, TrackClient
from cio_events.deadline import deadline
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
from cio_events.flushing import flushing
from cio_events.handler import CustomerIOHandler
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
from cio_events.pipeline import Pipeline, configure
from cio_events.processor import CustomerIOProcessor
from cio_events.shutdown import install_signal_handlers
from cio_events.signals import Report, Retry
from cio_events.version import __version__

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
