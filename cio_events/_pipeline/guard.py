"""Keep a pipeline's calls on this machine, where the process may reach loopback alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cio_events._destinations.instead import instead
from cio_events._http import loopback
from cio_events._wire.masking import named

if TYPE_CHECKING:
    from cio_events._calls.call import Call
    from cio_events._destinations.redis_address import RedisAddress
    from cio_events._http.endpoint import Endpoint


class Guard:
    """Knows of a pipeline's endpoints whether the way to them leads beyond loopback."""

    def __init__(self) -> None:
        self._ways: dict[Endpoint | RedisAddress, str | None] = {}

    def blocked(
        self, call: Call, endpoint: Endpoint | RedisAddress | None
    ) -> loopback.Blocked | None:
        """What is to be said of *call* if it must not go to *endpoint*; None if it may."""
        if not loopback.bound() or (host := self.outside(endpoint)) is None:
            return None
        blocked = loopback.blocked(host, named(call))
        loopback.noted.append(blocked)
        return blocked

    def outside(self, endpoint: Endpoint | RedisAddress | None) -> str | None:
        """The host on the way to *endpoint* that is not loopback, unless another stands in."""
        if endpoint is None or instead.track is not None:
            return None
        if endpoint not in self._ways:
            self._ways[endpoint] = endpoint.outside()
        return self._ways[endpoint]
