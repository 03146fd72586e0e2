"""
The Track API, version 2: operations on people, objects and deliveries, one or many a request.

An operation is checked wholly before anything is done, so a refused one leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from cio_events.sandbox.api import items
from cio_events.sandbox.api.exchange import Arrival, Reply, Resource
from cio_events.sandbox.model import checks, limits
from cio_events.sandbox.model import explanations as rules
from cio_events.sandbox.model.explanations import InvalidError
from cio_events.sandbox.model.records import Event, Metric

if TYPE_CHECKING:
    from cio_events.sandbox.model.checks import Which, Who
    from cio_events.sandbox.world.world import World

Operation: TypeAlias = dict[str, Any]

PERSON_IDENTIFIERS = (*checks.PERSON_IDENTIFIERS, "phone")
DELIVERY_METRICS = ("opened", "converted", "delivered")


def entity(world: World, arrival: Arrival) -> Reply:
    """POST /api/v2/entity."""
    if arrival.body.size > limits.OPERATION_BYTES:
        raise _too_large("body", limits.OPERATION_BYTES)
    perform(world, arrival.json())
    return Reply()


def batch(world: World, arrival: Arrival) -> Reply:
    """POST /api/v2/batch: what is invalid is listed, all the rest is done."""
    if arrival.body.size > limits.BATCH_BYTES:
        raise _too_large("body", limits.BATCH_BYTES)
    body = arrival.body.json()
    if not isinstance(body, dict):
        raise InvalidError(rules.NOT_OBJECT, "body", "the body must be an object", body)
    if "batch" not in body:
        raise InvalidError(rules.REQUIRED, "batch", "batch is required")
    operations = body["batch"]
    if not isinstance(operations, list):
        raise InvalidError(rules.NOT_LIST, "batch", "batch must be a list", operations)
    errors = []
    for index, operation in enumerate(operations):
        try:
            if arrival.body.deep:
                checks.not_too_deep(operation, "")
            if len(orjson.dumps(operation)) > limits.OPERATION_BYTES:
                raise _too_large("", limits.OPERATION_BYTES)
            perform(world, operation)
        except InvalidError as invalid:
            arrival.items.append(items.refused(items.of_operation(operation), invalid))
            errors.append({"batch_index": index, **_error(invalid)})
        else:
            done = items.done(items.of_operation(operation), world.take_findings())
            arrival.items.append(done)
    return Reply(207, {"errors": errors}) if errors else Reply()


def perform(world: World, operation: Any) -> None:
    """Check one operation and do it."""
    if not isinstance(operation, dict):
        raise InvalidError(rules.NOT_OBJECT, "", "an operation must be an object", operation)
    kind = checks.one_of(operation.get("type"), "type", ACTIONS)
    action = checks.one_of(operation.get("action"), "action", ACTIONS[kind])
    ACTIONS[kind][action](world, operation)


def _person(operation: Operation) -> Who:
    return checks.who(operation.get("identifiers"), "identifiers", PERSON_IDENTIFIERS)


def _identify(world: World, operation: Operation) -> None:
    who = _person(operation)
    attributes = checks.attributes(operation.get("attributes"), "attributes")
    timestamp = checks.moment(operation.get("timestamp"), "timestamp")
    related = checks.relationships(operation.get("cio_relationships"), "cio_relationships")
    person = world.identify(
        who,
        {name: value for name, value in attributes.items() if name != "_update"},
        timestamp=timestamp,
        update_only=attributes.get("_update") is True,
    )
    if person is not None:
        for which, relationship_attributes in related:
            world.objects.relate(which, person.cio_id, relationship_attributes)


def _track(world: World, operation: Operation) -> None:
    event = Event(
        name=checks.event_name(operation.get("name")),
        type=operation["action"],
        data=checks.mapping(operation.get("attributes"), "attributes"),
        timestamp=checks.moment_or_now(operation.get("timestamp"), "timestamp"),
        id=checks.optional_text(operation.get("id"), "id"),
    )
    world.track(_person(operation), event)


def _delete(world: World, operation: Operation) -> None:
    world.delete(_person(operation))


def _suppress(world: World, operation: Operation) -> None:
    world.suppress(_person(operation))


def _unsuppress(world: World, operation: Operation) -> None:
    world.unsuppress(_person(operation))


def _merge(world: World, operation: Operation) -> None:
    primary = checks.who(operation.get("primary"), "primary")
    world.merge(primary, checks.who(operation.get("secondary"), "secondary"))


def _device(operation: Operation) -> dict[str, Any]:
    if operation.get("device") is None:
        raise InvalidError(rules.REQUIRED, "device", "device is required")
    return checks.mapping(operation["device"], "device")


def _add_device(world: World, operation: Operation) -> None:
    world.add_device(_person(operation), *checks.device(_device(operation), "token"))


def _delete_device(world: World, operation: Operation) -> None:
    token = checks.text(_device(operation).get("token"), "device.token")
    world.delete_device(_person(operation), token)


def _person_relationships(world: World, operation: Operation) -> None:
    who = _person(operation)
    _require_relationships(operation)
    related = checks.relationships(operation["cio_relationships"], "cio_relationships")
    if operation["action"] == "add_relationships":
        person = world.people.upsert(who)
        if person is not None:
            for which, attributes in related:
                world.objects.relate(which, person.cio_id, attributes)
    else:
        person = world.people.find(who)
        if person is not None:
            for which, _ in related:
                world.objects.unrelate(which, person.cio_id)


def _require_relationships(operation: Operation) -> None:
    if operation.get("cio_relationships") is None:
        message = "cio_relationships is required"
        raise InvalidError(rules.REQUIRED, "cio_relationships", message)


def _people(operation: Operation) -> list[tuple[Who, dict[str, Any]]]:
    return [
        (
            checks.who(item.get("identifiers"), f"{place}.identifiers"),
            checks.attributes(
                item.get("relationship_attributes"), f"{place}.relationship_attributes"
            ),
        )
        for place, item in checks.items(operation.get("cio_relationships"), "cio_relationships")
    ]


def _object(operation: Operation) -> Which:
    return checks.which(operation.get("identifiers"), "identifiers")


def _relate_people(world: World, which: Which, people: list[tuple[Who, dict[str, Any]]]) -> None:
    for who, attributes in people:
        person = world.people.upsert(who)
        if person is not None:
            world.objects.relate(which, person.cio_id, attributes)


def _identify_object(world: World, operation: Operation) -> None:
    which = _object(operation)
    attributes = checks.attributes(operation.get("attributes"), "attributes")
    people = _people(operation)
    if world.objects.identify(which, attributes) is not None:
        _relate_people(world, which, people)


def _identify_object_anonymous(world: World, operation: Operation) -> None:
    which = _object(operation)
    attributes = checks.attributes(operation.get("attributes"), "attributes")
    # The schema's example has the id beside the action, its fields have it in a list.
    unknown: list[tuple[str, dict[str, Any]]] = []
    if operation.get("anonymous_id") is not None:
        unknown.append((checks.identifier(operation["anonymous_id"], "anonymous_id"), {}))
    for place, item in checks.items(operation.get("cio_relationships"), "cio_relationships"):
        named = checks.mapping(item.get("identifiers"), f"{place}.identifiers")
        anonymous_id = checks.identifier(
            named.get("anonymous_id"), f"{place}.identifiers.anonymous_id"
        )
        field = f"{place}.relationship_attributes"
        found = checks.attributes(item.get("relationship_attributes"), field)
        unknown.append((anonymous_id, found))
    if world.objects.identify(which, attributes) is not None:
        for anonymous_id, relationship_attributes in unknown:
            world.relate_anonymous(which, anonymous_id, relationship_attributes)


def _delete_object(world: World, operation: Operation) -> None:
    world.objects.delete(_object(operation))


def _object_relationships(world: World, operation: Operation) -> None:
    which = _object(operation)
    _require_relationships(operation)
    people = _people(operation)
    if operation["action"] == "add_relationships":
        _relate_people(world, which, people)
    else:
        for who, _ in people:
            person = world.people.find(who)
            if person is not None:
                world.objects.unrelate(which, person.cio_id)


def _report_delivery(world: World, operation: Operation) -> None:
    named = checks.mapping(operation.get("identifiers"), "identifiers")
    delivery_id = checks.text(named.get("id"), "identifiers.id")
    metric = checks.one_of(operation.get("name"), "name", DELIVERY_METRICS)
    attributes = checks.mapping(operation.get("attributes"), "attributes")
    checks.text(attributes.get("device_token"), "attributes.device_token")
    timestamp = checks.moment(operation.get("timestamp"), "timestamp")
    world.report(Metric(delivery_id, metric, timestamp, attributes))


ACTIONS: dict[str, dict[str, Callable[[World, Operation], None]]] = {
    "person": {
        "identify": _identify,
        "event": _track,
        "page": _track,
        "screen": _track,
        "delete": _delete,
        "suppress": _suppress,
        "unsuppress": _unsuppress,
        "merge": _merge,
        "add_device": _add_device,
        "delete_device": _delete_device,
        "add_relationships": _person_relationships,
        "delete_relationships": _person_relationships,
    },
    "object": {
        "identify": _identify_object,
        "identify_anonymous": _identify_object_anonymous,
        "delete": _delete_object,
        "add_relationships": _object_relationships,
        "delete_relationships": _object_relationships,
    },
    "delivery": {"event": _report_delivery},
}


def _error(invalid: InvalidError) -> dict[str, str]:
    return {"reason": invalid.reason, "field": invalid.field, "message": invalid.message}


def _too_large(field: str, most: int) -> InvalidError:
    whole = field == "body" and most == limits.BATCH_BYTES
    rule = rules.BATCH_TOO_LARGE if whole else rules.OPERATION_TOO_LARGE
    what = "the request" if field else "the operation"
    message = f"{what} is larger than {most} bytes"
    return InvalidError(rule, field, message, limit=f"{most} bytes")


def refuse(invalid: InvalidError) -> Reply:
    """A request that is refused as a whole."""
    return Reply(400, {"errors": [_error(invalid)]})


RESOURCES = (
    Resource("POST", "/api/v2/entity", entity, refuse, "basic"),
    Resource("POST", "/api/v2/batch", batch, refuse, "basic", many=True),
)
