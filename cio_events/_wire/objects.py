"""
Objects, relationships and metrics as operations, and back.

A metric is an operation only while it waits: what v2 can say of deliveries is but a part of what
`METRICS_PATH` takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cio_events._calls.objects import (
    AddRelationships,
    DeleteObject,
    DeleteRelationships,
    IdentifyObject,
    ObjectIdentifier,
    Relationship,
    ReportMetric,
)
from cio_events._wire import identifiers

METRICS_PATH = "/api/v1/metrics"

Operation = dict[str, Any]


def identify_object(call: IdentifyObject, _id: str, _now: int) -> Operation:
    """Write `IdentifyObject`."""
    operation = _of_object(call.object, "identify")
    operation["attributes"] = call.attributes
    if call.relationships:
        operation["cio_relationships"] = _write_relationships(call.relationships)
    return operation


def delete_object(call: DeleteObject, _id: str, _now: int) -> Operation:
    """Write `DeleteObject`."""
    return _of_object(call.object, "delete")


def relationships(call: AddRelationships | DeleteRelationships, _id: str, _now: int) -> Operation:
    """Write `AddRelationships` or `DeleteRelationships`."""
    return {
        "type": "object" if isinstance(call.subject, ObjectIdentifier) else "person",
        "identifiers": identifiers.write(call.subject),
        "action": call.tag,
        "cio_relationships": _write_relationships(call.relationships),
    }


def _of_object(which: ObjectIdentifier, action: str) -> Operation:
    return {"type": "object", "identifiers": identifiers.write(which), "action": action}


def _write_relationships(relationships: Iterable[Relationship]) -> list[Operation]:
    written = []
    for one in relationships:
        item: Operation = {"identifiers": identifiers.write(one.to)}
        if one.attributes:
            item["relationship_attributes"] = one.attributes
        written.append(item)
    return written


def metric(call: ReportMetric) -> Operation:
    """The body that `METRICS_PATH` takes."""
    body = {name: getattr(call, name) for name in ("delivery_id", "metric")}
    for name in ("timestamp", "recipient", "reason", "href"):
        value = getattr(call, name)
        if value is not None:
            body[name] = value
    return body


def waiting_metric(call: ReportMetric, _id: str, now: int) -> Operation:
    """The form in which a metric waits."""
    return {"type": "metric", "action": "report", "timestamp": now, **metric(call)}


def _read_relationships(operation: Operation) -> list[Relationship]:
    return [
        Relationship(identifiers.read(item["identifiers"]), item.get("relationship_attributes"))
        for item in operation.get("cio_relationships", ())
    ]


def _read_object(operation: Operation) -> ObjectIdentifier:
    return ObjectIdentifier(**operation["identifiers"])


def read_identify_object(operation: Operation) -> IdentifyObject:
    """The call that `identify_object` wrote."""
    return IdentifyObject(
        _read_object(operation), operation["attributes"], _read_relationships(operation)
    )


def read_relationships(
    kind: type[AddRelationships | DeleteRelationships], operation: Operation
) -> AddRelationships | DeleteRelationships:
    """The call of that *kind* that `relationships` wrote."""
    return kind(identifiers.read(operation["identifiers"]), _read_relationships(operation))


def read_metric(operation: Operation) -> ReportMetric:
    """The call that `waiting_metric` wrote."""
    told = {name: told for name, told in operation.items() if name not in ("type", "action")}
    return ReportMetric(told.pop("delivery_id"), told.pop("metric"), **told)


def read_delete_object(operation: Operation) -> DeleteObject:
    """The call that `delete_object` wrote."""
    return DeleteObject(_read_object(operation))


def concerns(operation: Operation) -> tuple[str, ...]:
    """
    The keys of the object or person whom an operation is about, and of those at its other end.
    """
    related = operation.get("cio_relationships", ())
    ends = [operation, *related]
    return tuple(identifiers.key(end["identifiers"]) for end in ends)


def concerns_nobody(_operation: Operation) -> tuple[str, ...]:
    """Of a metric: it can be told in any order."""
    return ()
