"""The relay: what lies in Redis, delivered by `cio-events relay` in a process of its own."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cio_events._calls.people import Track
from cio_events._calls.ulid import IdSource
from cio_events._redis import entries
from cio_events._redis.keys import Keys
from cio_events._wire.encode import encode
from cio_events._wire.envelope import Envelope
from tests.benchmarks.event import NAME, Event
from tests.benchmarks.sides.side import HOLD_TIMEOUT, QUEUE, Opened, Side
from tests.support.redis_server import PROGRAM, RedisServer
from tests.support.relays import RelayProcess

RELAYED = "the relay"
PUBLISHING = "Pipeline.track, to Redis"

# It takes time of the processor's, and the sink says when all has come.
_LOOK_SECONDS = 0.02

# Of memory: Redis gives the buffers of connections back that are idle for some seconds.
_LOOKS_AT_MEMORY = 28
_SECONDS_BETWEEN_LOOKS = 0.25


class Published:
    """
    A Redis, a relay that empties it, and one who publishes there.

    Attributes:
        server: The Redis.

        keys: Of its one partition.
    """

    def __init__(self, url: str) -> None:
        self.server = RedisServer()
        self.keys = Keys()
        self._relay = RelayProcess(self.server.url, url, CIO_TIMEOUT=str(HOLD_TIMEOUT))
        self._relay.wait_until_it("leads")
        self._ids = IdSource()
        self._waiting: list[Envelope] = []
        self._sequence = 0

    def call(self, event: Event) -> None:
        """Have an event ready to be published."""
        now = time.time_ns() // 1_000_000
        call = Track(event.customer, NAME, event.properties)
        self._waiting.append(encode(call, self._ids.new_id(now), now, "v2"))

    def publish(self) -> bytes:
        """Publish what is ready, as full entries; returns the id of the last."""
        last = b""
        for part in entries.parts(self._waiting):
            self._sequence += 1
            last = self._add(part)
        self._waiting.clear()
        return last

    def _add(self, part: Sequence[Envelope]) -> bytes:
        flat = entries.encode(entries.entry_of(part, "BENCHMARK", self._sequence))
        with self.server.client.pipeline() as together:
            together.execute_command("XADD", self.keys.stream, "*", *flat)
            together.incrby(self.keys.bytes, sum(map(len, flat)))
            together.hincrby(self.keys.counts, "calls", len(part))
            id_: bytes = together.execute()[0]
        return id_

    def flush(self) -> None:
        """Wait until all of it has been delivered, and Redis knows that."""
        self.publish()
        while self.left():
            time.sleep(_LOOK_SECONDS)

    def left(self) -> int:
        """How many entries wait."""
        return int(self.server.do("XLEN", self.keys.stream))

    def used_memory(self) -> int:
        """How many bytes Redis takes, as soon as it has put its buffers away."""
        used = []
        for _ in range(_LOOKS_AT_MEMORY):
            used.append(int(self.server.client.info("memory")["used_memory"]))
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        return min(used)

    def oldest(self) -> tuple[float, int]:
        """Before which id all has been delivered, and Redis knows that."""
        waiting = self.server.do("XRANGE", self.keys.stream, "-", "+", "COUNT", 1)
        return in_order(waiting[0][0]) if waiting else (math.inf, 0)

    def close(self) -> None:
        """End both processes."""
        self._relay.kill()
        self.server.kill()


def in_order(id_: bytes) -> tuple[int, int]:
    """An id of an entry, to be compared."""
    milliseconds, _, number = id_.partition(b"-")
    return int(milliseconds), int(number)


class OpenedRelay(Opened):
    """The same, for measures that know what a relay is."""

    __slots__ = ("published",)
    published: Published


def _open(url: str, _directory: Path) -> Opened:
    published = Published(url)
    opened = OpenedRelay(
        published.call,
        flush=published.flush,
        settle=published.publish,
        close=published.close,
    )
    object.__setattr__(opened, "published", published)
    return opened


class OpenedPublisher(Opened):
    """A pipeline that publishes to a Redis which can be full."""

    __slots__ = ("server",)
    server: RedisServer

    def hold(self) -> None:
        """Have Redis refuse what it is given."""
        self.server.do("CONFIG", "SET", "maxmemory", "1")

    def release(self) -> None:
        """Have it take what it is given."""
        self.server.do("CONFIG", "SET", "maxmemory", "0")

    def stored(self) -> int:
        """How many calls it has stored."""
        return int(self.server.do("HGET", Keys().counts, "calls"))


def _open_publisher(_url: str, _directory: Path) -> Opened:
    server = RedisServer()
    pipeline = importlib.import_module("cio_events").Pipeline(
        relay=server.url, max_pending=QUEUE, max_pending_bytes=QUEUE * 1_000
    )

    def call(event: Event) -> None:
        pipeline.track(event.customer, NAME, event.properties)

    def flush() -> None:
        if not pipeline.flush(HOLD_TIMEOUT):
            raise RuntimeError(f"not all was published: {pipeline.stats()}")

    def close() -> None:
        pipeline.close(0)
        server.kill()

    opened = OpenedPublisher(call, flush=flush, close=close)
    object.__setattr__(opened, "server", server)
    return opened


class _RelaySide(Side):
    def missing(self) -> bool:
        return PROGRAM is None or super().missing()


SIDES: tuple[Any, ...] = (
    _RelaySide(RELAYED, _open, needs=("redis",), packages=("cio-events", "redis")),
    _RelaySide(
        PUBLISHING,
        _open_publisher,
        needs=("redis",),
        packages=("cio-events", "redis"),
        delivers=False,
    ),
)
