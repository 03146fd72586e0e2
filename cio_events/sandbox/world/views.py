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
    from cio_events.sandbox.world.worlds import Worlds


def people(worlds: Worlds, workspace: str | None = None) -> list[Person]:
    """
    Everybody, the suppressed too, in the order in which they were first heard of.

    Here as in all others: those of one workspace, or of all without a name.
    """
    with worlds.lock:
        found = []
        for world in worlds.named(workspace):
            related = _by_person(world)
            found += [_person(one, related[one.cio_id]) for one in world.people]
        return found


def person(worlds: Worlds, identifier: str, workspace: str | None = None) -> Person | None:
    """The person of that id, e-mail address or `cio_id`: of the first workspace that has one."""
    with worlds.lock:
        for world in worlds.named(workspace):
            found = _find(world, identifier)
            if found is not None:
                return _person(found, _by_person(world)[found.cio_id])
        return None


def events(worlds: Worlds, workspace: str | None = None) -> list[Event]:
    """All events in the order of arrival."""
    with worlds.lock:
        return [event for event in worlds.archive.events if _is_in(event, workspace)]


def events_of(worlds: Worlds, identifier: str, workspace: str | None = None) -> list[Event]:
    """The events that now belong to the people of that id, e-mail address or `cio_id`."""
    with worlds.lock:
        people = [_find(world, identifier) for world in worlds.named(workspace)]
        cio_ids = {found.cio_id for found in people if found is not None}
        return [event for event in worlds.archive.events if event.cio_id in cio_ids]


def objects(worlds: Worlds, workspace: str | None = None) -> list[CustomObject]:
    """All objects, in the order in which they were made."""
    with worlds.lock:
        return [
            replace(
                found,
                attributes=dict(found.attributes),
                relationships=_of_object(world, found),
                anonymous_ids=world.objects.anonymous_ids(found),
            )
            for world in worlds.named(workspace)
            for found in world.objects
        ]


def metrics(worlds: Worlds, workspace: str | None = None) -> list[Metric]:
    """All reports on deliveries."""
    with worlds.lock:
        return [metric for metric in worlds.archive.metrics if _is_in(metric, workspace)]


def messages(worlds: Worlds, workspace: str | None = None) -> list[OutboxMessage]:
    """The outbox."""
    with worlds.lock:
        return [message for message in worlds.archive.messages if _is_in(message, workspace)]


def workspaces(worlds: Worlds) -> list[str]:
    """The names of the workspaces, in the order in which they were first heard of."""
    with worlds.lock:
        return worlds.names


def left(worlds: Worlds) -> dict[str, int]:
    """How many of each have gone to make room for later ones."""
    with worlds.lock:
        archive = worlds.archive
        return {
            "events": archive.events.left,
            "metrics": archive.metrics.left,
            "messages": archive.messages.left,
        }


def _is_in(record: Event | Metric | OutboxMessage, workspace: str | None) -> bool:
    return workspace is None or record.workspace == workspace


def message_json(message: OutboxMessage) -> dict[str, Any]:
    """A message as JSON has it: the attachments in Base64, with their names and sizes."""
    return {
        "kind": message.kind,
        "delivery_id": message.delivery_id,
        "queued_at": message.queued_at,
        "workspace": message.workspace,
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
