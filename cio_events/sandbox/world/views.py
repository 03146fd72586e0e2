"""What the sandbox knows, for reading: snapshots as plain Python, and the same as JSON."""

from __future__ import annotations

import base64
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cio_events.sandbox.model.checks import Who
from cio_events.sandbox.model.records import CustomObject, Person, Relationship

if TYPE_CHECKING:
    from cio_events.sandbox.model.records import Event, Metric, OutboxMessage
    from cio_events.sandbox.world.world import World


def people(world: World) -> list[Person]:
    """Everybody, the suppressed too, in the order in which they were first heard of."""
    with world.lock:
        related = _by_person(world)
        return [_person(found, related[found.cio_id]) for found in world.people]


def person(world: World, identifier: str) -> Person | None:
    """The person of that id, e-mail address or `cio_id`."""
    with world.lock:
        found = _find(world, identifier)
        return None if found is None else _person(found, _by_person(world)[found.cio_id])


def events(world: World) -> list[Event]:
    """All events in the order of arrival."""
    with world.lock:
        return list(world.events)


def events_of(world: World, identifier: str) -> list[Event]:
    """The events that now belong to the person of that id, e-mail address or `cio_id`."""
    with world.lock:
        found = _find(world, identifier)
        if found is None:
            return []
        return [event for event in world.events if event.cio_id == found.cio_id]


def objects(world: World) -> list[CustomObject]:
    """All objects, in the order in which they were made."""
    with world.lock:
        return [
            replace(
                found,
                attributes=dict(found.attributes),
                relationships=_of_object(world, found),
                anonymous_ids=world.objects.anonymous_ids(found),
            )
            for found in world.objects
        ]


def metrics(world: World) -> list[Metric]:
    """All reports on deliveries."""
    with world.lock:
        return list(world.metrics)


def messages(world: World) -> list[OutboxMessage]:
    """The outbox."""
    with world.lock:
        return list(world.messages)


def left(world: World) -> dict[str, int]:
    """How many of each have gone to make room for later ones."""
    with world.lock:
        return {
            "events": world.events.left,
            "metrics": world.metrics.left,
            "messages": world.messages.left,
        }


def message_json(message: OutboxMessage) -> dict[str, Any]:
    """A message as JSON has it: the attachments in Base64, with their names and sizes."""
    return {
        "kind": message.kind,
        "delivery_id": message.delivery_id,
        "queued_at": message.queued_at,
        "fields": message.fields,
        "attachments": [
            {"name": name, "size": len(content), "base64": base64.b64encode(content).decode()}
            for name, content in message.attachments.items()
        ],
    }


def _find(world: World, identifier: str) -> Person | None:
    for kind in ("id", "email", "cio_id"):
        found = world.people.find(Who(kind, identifier))
        if found is not None:
            return found
    return None


def _person(found: Person, relationships: list[Relationship]) -> Person:
    return replace(
        found,
        attributes=dict(found.attributes),
        timestamps=dict(found.timestamps),
        sources=dict(found.sources),
        merged=list(found.merged),
        devices={
            token: replace(device, attributes=dict(device.attributes))
            for token, device in found.devices.items()
        },
        relationships=relationships,
        segments=list(found.segments),
    )


def _of_object(world: World, found: CustomObject) -> list[Relationship]:
    related = []
    for cio_id, attributes in world.objects.people(found).items():
        who = world.people.find(Who("cio_id", cio_id))
        customer = cio_id if who is None else who.name
        related.append(
            Relationship(found.object_type_id, found.object_id, cio_id, customer, dict(attributes))
        )
    return related


def _by_person(world: World) -> defaultdict[str, list[Relationship]]:
    grouped: defaultdict[str, list[Relationship]] = defaultdict(list)
    for found in world.objects:
        for relationship in _of_object(world, found):
            grouped[relationship.cio_id].append(relationship)
    return grouped
