"""How many relays there are, so that each leads no more of the partitions than is its part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cio_events._redis.keys import Keys

if TYPE_CHECKING:
    from cio_events._relay.link import Link

_TELL = """#!lua flags=allow-oom
-- KEYS relays; ARGV owner milliseconds
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""

# Within the time for which one is counted; others may have a longer one, and tell less often.
_BEATS = 3
_MOST_SECONDS = 1.0


class Fleet:
    """
    The relays of one Redis, of which this process is one.

    Attributes:
        interval: How often it has to `tell`, in seconds.

    Args:
        link: Where they tell.

        owner: What this one is called.

        seconds: How long one that tells nothing more is counted.
    """

    def __init__(self, link: Link, owner: str, seconds: float) -> None:
        self._link = link
        self._owner = owner
        self._milliseconds = int(max(seconds, 1.5 * _MOST_SECONDS) * 1000)
        self._key = Keys(link.keys.prefix).relays
        self.interval = min(seconds / _BEATS, _MOST_SECONDS)

    def tell(self) -> int:
        """
        Tell that this one is there; returns how many are.

        Raises:
            redis.RedisError, OSError: Redis cannot be asked.
        """
        return int(self._link.run(_TELL, [self._key], [self._owner, self._milliseconds]))

    def leave(self) -> None:
        """
        Be counted no more.

        Raises:
            redis.RedisError, OSError: Redis cannot be asked.
        """
        self._link.do("ZREM", self._key, self._owner)
