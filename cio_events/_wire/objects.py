"""
Objects, relationships and metrics as operations, and back.

A metric is an operation only while it waits: what v2 can say of deliveries is but a part of what
`METRICS_PATH` takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
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
from cio_events._calls.people import Call
from cio_events._wire import identifiers

METRICS_PATH = "/api/v1/metrics"

Operation = dict[str, Any]


def _identify_object(call: IdentifyObject) -> Operation:
    operation = _of_object(call.object, "identify")
    operation["attributes"] = call.attributes
    if call.relationships:
        operation["cio_relationships"] = _write_relationships(call.relationships)
    return operation


def _delete_object(call: DeleteObject) -> Operation:
    return _of_object(call.object, "delete")


def _relationships(call: AddRelationships | DeleteRelationships) -> Operation:
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
    """
    The body that `METRICS_PATH` takes.
    """
    body = {name: getattr(call, name) for name in ("delivery_id", "metric")}
    for name in ("timestamp", "recipient", "reason", "href"):
        value = getattr(call, name)
        if value is not None:
            body[name] = value
    return body


def waiting_metric(call: ReportMetric, now: int) -> Operation:
    """
    The form in which a metric waits.
    """
    return {"type": "metric", "action": "report", "timestamp": now, **metric(call)}


WRITE: dict[type[Call], Callable[[Any], Operation]] = {
    IdentifyObject: _identify_object,
    DeleteObject: _delete_object,
    AddRelationships: _relationships,
    DeleteRelationships: _relationships,
}
"""What v2 alone has."""


def _read_relationships(operation: Operation) -> list[Relationship]:
    return [
        Relationship(identifiers.read(item["identifiers"]), item.get("relationship_attributes"))
        for item in operation.get("cio_relationships", ())
    ]


def _read_object(operation: Operation) -> ObjectIdentifier:
    return ObjectIdentifier(**operation["identifiers"])


def _read_identify_object(operation: Operation) -> Call:
    return IdentifyObject(
        _read_object(operation), operation["attributes"], _read_relationships(operation)
    )


def _read_both_ends(
    kind: type[AddRelationships | DeleteRelationships], operation: Operation
) -> Call:
    return kind(identifiers.read(operation["identifiers"]), _read_relationships(operation))


def _read_metric(operation: Operation) -> Call:
    told = {name: told for name, told in operation.items() if name not in ("type", "action")}
    return ReportMetric(told.pop("delivery_id"), told.pop("metric"), **told)


READ: dict[tuple[str, str], Callable[[Operation], Call]] = {
    ("object", "identify"): _read_identify_object,
    ("object", "delete"): lambda operation: DeleteObject(_read_object(operation)),
    ("metric", "report"): _read_metric,
    **{
        (type_, kind.tag): partial(_read_both_ends, kind)
        for type_ in ("person", "object")
        for kind in (AddRelationships, DeleteRelationships)
    },
}
