"""What tests of several partitions share: who publishes to them, and what is seen of them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from cio_events import Pipeline
from cio_events._redis.keys import Keys
from cio_events._relay.status import Status, look_at_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cio_events.sandbox import Sandbox
    from tests.support.redis_server import RedisServer

COUNT = 3
LONG = 30.0

WHO = ["7", "2", "0"]
"""Somebody of each partition, in their order."""

KEYS = Keys.each("cio_events", COUNT)


@contextlib.contextmanager
def publishing(url: str, **options: Any) -> Iterator[Pipeline]:
    """A pipeline that publishes to several."""
    quick = {"flush_interval": 0.01, "retry_base": 0.02, "retry_cap": 0.02}
    every = {**quick, "relay_partitions": COUNT, "hold_interval": 0.05, **options}
    pipeline = Pipeline(relay=url, **every)
    try:
        yield pipeline
    finally:
        pipeline.close(0)


def lengths(server: RedisServer) -> list[int]:
    """How many entries each partition has."""
    return [int(server.do("XLEN", keys.stream)) for keys in KEYS]


def statuses(server: RedisServer) -> list[Status]:
    """How each partition is."""
    return look_at_all(server.link)


def settled(server: RedisServer) -> bool:
    """Whether nothing is left, and both ledgers meet."""
    # Most often something is left, and to look at all of them takes longer.
    return not any(lengths(server)) and all(
        one.balanced and not (one.entries or one.pending or one.unread or one.marks)
        for one in statuses(server)
    )


def arrivals(sandbox: Sandbox) -> list[str]:
    """What Customer.io has accepted, in order, each once: events by name, merges by who goes."""
    found = [
        operation.get("name") or f"merge {next(iter(operation['secondary'].values()))}"
        for request in sandbox.requests
        if request.path == "/api/v2/batch" and request.status == 200
        for operation in request.body["batch"]
    ]
    return list(dict.fromkeys(found))
