"""What lies in Redis for a relay, as tests look at it."""

from __future__ import annotations

from cio_events._calls.call import Call
from cio_events._redis.entries import Entry, decode
from cio_events._redis.keys import Keys
from cio_events._wire.encode import call_of
from tests.support.redis_server import RedisServer


def stored(server: RedisServer, prefix: str = "cio_events") -> list[Entry]:
    """The entries of the stream, oldest first."""
    found = server.client.xrange(Keys(prefix).stream)
    return [decode(fields) for _, fields in found]


def calls(server: RedisServer) -> list[Call]:
    """The calls in them."""
    return [call_of(one) for entry in stored(server) for one in entry.envelopes()]


def names(server: RedisServer) -> list[str]:
    """The events' names, and the tags of other calls."""
    return [getattr(call, "name", call.tag) for call in calls(server)]
