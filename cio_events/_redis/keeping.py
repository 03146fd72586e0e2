"""Wait until Redis keeps what a connection has written: on its disk, and on its replicas."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cio_events._process.clock import monotonic
from cio_events._redis.connection import Server

if TYPE_CHECKING:
    import redis

# By then a Redis has written to its disk what it has answered (``appendfsync everysec``).
_WRITTEN_SECONDS = 2.0

# From this version on it tells when it has.
_TELLS = (7, 2)


def lacking(
    client: redis.Redis, server: Server, stored: float, end: float, *, disk: bool, replicas: int
) -> str | None:
    """
    Wait until *end* at the most; returns what is lacking then, None if nothing is.

    Args:
        client: The connection.

        server: Where it leads to.

        stored: By when the last of it was written (`monotonic`).

        end: By the same clock.

        disk: Whether it has to lie on the server's disk; where the server tells, on those of the
            replicas too.

        replicas: How many replicas must have it.

    Raises:
        redis.RedisError, OSError: Redis does not answer.
    """
    tells = server.version >= _TELLS and server.durable
    if disk and tells:
        local, have = client.execute_command("WAITAOF", 1, replicas, _milliseconds(end))
        if local < 1:
            return "Redis has not written it to its disk yet"
        return _too_few(have, replicas)
    if replicas:
        have = client.execute_command("WAIT", replicas, _milliseconds(end))
        if have < replicas:
            return _too_few(have, replicas)
    if disk:
        left = max(end - monotonic(), 0.001)
        needed = max(stored + _WRITTEN_SECONDS - monotonic(), 0.0)
        time.sleep(min(needed, left))
        # A connection does not outlive the run of a server that it leads to.
        client.execute_command("PING")
        if needed > left:
            return "Redis has not written it to its disk yet"
    return None


def _too_few(have: int, replicas: int) -> str | None:
    if have >= replicas:
        return None
    return f"too few replicas of Redis have it: {have}, and relay_replicas is {replicas}"


def _milliseconds(end: float) -> int:
    """How long Redis may wait: less than the socket does."""
    return max(int((end - monotonic()) * 900), 1)
