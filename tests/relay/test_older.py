"""Redis comes back from before a merge was published, while relays wait at it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from cio_events import Track
from tests.relay.conftest import relay, running, until
from tests.relay.parted import KEYS, WHO, arrivals, settled
from tests.relay.test_barriers import Parted
from tests.support.needs import needs_redis
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox

pytestmark = needs_redis


def test_what_was_read_behind_a_merge_that_is_gone_does_not_come_before_it(sandbox: Sandbox):
    """Who published it publishes all again; what relays have of it in hand is forgotten."""
    sandbox.delay(2.0, times=2, before=True, text='"name":"slow')
    with RedisServer(appendonly="yes") as server:
        parted = Parted(server)
        for number in (0, 1):
            parted.by_partition[number].publish(Track(WHO[number], f"slow.{number}"))
        kept = server.directory / "kept"
        shutil.copytree(server.directory / "appendonlydir", kept)
        sequences = [one.sequence for one in parted.by_partition]
        parted.mark(1, parted.bar("one"))
        parted.by_partition[1].publish(Track(WHO[1], "behind"))
        with running(relay(server, sandbox)):
            # All is read, and waits for the two.
            until(lambda: int(server.do("HGET", KEYS[1].counts, "relay_read") or 0) == 2)
            until(lambda: int(server.do("HGET", KEYS[0].counts, "relay_read") or 0) == 2)
            server.kill()
            shutil.rmtree(server.directory / "appendonlydir")
            kept.rename(server.directory / "appendonlydir")
            server.start()
            until(lambda: settled(server))
            assert set(arrivals(sandbox)) == {"slow.0", "slow.1"}
            for one, sequence in zip(parted.by_partition, sequences, strict=True):
                one.sequence = sequence
            parted.by_partition[1].publish(Track(WHO[1], "before"))
            parted.mark(1, parted.bar("one"))
            parted.by_partition[1].publish(Track(WHO[1], "behind"))
            until(lambda: settled(server))
    assert arrivals(sandbox)[2:] == ["before", "merge one", "behind"]
