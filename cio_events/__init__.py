"""
The log line is the event: tagged log records become Customer.io calls.

::

    import structlog
    import cio_events

    cio_events.configure(site_id="…", api_key="…")  # or CIO_SITE_ID and CIO_API_KEY
    structlog.configure(
        processors=[cio_events.CustomerIOProcessor(), structlog.processors.JSONRenderer()]
    )
    structlog.get_logger().info("purchase", cio_customer="5", price=13.99)

Set up
    configure, get_pipeline, Pipeline, Options, CustomerIOProcessor, CustomerIOHandler

Calls, which a tag ``cio=`` takes, and `Pipeline.send`
    Call, Identify, Track, TrackAnonymous, Delete, Merge, Suppress, Unsuppress, AddDevice,
    DeleteDevice, IdentifyObject, DeleteObject, AddRelationships, DeleteRelationships,
    AddToSegment, RemoveFromSegment, ReportMetric, Operation; made with Identifier,
    ObjectIdentifier, Relationship

Messages, which are calls too
    Message, SendEmail, SendPush, SendSMS, SendWhatsApp, SendInboxMessage, SendInApp; made with
    Device

Requests now, and their errors raised
    TrackClient, AppClient, deadline; they return Receipt, Refusal

What became of the calls
    signals (sent, failed, dropped, retrying), Report, Retry, Stats, DeadLetter

The end of a process, or of a function that is frozen after it has returned
    install_signal_handlers, flushing

Errors
    CustomerIOError, ParamError, APIError, TransactionalError, AttachmentExistsError,
    NoAnswerError, AnswerTimeoutError; CustomerIOWarning
"""

# What a process may never need, such as the clients, is imported when its name is first asked for.

from __future__ import annotations

# First of all, as it is what refuses: by then nothing else is imported in vain.
try:
    import orjson as _orjson  # noqa: F401
except ImportError as _error:
    if "subinterpreters" not in str(_error):
        raise
    raise ImportError(
        "cio_events cannot be imported in an isolated sub-interpreter: orjson, which it needs, "
        "does not load there. Log tagged records in the main interpreter, or in another process"
    ) from _error

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from cio_events import signals
from cio_events._calls.call import Call, Identifier
from cio_events._calls.people import (
    AddDevice,
    Delete,
    DeleteDevice,
    Identify,
    Merge,
    Suppress,
    Track,
    TrackAnonymous,
    Unsuppress,
)
from cio_events._http.deadline import deadline
from cio_events._pipeline.default import configure, get_pipeline
from cio_events._process.forks import late_imports as _late_imports
from cio_events._sources.logging import CustomerIOHandler
from cio_events._sources.structlog import CustomerIOProcessor
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
from cio_events.signals import Report, Retry
from cio_events.version import __version__

if TYPE_CHECKING:
    from cio_events._buffers.failures import DeadLetter
    from cio_events._calls.messages import (
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
    from cio_events._calls.objects import (
        AddRelationships,
        DeleteObject,
        DeleteRelationships,
        IdentifyObject,
        ObjectIdentifier,
        Relationship,
        ReportMetric,
    )
    from cio_events._calls.operation import Operation
    from cio_events._calls.segments import AddToSegment, RemoveFromSegment
    from cio_events._clients import AppClient, Refusal, TrackClient
    from cio_events._delivery.ledger import Stats
    from cio_events._pipeline.flushing import flushing
    from cio_events._pipeline.pipeline import Pipeline
    from cio_events._pipeline.signal_handlers import install_signal_handlers
    from cio_events.options import Options

__all__ = [
    "APIError",
    "AddDevice",
    "AddRelationships",
    "AddToSegment",
    "AnswerTimeoutError",
    "AppClient",
    "AttachmentExistsError",
    "Call",
    "CustomerIOError",
    "CustomerIOHandler",
    "CustomerIOProcessor",
    "CustomerIOWarning",
    "DeadLetter",
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
    "Operation",
    "Options",
    "ParamError",
    "Pipeline",
    "Receipt",
    "Refusal",
    "Relationship",
    "RemoveFromSegment",
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
    "get_pipeline",
    "install_signal_handlers",
    "signals",
]

_ROOM_OF = {
    "AppClient": "cio_events._clients",
    "DeadLetter": "cio_events._buffers.failures",
    "Options": "cio_events.options",
    "Refusal": "cio_events._clients",
    "TrackClient": "cio_events._clients",
    "flushing": "cio_events._pipeline.flushing",
    "Stats": "cio_events._delivery.ledger",
    "Device": "cio_events._calls.messages",
    "Message": "cio_events._calls.messages",
    "Receipt": "cio_events._calls.messages",
    "SendEmail": "cio_events._calls.messages",
    "SendInApp": "cio_events._calls.messages",
    "SendInboxMessage": "cio_events._calls.messages",
    "SendPush": "cio_events._calls.messages",
    "SendSMS": "cio_events._calls.messages",
    "SendWhatsApp": "cio_events._calls.messages",
    "AddRelationships": "cio_events._calls.objects",
    "DeleteObject": "cio_events._calls.objects",
    "DeleteRelationships": "cio_events._calls.objects",
    "IdentifyObject": "cio_events._calls.objects",
    "ObjectIdentifier": "cio_events._calls.objects",
    "Relationship": "cio_events._calls.objects",
    "ReportMetric": "cio_events._calls.objects",
    "Operation": "cio_events._calls.operation",
    "AddToSegment": "cio_events._calls.segments",
    "RemoveFromSegment": "cio_events._calls.segments",
    "Pipeline": "cio_events._pipeline.pipeline",
    "install_signal_handlers": "cio_events._pipeline.signal_handlers",
}


def __getattr__(name: str) -> object:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _late_imports():
        value: object = getattr(_import_module(room), name)
    globals()[name] = value  # so that it is asked for here but once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOM_OF})
