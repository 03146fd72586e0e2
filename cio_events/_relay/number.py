"""How many partitions there are, as Redis says it: the first to say it, and how it is changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cio_events._process.clock import monotonic
from cio_events._redis.keys import Keys
from cio_events.errors import ParamError
from cio_events.options import MOST_PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cio_events._relay.link import Link

# Behind the number, while nobody may publish.
_CHANGING = " changing"

_SECONDS_BETWEEN_LOOKS = 0.1

_CLOSE = """#!lua flags=allow-oom
-- KEYS partitions stream; ARGV text
redis.call('SET', KEYS[1], ARGV[1])
return redis.call('EXISTS', KEYS[2]) == 1 and redis.call('XLEN', KEYS[2]) or 0
"""
"""Have publishers notice a change; returns how many entries there are that they have left."""


def read(link: Link) -> int | None:
    """
    How many partitions there are; None while nobody has said it.

    Raises:
        redis.RedisError, OSError: Redis cannot be asked.
    """
    number = _number(link.do("GET", Keys(link.keys.prefix).partitions))
    return None if number is None else min(number, MOST_PARTITIONS)


def each(link: Link) -> list[Keys]:
    """
    The keys of all partitions.

    Raises:
        redis.RedisError, OSError: Redis cannot be asked.
    """
    return Keys.each(link.keys.prefix, read(link) or 1)


def claim(link: Link, wanted: int) -> None:
    """
    Have that number be the one, if nobody has said another before.

    Raises:
        ParamError: Somebody has.

        redis.RedisError, OSError: Redis cannot be asked.
    """
    key = Keys(link.keys.prefix).partitions
    link.do("SET", key, wanted, "NX")
    found = read(link)
    if found != wanted:
        raise ParamError(
            "relay_partitions",
            f"is {wanted} here, and Redis has {found}; cio-events relay partitions changes it",
        )


def change(link: Link, wanted: int, seconds: float = 0.0) -> str | None:
    """
    Change the number, once nothing waits; returns what stands in the way, None if nothing does.

    Meanwhile nobody can publish. Whoever publishes to another number afterwards is told so.

    Args:
        link: To any partition.

        wanted: The number that there is to be.

        seconds: How long relays may take to deliver what waits.

    Raises:
        redis.RedisError, OSError: Redis cannot be asked; publishers may be kept waiting then,
            until it is changed again.
    """
    number = _number(link.do("GET", Keys(link.keys.prefix).partitions)) or 1
    every = Keys.each(link.keys.prefix, max(number, wanted))
    result = number
    try:
        problem = _problem(link, every, f"{number}{_CHANGING}", wanted, monotonic() + seconds)
        if problem is None:
            result = wanted
    finally:
        # The first is the last: while it says that there is a change, nobody publishes.
        for keys in reversed(every):
            _tell(link, keys, str(result))
    return problem


def _problem(
    link: Link, every: Sequence[Keys], changing: str, wanted: int, end: float
) -> str | None:
    """Have nobody publish; returns what stands in the way of another number by *end*."""
    while waiting := sum(_tell(link, keys, changing) for keys in every):
        if monotonic() >= end:
            return f"entries wait in Redis ({waiting}): have a relay deliver them first"
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    for keys in every[wanted:]:
        if link.do("XLEN", keys.dead):
            return f"partition {keys.partition} has dead letters: resend or discard them first"
    return None


def _tell(link: Link, keys: Keys, text: str) -> int:
    return int(link.run(_CLOSE, [keys.partitions, keys.stream], [text]))


def _number(found: bytes | None) -> int | None:
    text = (found or b"").partition(b" ")[0]
    return int(text) if text.isdigit() and int(text) > 0 else None
