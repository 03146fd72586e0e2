"""A Redis of their own for these tests, publishers that have published, and relays."""

from __future__ import annotations

import contextlib
import itertools
import time
from typing import TYPE_CHECKING, Any

import pytest

from cio_events._calls.ulid import IdSource
from cio_events._destinations import endpoints
from cio_events._destinations.customerio import AppAPI, TrackAPI
from cio_events._redis import entries
from cio_events._redis.keys import Keys
from cio_events._relay.relay import Relay
from cio_events._wire.encode import encode
from cio_events._wire.envelope import Envelope, ulid_of
from cio_events.options import Options
from tests.relay.led import Led
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cio_events._calls.call import Call
    from cio_events.sandbox import Sandbox

PATIENCE_SECONDS = 30.0

_ids = IdSource()
_names = itertools.count()


def until(condition: Callable[[], object], what: str = "it") -> None:
    """Wait until *condition* holds."""
    end, pause = time.monotonic() + PATIENCE_SECONDS, 0.005
    while not condition():
        assert time.monotonic() < end, f"{what} has not come"
        time.sleep(pause)
        pause = min(1.2 * pause, 0.05)  # to ask Redis costs more than to wait


def envelope(call: Call, now: int | None = None) -> Envelope:
    """*call* as it waits."""
    now = time.time_ns() // 1_000_000 if now is None else now
    return encode(call, _ids.new_id(now), now, "v2")


class Publisher:
    """
    Publishes, as a pipeline with the option ``relay`` does.

    Attributes:
        server: Where.

        keys: Of the partition.
    """

    def __init__(self, server: RedisServer, keys: Keys) -> None:
        self.server, self.keys = server, keys
        self.name = f"PUBLISHER{next(_names)}"
        self.sequence = 0

    def publish(self, *calls: Call, now: int | None = None) -> list[str]:
        """Publish *calls*; returns their ULIDs."""
        envelopes = [envelope(call, now) for call in calls]
        for part in entries.parts(envelopes):
            self.sequence += 1
            self.add(part, self.sequence)
        return [ulid_of(one) for one in envelopes]

    def add(self, part: Sequence[Envelope], sequence: int, **fields: bytes) -> bytes:
        """Add one entry; returns its id."""
        flat = entries.encode(entries.entry_of(part, self.name, sequence))
        found = dict(zip(flat[::2], flat[1::2], strict=True))
        found.update({name.encode(): value for name, value in fields.items()})
        return self.add_fields(found)

    def add_fields(self, found: dict[bytes, bytes]) -> bytes:
        """Add one entry with these fields; returns its id."""
        keys = self.keys
        with self.server.client.pipeline() as together:
            flat = [part for pair in found.items() for part in pair]
            together.execute_command("XADD", keys.stream, "*", *flat)
            together.incrby(keys.bytes, entries.size_of(found))
            together.hincrby(keys.counts, "entries", 1)
            together.hincrby(keys.counts, "calls", int(found.get(b"count", b"1")))
            id_: bytes = together.execute()[0]
        return id_

    @property
    def counts(self) -> dict[str, int]:
        """What Redis counts."""
        found = self.server.do("HGETALL", self.keys.counts)
        return {name.decode(): int(count) for name, count in found.items()}

    @property
    def left(self) -> int:
        """How many entries are in the stream."""
        return int(self.server.do("XLEN", self.keys.stream))

    def balanced(self) -> bool:
        """Whether both ledgers meet, and nothing is left."""
        if self.left:
            return False
        counts = self.counts
        failed = sum(count for name, count in counts.items() if name.startswith("relay_failed:"))
        read = counts.get("relay_read", 0)
        return (
            counts["calls"] == read + counts.get("relay_repeated", 0)
            and read == counts.get("relay_sent", 0) + failed
            and int(self.server.do("GET", self.keys.bytes) or 0) == 0
        )


@pytest.fixture(scope="module")
def _redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def server(_redis: RedisServer) -> RedisServer:
    """A Redis that is empty."""
    _redis.do("FLUSHALL")
    return _redis


@pytest.fixture
def publisher(server: RedisServer) -> Publisher:
    """Somebody who publishes to partition 0."""
    return Publisher(server, Keys())


@pytest.fixture
def led(publisher: Publisher) -> Iterator[Led]:
    """The partition, led by the test."""
    led = Led(publisher)
    yield led
    led.link.close()


def relay(server: RedisServer, sandbox: Sandbox, **options: Any) -> Relay:
    """A relay that delivers to *sandbox*."""
    said = options.pop("say", lambda _: None)
    url = options.pop("url", server.url)
    own = {
        name: options.pop(name) for name in ("lease", "replicas", "partitions") if name in options
    }
    every = Options(
        **{
            "site_id": "site",
            "api_key": "key",
            "app_api_key": "app",
            "track_url": sandbox.url,
            "app_url": sandbox.url,
            "retry_base": 0.05,
            "retry_cap": 0.1,
            "hold_interval": 0.1,
            **options,
        }
    )
    track, app = endpoints.track(every), endpoints.app(every)
    return Relay(
        url,
        every,
        (TrackAPI(track, every), AppAPI(app, every)),
        prefix=Keys().prefix,
        tell=said,
        **own,
    )


@contextlib.contextmanager
def running(*relays: Relay) -> Iterator[None]:
    """Have them deliver."""
    for one in relays:
        one.start()
    try:
        yield
    finally:
        for one in relays:
            one.stop()
