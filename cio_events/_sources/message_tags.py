"""
The tags of messages and of objects, which most applications do not have.

This room, and what it needs, is only imported when a record asks for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

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
    ObjectIdentifier,
    Relationship,
)
from cio_events._calls.people import Call
from cio_events._sources.fields import PayloadKeys, Reader, customer_of, payload_of, required


def _message(
    fields: Mapping[str, Any],
    _event: object,
    keys: PayloadKeys,
    _logged_at: float | None,
    *,
    kind: type[Message],
) -> Call:
    values: dict[str, Any] = {
        "identifiers": customer_of(fields),
        "transactional_message_id": required(fields, "cio_message_id"),
    }
    if "cio_to" in fields and hasattr(kind, "to"):
        values["to"] = required(fields, "cio_to")
    data = payload_of(fields, keys)
    if data:
        values["message_data"] = data
    return kind(**values)


def _identify_object(
    fields: Mapping[str, Any], _event: object, keys: PayloadKeys, _logged_at: float | None
) -> Call:
    # A bound identity is not enough: not every object of a request belongs to its user.
    people = [customer_of(fields)] if "cio_customer" in fields else []
    return IdentifyObject(_object(fields), payload_of(fields, keys), people)


def _delete_object(fields: Mapping[str, Any], *_: object) -> Call:
    return DeleteObject(_object(fields))


def _add_relationships(
    fields: Mapping[str, Any], _event: object, keys: PayloadKeys, _logged_at: float | None
) -> Call:
    related = Relationship(_object(fields), payload_of(fields, keys))
    return AddRelationships(customer_of(fields), [related])


def _delete_relationships(fields: Mapping[str, Any], *_: object) -> Call:
    return DeleteRelationships(customer_of(fields), [_object(fields)])


def _object(fields: Mapping[str, Any]) -> ObjectIdentifier:
    which = required(fields, "cio_object")
    if isinstance(which, ObjectIdentifier):
        return which
    return ObjectIdentifier(required(fields, "cio_object_type"), which)


READERS: dict[str, Reader] = {
    **{
        kind.tag: partial(_message, kind=kind)
        for kind in (SendEmail, SendPush, SendSMS, SendWhatsApp, SendInboxMessage, SendInApp)
    },
    IdentifyObject.tag: _identify_object,
    DeleteObject.tag: _delete_object,
    AddRelationships.tag: _add_relationships,
    DeleteRelationships.tag: _delete_relationships,
}
"""What reads a record, by the word in its ``cio``."""
