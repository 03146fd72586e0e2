"""Which destinations a pipeline has: Customer.io's two APIs, or a relay's Redis alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from cio_events._destinations.customerio import AppAPI, TrackAPI
from cio_events._process import forks
from cio_events.options import Options

if TYPE_CHECKING:
    from cio_events._destinations.redis_address import RedisAddress
    from cio_events._destinations.redis_streams import RedisStreams
    from cio_events._http.endpoint import Endpoint

Destinations: TypeAlias = "tuple[TrackAPI, AppAPI] | tuple[RedisStreams]"


def chosen(
    options: Options, track: Endpoint | None, app: Endpoint | None, relay: RedisAddress | None
) -> Destinations:
    """Those for these endpoints; a relay's, if there is one."""
    if relay is None:
        return TrackAPI(track, options), AppAPI(app, options)
    # Not imported above: who needs no relay need not know it.
    with forks.late_imports():
        from cio_events._destinations.redis_streams import RedisStreams

    return (RedisStreams(relay, options),)
