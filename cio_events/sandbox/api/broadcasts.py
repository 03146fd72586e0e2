"""The App API's broadcasts: a trigger is checked and counted, and nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cio_events.sandbox.api import app_api, items
from cio_events.sandbox.api.exchange import Arrival, Reply, Resource
from cio_events.sandbox.model import checks, limits
from cio_events.sandbox.model import explanations as rules
from cio_events.sandbox.model.explanations import InvalidError

if TYPE_CHECKING:
    from cio_events.sandbox.world.world import World

# Whom it goes to: in one of these ways, or as the broadcast itself says.
LISTS = ("ids", "emails", "per_user_data")
WAYS = ("recipients", *LISTS, "data_file_url")


def trigger(world: World, arrival: Arrival) -> Reply:
    """POST /v1/campaigns/{broadcast_id}/triggers."""
    broadcast = checks.whole(arrival.params["broadcast_id"], "broadcast_id")
    body = checks.mapping(arrival.json(), "body")
    checks.mapping(body.get("data"), "data")
    given = [way for way in WAYS if body.get(way) is not None]
    if len(given) > 1:
        message = f"{given[1]} cannot be sent beside {given[0]}"
        raise InvalidError(rules.NOT_ALLOWED, given[1], message)
    checks.mapping(body.get("recipients"), "recipients")
    for way in LISTS:
        listed = body.get(way)
        if listed is not None and not isinstance(listed, list):
            raise InvalidError(rules.NOT_LIST, way, f"{way} must be a list", listed)
        if len(listed or ()) > limits.BROADCAST_RECIPIENTS:
            message = f"{way} holds more than {limits.BROADCAST_RECIPIENTS}"
            most = limits.BROADCAST_RECIPIENTS
            raise InvalidError(rules.TOO_MANY_RECIPIENTS, way, message, listed, most)
    number = world.trigger(broadcast)
    if number is None:
        message = f"a broadcast is triggered at most once in {limits.BROADCAST_SECONDS} seconds"
        invalid = InvalidError(rules.TOO_SOON, "broadcast_id", message, broadcast)
        named = items.Named("broadcast", name=str(broadcast))
        arrival.items.append(items.refused(named, invalid))
        return Reply(429, {"meta": {"error": message}})
    arrival.items.append(items.done(items.Named("broadcast", name=str(broadcast)), ()))
    return Reply(200, {"id": number})


RESOURCES = tuple(
    Resource("POST", path, trigger, app_api.refuse, "bearer", "broadcast")
    for path in (
        "/v1/campaigns/{broadcast_id}/triggers",
        # As it was, and as the vendor's Node client says it still.
        "/v1/api/campaigns/{broadcast_id}/triggers",
    )
)
