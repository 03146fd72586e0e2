"""What Redis tells of a partition, and what stays open after it was asked."""

from __future__ import annotations

import sys
import types

import pytest

from cio_events import Track
from cio_events._destinations.redis_address import RedisAddress
from cio_events._redis.keys import Keys
from cio_events._relay.link import Link
from cio_events._relay.status import look
from tests.relay.conftest import Publisher, until
from tests.support.redis_server import RedisServer, needs_redis


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
