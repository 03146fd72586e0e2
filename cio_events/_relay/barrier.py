"""
Where delivery waits: at a barrier, for all partitions, and at a mark of one, for the barrier.

Barriers have one order, that of their ids in partition 0, so that no two wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from cio_events._process.clock import monotonic
from cio_events._redis import barriers
from cio_events._redis.keys import Keys
from cio_events._redis.publishing import LATER, PLACE_ANYWAY
from cio_events._relay import number, scripts

if TYPE_CHECKING:
    from cio_events._relay.lease import Lease
    from cio_events._relay.link import Link

_ARRIVE = f"""#!lua flags=allow-oom
-- KEYS lease barriers; ARGV token id
{scripts.FENCE}
{LATER}
if later(ARGV[2], redis.call('HGET', KEYS[2], 'arrived')) then
  redis.call('HSET', KEYS[2], 'arrived', ARGV[2])
end
return 1
"""

# How soon it is seen that another partition has come so far: at first, and later on.
_SOON_SECONDS = 0.002
_LATE_SECONDS = 0.1

# After that somebody may want to know why nothing is sent.
_PATIENCE_SECONDS = 30.0


class Barrier:
    """
    Waits at barriers, for whoever leads a partition.

    Args:
        idle: Whether all that was read has ended, and Redis knows of it.

        over: Set when nobody is to wait any more.

        say: Told, with the kind of trouble, when it takes long.
    """

    def __init__(
        self,
        link: Link,
        lease: Lease,
        idle: Callable[[], bool],
        over: threading.Event,
        say: Callable[[str, str], None],
    ) -> None:
        self._link = link
        self._lease = lease
        self._idle = idle
        self._over = over
        self._say = say

    def drain(self) -> bool:
        """Wait until all that was read has ended; returns False where it is over before."""
        return self._until(self._idle)

    def at_barrier(self, id_: bytes) -> bool:
        """
        Wait until all partitions have come to the barrier with that *id_*, in this partition.

        A mark that a partition lacks, as whoever published the barrier was killed, is made up for.

        Returns False where it is over before, or the barrier is not in Redis any more.

        Raises:
            FencedError: Another relay leads.
            redis.RedisError, OSError: Redis cannot be asked, or refuses.
        """
        if not (self.drain() and self._has(id_)):
            return False
        others = number.each(self._link)[1:]
        # All at once: whoever publishes into one of them is to find its mark there.
        place_marks(self._link, others, id_)
        there = all(self._until(partial(self._is_there, keys, id_)) for keys in others)
        return there and self._has(id_)

    def at_mark(self, id_: bytes, barrier: bytes) -> bool:
        """
        Say that this partition has come to a *barrier*, marked here by *id_*; wait for its end.

        Returns False where it is over before, or the mark is not in Redis any more.

        Raises:
            FencedError: Another relay leads.
            redis.RedisError, OSError: Redis cannot be asked, or refuses.
        """
        if not self.drain():
            return False
        return self._until(partial(self._has_ended, barrier)) and self._has(id_)

    def _has(self, id_: bytes) -> bool:
        """
        Whether an entry of this partition is there still.

        If not, Redis has come back from before it, and who published it publishes all again.
        """
        return bool(self._link.do("XRANGE", self._link.keys.stream, id_, id_))

    # Both say each time what has to be known: a replica that is promoted may have missed it.

    def _has_ended(self, id_: bytes) -> bool:
        keys = self._link.keys
        self._link.run(_ARRIVE, [keys.lease, keys.barriers], [self._lease.token, id_])
        # It is there until it has ended. If somebody has deleted it, nobody need wait for it.
        return not self._link.do("XRANGE", Keys(keys.prefix).stream, id_, id_)

    def _is_there(self, keys: Keys, id_: bytes) -> bool:
        place_marks(self._link, [keys], id_)
        arrived = self._link.do("HGET", keys.barriers, "arrived")
        if barriers.place_of(arrived) >= barriers.place_of(id_):
            return True
        # With its mark in it, it is empty only if somebody has deleted it.
        return not self._link.do("XLEN", keys.stream)

    def _until(self, condition: Callable[[], bool]) -> bool:
        seconds, say_at = _SOON_SECONDS, monotonic() + _PATIENCE_SECONDS
        while not condition():
            if self._over.wait(seconds):
                return False
            seconds = min(seconds * 1.5, _LATE_SECONDS)
            if monotonic() >= say_at:
                self._say(
                    "barrier",
                    f"partition {self._link.keys.partition} waits at a merge: what was published "
                    "before it, here or in another partition, has not ended yet",
                )
        return True


def place_marks(link: Link, every: Sequence[Keys], id_: bytes) -> None:
    """
    Have all partitions but the first have a mark of the barrier with that *id_*.

    Raises:
        redis.RedisError, OSError: Redis cannot be asked, or refuses.
    """
    mark = [id_, *barriers.encode_mark(id_)]
    for keys in every:
        if keys.partition:
            names = [keys.stream, keys.bytes, keys.counts, keys.barriers]
            link.run(PLACE_ANYWAY, names, mark)
