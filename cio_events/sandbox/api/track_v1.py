"""
The Track API, version 1: one call a request, the person in the path.

Paths, fields and answers are those of the vendor's schema. What it leaves open is lenient enough
for the vendor's own clients: null for an absent body, data or attributes, more fields in a device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cio_events.sandbox.api.exchange import Arrival, Reply, Resource
from cio_events.sandbox.model import checks, limits
from cio_events.sandbox.model import explanations as rules
from cio_events.sandbox.model.checks import Who
from cio_events.sandbox.model.explanations import InvalidError
from cio_events.sandbox.model.records import Event, Metric

if TYPE_CHECKING:
    from cio_events.sandbox.world.world import World

# Of all channels; the schema lists them for each.
METRICS = (
    "bounced",
    "clicked",
    "converted",
    "deferred",
    "delivered",
    "dropped",
    "opened",
    "spammed",
)
METRIC_DETAILS: tuple[str, ...] = ("recipient", "reason", "href")
PUSH_METRICS = ("opened", "converted", "delivered")
# They steer the call and are no attributes of the person.
DIRECTIVES = ("_timestamp", "_update", "cio_relationships")
RESERVED_FORM_FIELDS = ("form_id", "form_name", "form_type", "form_url", "form_url_param")


def person_in_path(arrival: Arrival) -> Who:
    """The person in the path; what kind of identifier it is shows from its shape."""
    value = checks.identifier(arrival.params["identifier"], "identifier")
    if value.startswith("cio_"):
        return Who("cio_id", value)
    return Who("email" if "@" in value else "id", value)


def identify(world: World, arrival: Arrival) -> Reply:
    """PUT /api/v1/customers/{identifier}."""
    who = person_in_path(arrival)
    body = checks.attributes(arrival.json(), "attributes")
    checks.at_most(body, "attributes", limits.EVENT_DATA_BYTES)
    timestamp = checks.moment(body.get("_timestamp"), "_timestamp")
    change = checks.mapping(body.get("cio_relationships"), "cio_relationships")
    related = checks.relationships(change.get("relationships"), "cio_relationships.relationships")
    if change:
        actions = ("add_relationships", "delete_relationships")
        checks.one_of(change.get("action"), "cio_relationships.action", actions)
    person = world.identify(
        who,
        {name: value for name, value in body.items() if name not in DIRECTIVES},
        timestamp=timestamp,
        update_only=body.get("_update") is True,
    )
    if person is not None:
        for which, attributes in related:
            if change["action"] == "add_relationships":
                world.objects.relate(which, person.cio_id, attributes)
            else:
                world.objects.unrelate(which, person.cio_id)
    return Reply()


def delete(world: World, arrival: Arrival) -> Reply:
    """DELETE /api/v1/customers/{identifier}."""
    world.delete(person_in_path(arrival))
    return Reply()


def suppress(world: World, arrival: Arrival) -> Reply:
    """POST /api/v1/customers/{identifier}/suppress."""
    world.suppress(person_in_path(arrival))
    return Reply()


def unsuppress(world: World, arrival: Arrival) -> Reply:
    """POST /api/v1/customers/{identifier}/unsuppress."""
    world.unsuppress(person_in_path(arrival))
    return Reply()


def add_device(world: World, arrival: Arrival) -> Reply:
    """PUT /api/v1/customers/{identifier}/devices."""
    who = person_in_path(arrival)
    body = checks.mapping(arrival.json(), "body")
    if body.get("device") is None:
        raise InvalidError(rules.REQUIRED, "device", "device is required")
    world.add_device(who, *checks.device(body["device"], "id"))
    return Reply()


def delete_device(world: World, arrival: Arrival) -> Reply:
    """DELETE /api/v1/customers/{identifier}/devices/{device_id}."""
    world.delete_device(
        person_in_path(arrival), checks.text(arrival.params["device_id"], "device_id")
    )
    return Reply()


def track(world: World, arrival: Arrival) -> Reply:
    """POST /api/v1/customers/{identifier}/events."""
    who = person_in_path(arrival)
    body = checks.mapping(arrival.json(), "body")
    world.track(who, _event(body, None))
    return Reply()


def track_anonymous(world: World, arrival: Arrival) -> Reply:
    """POST /api/v1/events; without an anonymous id it is an invite, which names a recipient."""
    body = checks.mapping(arrival.json(), "body")
    named = body.get("anonymous_id")
    absent = named is None or named == ""
    anonymous_id = None if absent else checks.identifier(named, "anonymous_id")
    event = _event(body, anonymous_id)
    if anonymous_id is None:
        checks.text(event.data.get("recipient"), "data.recipient")
    world.track_anonymous(event)
    return Reply()


def _event(body: dict[str, Any], anonymous_id: str | None) -> Event:
    data = checks.mapping(body.get("data"), "data")
    checks.at_most(data, "data", limits.EVENT_DATA_BYTES)
    kind = checks.optional_text(body.get("type"), "type")
    return Event(
        name=checks.event_name(body.get("name")),
        # "If your event isn't a page or screen type event, we set this property to event."
        type=kind if kind in ("page", "screen") else "event",
        data=data,
        timestamp=checks.moment_or_now(body.get("timestamp"), "timestamp"),
        id=checks.optional_text(body.get("id"), "id"),
        anonymous_id=anonymous_id,
    )


def merge(world: World, arrival: Arrival) -> Reply:
    """POST /api/v1/merge_customers."""
    body = checks.mapping(arrival.json(), "body")
    primary = checks.who(body.get("primary"), "primary")
    world.merge(primary, checks.who(body.get("secondary"), "secondary"))
    return Reply()


def report_metric(world: World, arrival: Arrival) -> Reply:
    """POST /api/v1/metrics."""
    body = checks.mapping(arrival.json(), "body")
    delivery_id = checks.text(body.get("delivery_id"), "delivery_id")
    metric = checks.one_of(body.get("metric"), "metric", METRICS)
    timestamp = checks.moment(body.get("timestamp"), "timestamp")
    details = {name: body[name] for name in METRIC_DETAILS if name in body}
    world.report(Metric(delivery_id, metric, timestamp, details))
    return Reply()


def report_push(world: World, arrival: Arrival) -> Reply:
    """POST /api/v1/push/events."""
    body = checks.mapping(arrival.json(), "body")
    delivery_id = checks.text(body.get("delivery_id"), "delivery_id")
    metric = checks.one_of(body.get("event"), "event", PUSH_METRICS)
    timestamp = checks.moment(body.get("timestamp"), "timestamp")
    token = checks.optional_text(body.get("device_id"), "device_id")
    details = {} if token is None else {"device_token": token}
    world.report(Metric(delivery_id, metric, timestamp, details))
    return Reply()


def submit_form(world: World, arrival: Arrival) -> Reply:
    """POST /api/v1/forms/{form_id}/submit."""
    body = checks.mapping(arrival.json(), "body")
    data = checks.attributes(body.get("data"), "data")
    named = {kind: data[kind] for kind in ("id", "email") if kind in data}
    who = checks.who(named, "data", ("id", "email"))
    fields = {k: v for k, v in data.items() if k not in RESERVED_FORM_FIELDS and k not in named}
    world.identify(who, fields)
    return Reply(204, None)


def add_to_segment(world: World, arrival: Arrival) -> Reply:
    """POST /api/v1/segments/{segment_id}/add_customers."""
    segment, people = _segment(arrival)
    for who in people:
        world.add_to_segment(segment, who)
    return Reply()


def remove_from_segment(world: World, arrival: Arrival) -> Reply:
    """POST /api/v1/segments/{segment_id}/remove_customers."""
    segment, people = _segment(arrival)
    for who in people:
        world.remove_from_segment(segment, who)
    return Reply()


def _segment(arrival: Arrival) -> tuple[int, list[Who]]:
    segment = arrival.params["segment_id"]
    number = checks.whole(segment, "segment_id")
    kind = checks.one_of(arrival.query.get("id_type", "id"), "id_type", checks.PERSON_IDENTIFIERS)
    ids = checks.mapping(arrival.json(), "body").get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= limits.SEGMENT_CUSTOMERS:
        message = f"ids must be a list of 1 to {limits.SEGMENT_CUSTOMERS} identifiers"
        raise InvalidError(rules.WRONG_SEGMENT_SIZE, "ids", message, ids, limits.SEGMENT_CUSTOMERS)
    return number, [Who(kind, checks.identifier(value, "ids")) for value in ids]


def unsubscribe(world: World, arrival: Arrival) -> Reply:
    """POST /unsubscribe/{delivery_id}."""
    body = checks.mapping(arrival.json(), "body")
    if not isinstance(body.get("unsubscribe"), bool):
        message = "unsubscribe must be true or false"
        raise InvalidError(rules.NOT_FLAG, "unsubscribe", message, body.get("unsubscribe"))
    if body["unsubscribe"]:
        world.unsubscribe(arrival.params["delivery_id"])
    return Reply()


def refuse(invalid: InvalidError) -> Reply:
    """A refusal as most paths put it."""
    return Reply(400, {"meta": {"errors": [invalid.message]}})


def refuse_merge(invalid: InvalidError) -> Reply:
    """A refusal as a merge puts it."""
    return Reply(400, {"meta": {"error": invalid.message}})


CUSTOMER = "/api/v1/customers/{identifier}"
SEGMENT = "/api/v1/segments/{segment_id}"
RESOURCES = (
    Resource("PUT", CUSTOMER, identify, refuse, "basic", "identify"),
    Resource("DELETE", CUSTOMER, delete, refuse, "basic", "delete"),
    Resource("POST", f"{CUSTOMER}/events", track, refuse, "basic", "event"),
    Resource("POST", f"{CUSTOMER}/suppress", suppress, refuse, "basic", "suppress"),
    Resource("POST", f"{CUSTOMER}/unsuppress", unsuppress, refuse, "basic", "unsuppress"),
    Resource("PUT", f"{CUSTOMER}/devices", add_device, refuse, "basic", "add_device"),
    Resource(
        "DELETE",
        CUSTOMER + "/devices/{device_id}",
        delete_device,
        refuse,
        "basic",
        "delete_device",
    ),
    Resource("POST", "/api/v1/events", track_anonymous, refuse, "basic", "anonymous event"),
    Resource("POST", "/api/v1/merge_customers", merge, refuse_merge, "basic", "merge"),
    # The schema asks no credentials of reports and of unsubscribing.
    Resource("POST", "/api/v1/metrics", report_metric, refuse, None, "metric"),
    Resource("POST", "/api/v1/push/events", report_push, refuse, None, "metric"),
    # As it was before it had a version, and as older clients say it still.
    Resource("POST", "/push/events", report_push, refuse, None, "metric"),
    Resource("POST", "/unsubscribe/{delivery_id}", unsubscribe, refuse, None, "unsubscribe"),
    Resource("POST", "/api/v1/forms/{form_id}/submit", submit_form, refuse, "basic", "form"),
    Resource(
        "POST", f"{SEGMENT}/add_customers", add_to_segment, refuse, "basic", "add to segment"
    ),
    Resource(
        "POST",
        f"{SEGMENT}/remove_customers",
        remove_from_segment,
        refuse,
        "basic",
        "remove from segment",
    ),
)
