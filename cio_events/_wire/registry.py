"""
The kinds of call: one row for each, with all that differs between them on the wire.

Who adds a kind writes its class in `cio_events._calls` and its row here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from cio_events._calls.call import Call
from cio_events._calls.messages import (
    Message,
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
    ReportMetric,
)
from cio_events._calls.operation import Operation
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
from cio_events._calls.segments import AddToSegment, RemoveFromSegment
from cio_events._interrupts import faults
from cio_events._wire import messages, objects, people, raw, segments, v1
from cio_events._wire.envelope import Route
from cio_events.errors import ParamError

ENTITY_PATH = "/api/v2/entity"


def _always(_call: Any) -> bool:
    return True


def _never(_call: Any) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """
    A kind of call.

    Attributes:
        call: Its class.

        words: What it is called while it waits: the ``type`` and ``action`` of its
            operation; of a message, the last part of its path. None of a raw operation, which
            may say anything.

        mark: What its operation begins with where it waits, if it is known again by that.

        route: `Route.BATCH` for the Track API, `Route.APP` for the App API.

        write: Makes the body in which it waits, of the call, its ULID and its time in Unix
            seconds; on both routes this is also what is sent.

        read: Makes the call of that body.

        concerns: The keys of those whom that body is about, to keep the order by.

        alone: Method, path and body of the request that sends it alone, of the call and the ULID
            of an event that has none.

        batched: Whether v2 has an operation that says all of a call.

        overwrites: Whether its values replace what is known: then a value that has no form in
            JSON is left out, and must not overwrite a good one.

        large: The parameter that may grow beyond an operation's size; None if there is none.

        bounded: Whether its parts have limits that bound it, so that no size of an operation is
            asked of it: of what is never batched.
    """

    call: type[Call]
    words: tuple[str, ...]
    mark: bytes = b""
    route: Route = Route.BATCH
    write: Callable[[Any, str, int], dict[str, Any]]
    read: Callable[[dict[str, Any]], Call]
    concerns: Callable[[dict[str, Any]], tuple[str, ...]] = people.concerns
    alone: Callable[[Any, str | None], v1.Parts]
    batched: Callable[[Any], bool] = _always
    overwrites: bool = False
    large: str | None = None
    bounded: bool = False


def _bare(call: type[Delete | Suppress | Unsuppress], alone: Any) -> Kind:
    return Kind(
        call=call,
        words=(f"person {call.tag}",),
        write=people.bare,
        read=partial(people.read_bare, call),
        alone=alone,
    )


def entity(call: Call, id_: str | None) -> v1.Parts:
    """
    Method, path and body of a call for which v1 has no word: a single operation of v2.

    Raises:
        ParamError: v2 has no word for it either.
    """
    kind = kind_of(call)
    if not kind.batched(call):
        raise ParamError(
            "customer",
            "is an identifier that v1 cannot say, and v2 has no relationships in that form",
        )
    return "POST", ENTITY_PATH, kind.write(call, id_ or "", int(time.time()))


def _relating(call: type[AddRelationships | DeleteRelationships]) -> Kind:
    return Kind(
        call=call,
        words=(f"person {call.tag}", f"object {call.tag}"),
        write=objects.relationships,
        read=partial(objects.read_relationships, call),
        overwrites=True,
        concerns=objects.concerns,
        alone=entity,
    )


def _in_segment(call: type[AddToSegment | RemoveFromSegment]) -> Kind:
    return Kind(
        call=call,
        words=(f"segment {call.tag}",),
        write=segments.write,
        read=partial(segments.read, call),
        concerns=segments.concerns,
        alone=v1.segment,
        batched=_never,
        bounded=True,
    )


def _message(call: type[Message], word: str) -> Kind:
    return Kind(
        call=call,
        words=(word,),
        route=Route.APP,
        write=messages.write,
        read=partial(messages.read, call),
        alone=lambda message, _id: ("POST", f"/v1/send/{word}", messages.write(message, "", 0)),
    )


KINDS = (
    Kind(
        call=Identify,
        overwrites=True,
        words=("person identify",),
        write=people.identify,
        read=people.read_identify,
        alone=v1.identify,
        batched=people.identify_fits_a_batch,
        large="attributes",
    ),
    Kind(
        call=Track,
        words=("person event", "person page", "person screen"),
        write=people.track,
        read=people.read_track,
        alone=v1.track,
        large="data",
    ),
    Kind(
        call=TrackAnonymous,
        words=("anonymous event", "anonymous page", "anonymous screen"),
        write=people.track_anonymous,
        read=people.read_anonymous,
        concerns=people.concerns_anonymous,
        alone=v1.track_anonymous,
        batched=_never,
        large="data",
    ),
    _bare(Delete, v1.delete),
    _bare(Suppress, v1.suppression),
    _bare(Unsuppress, v1.suppression),
    Kind(
        call=Merge,
        words=("person merge",),
        write=people.merge,
        read=people.read_merge,
        concerns=people.concerns_both,
        alone=v1.merge,
    ),
    Kind(
        call=AddDevice,
        overwrites=True,
        words=("person add_device",),
        write=people.add_device,
        read=people.read_add_device,
        alone=v1.add_device,
        large="data",
    ),
    Kind(
        call=DeleteDevice,
        words=("person delete_device",),
        write=people.delete_device,
        read=people.read_delete_device,
        alone=v1.delete_device,
    ),
    Kind(
        call=IdentifyObject,
        overwrites=True,
        words=("object identify",),
        write=objects.identify_object,
        read=objects.read_identify_object,
        concerns=objects.concerns,
        alone=entity,
    ),
    Kind(
        call=DeleteObject,
        words=("object delete",),
        write=objects.delete_object,
        read=objects.read_delete_object,
        concerns=objects.concerns,
        alone=entity,
    ),
    _relating(AddRelationships),
    _relating(DeleteRelationships),
    _in_segment(AddToSegment),
    _in_segment(RemoveFromSegment),
    Kind(
        call=ReportMetric,
        words=("metric report",),
        write=objects.waiting_metric,
        read=objects.read_metric,
        concerns=objects.concerns_nobody,
        alone=v1.report_metric,
        batched=_never,
    ),
    Kind(
        call=Operation,
        overwrites=True,
        words=(),
        mark=raw.MARK,
        write=raw.write,
        read=Operation,
        concerns=raw.concerns,
        alone=entity,
    ),
    _message(SendEmail, "email"),
    _message(SendPush, "push"),
    _message(SendSMS, "sms"),
    _message(SendWhatsApp, "whatsapp"),
    _message(SendInboxMessage, "inbox_message"),
    _message(SendInApp, "in_app"),
)
"""All of them."""

_BY_CALL = {kind.call: kind for kind in KINDS}

_BY_WORD = {word: kind for kind in KINDS for word in kind.words}


def kind_of(call: Call) -> Kind:
    """
    The row of *call*.

    Raises:
        ParamError: It is no call, or of a class of somebody else.
    """
    try:
        return _BY_CALL[type(call)]
    except faults(Exception):  # a class of an application's may have no hash
        raise ParamError("call", "must be a call of cio_events") from None


def kind_called(word: str) -> Kind:
    """
    The row of the kind that waits under that *word*.

    Raises:
        KeyError: There is none.
    """
    return _BY_WORD[word]


def kind_and_body(operation: bytes) -> tuple[Kind, dict[str, Any]]:
    """The row of a waiting operation, and what it says."""
    body: dict[str, Any] = orjson.loads(operation)
    if operation.startswith(raw.MARK):
        return _BY_CALL[Operation], body
    return kind_called(f"{body['type']} {body['action']}"), body


def read_operation(operation: bytes) -> Call:
    """The call that a waiting operation was made of, with its id and timestamp."""
    kind, body = kind_and_body(operation)
    return kind.read(body)
