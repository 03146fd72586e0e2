"""Who looks at a partition is told the truth, loads little, and leaves nothing open."""

from __future__ import annotations

import sys
import types
from collections import Counter
from typing import TYPE_CHECKING, Any

from cio_events import Track
from cio_events._buffers.failures import Failure
from cio_events._destinations.redis_address import RedisAddress
from cio_events._redis.keys import Keys
from cio_events._relay import buffer, letters
from cio_events._relay.buffer import InHand, Memory
from cio_events._relay.dead import DeadLetters
from cio_events._relay.link import Link
from cio_events._relay.status import look
from tests.relay.conftest import Publisher, envelope, until
from tests.support.needs import needs_redis
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    import pytest


@needs_redis
def test_the_ledgers_of_a_stream_that_has_vanished_do_not_meet(
    server: RedisServer, publisher: Publisher
):
    """As when Redis evicts it: what was published is neither sent nor there."""
    link = Link(server.url, Keys())
    publisher.publish(Track("5", "bought"))
    assert look(link).balanced
    server.do("DEL", Keys().stream)
    assert not look(link).balanced


@needs_redis
def test_a_closed_link_leaves_no_connection_open(server: RedisServer):
    """Neither does an address: nothing waits for the collector of garbage."""

    def others() -> int:
        return len(server.client.client_list()) - 1

    until(lambda: others() == 0, "the end of earlier connections")
    link, address = Link(server.url, Keys()), RedisAddress(server.url)
    client, _ = address.open(5.0)
    with link.client() as first, link.client() as second:
        first.ping()
        second.ping()
        assert others() == 3
    link.close()
    address.close()
    # They are still referred to here.
    until(lambda: others() == 0, "the end of the connections")
    assert all(one.connection is None for one in (client, first, second))


def test_a_bare_module_in_the_place_of_redis_is_taken_for_one(monkeypatch: pytest.MonkeyPatch):
    """As tests of applications have it."""
    monkeypatch.setitem(sys.modules, "redis", types.ModuleType("redis"))
    assert RedisAddress("redis://127.0.0.1").base_url == "redis://127.0.0.1:6379"


def test_what_has_failed_is_remembered_by_its_bytes(monkeypatch: pytest.MonkeyPatch):
    """What was sent stays known: sent once more it would arrive once more."""
    monkeypatch.setattr(buffer, "_REMEMBERED_BYTES", 10_000)
    memory = Memory()
    sent = InHand(("publisher", 0), {b"0-1": 1}, 0, Counter(relay_sent=1))
    memory.add(sent)
    failed = [
        InHand(("publisher", number), {b"1-1": 1}, 0, letters=[[b"envelope", bytes(992)]])
        for number in range(1, 101)
    ]
    for one in failed:
        memory.add(one)
    memory.add(failed[-1])  # once more
    assert memory.find(sent.number) is sent
    assert [one for one in failed if memory.find(one.number)] == failed[-10:]


class Watched(Link):
    """A link that notes its commands; for each letter that is published again comes another."""

    def __init__(self, server: RedisServer) -> None:
        super().__init__(server.url, Keys())
        self.server = server
        self.commands: list[str] = []

    def do(self, *command: Any) -> Any:
        """Note it."""
        self.commands.append(command[0])
        return super().do(*command)

    def run(self, *arguments: Any) -> Any:
        """Leave a letter first, and note that too."""
        self.leave()
        self.commands.append("EVALSHA")
        return super().run(*arguments)

    def leave(self) -> None:
        """Leave a letter."""
        fields = letters.fields(
            envelope(Track("5", "bought")), Failure("rejected", 400, None), 0.0
        )
        self.server.do("XADD", self.keys.dead, "*", *fields)


@needs_redis
def test_dead_letters_are_looked_after_page_by_page(server: RedisServer):
    """Those that are there at first; what fails again meanwhile is for the next time."""
    link = Watched(server)
    for _ in range(120):
        link.leave()
    assert DeadLetters(link).resend() == 120
    assert server.do("XLEN", Keys().stream) == 120
    assert server.do("XLEN", Keys().dead) == 120
    first_change = link.commands.index("EVALSHA")
    assert link.commands[:first_change].count("XRANGE") == 1
    link.commands.clear()
    assert DeadLetters(link).discard() == 120
    assert link.commands.index("XDEL") < link.commands.index("XRANGE", 3)
    assert DeadLetters(link).discard() == 0
