"""One relay leads and the others stand by; one that was killed or frozen harms nobody."""

from __future__ import annotations

import time

import pytest

from cio_events._calls.messages import SendEmail
from cio_events._calls.people import Track
from cio_events._redis.keys import Keys
from tests.relay.conftest import Publisher, relay, running, until
from tests.support.needs import needs_redis
from tests.support.redis_server import RedisServer
from tests.support.relays import RelayChild

pytestmark = needs_redis

EMAIL = SendEmail(to="ada@example.com", identifiers="5", transactional_message_id=3)

LEASE = 1.5


def names(sandbox):
    """What has happened, in order, each once, as Customer.io drops repeats by their ids."""
    return list(dict.fromkeys(event.name for event in sandbox.events))


def some(publisher, count=20):
    """Publish some events, and return their names."""
    made = [f"event {publisher.sequence}.{number}" for number in range(count)]
    publisher.publish(*(Track("5", name) for name in made))
    return made


def test_one_leads_until_it_stops_and_the_next_goes_on_at_once(server, publisher, sandbox):
    """A clean stop hands over within two seconds, whatever the lease."""
    said: dict[str, list[str]] = {"first": [], "second": []}
    first = relay(server, sandbox, say=said["first"].append)
    second = relay(server, sandbox, say=said["second"].append)
    with running(first):
        until(lambda: said["first"] == ["leads partition 0, generation 1"])
        with running(second):
            until(lambda: said["second"] == ["stands by for partition 0"])
            expected = some(publisher)
            until(publisher.balanced)
            first.stop()
            began = time.monotonic()
            until(lambda: said["second"][1:] == ["leads partition 0, generation 2"])
            took = time.monotonic() - began
            expected += some(publisher)
            until(publisher.balanced)
    assert took < 2
    assert names(sandbox) == expected


def test_a_lease_that_nobody_renews_is_taken_over(server, publisher, sandbox):
    """Within 20 seconds where it lasts 15, as when its holder was killed just after it renewed."""
    lease = 4.5
    said: list[str] = []
    with running(relay(server, sandbox, lease=lease, say=said.append)):
        until(lambda: said)
    server.do("SET", publisher.keys.lease, "1:gone", "PX", int(lease * 1000))
    began = time.monotonic()
    with running(relay(server, sandbox, lease=lease, say=said.append)):
        until(lambda: "leads partition 0, generation 2" in said)
        took = time.monotonic() - began
    assert "stands by for partition 0" in said
    assert took <= lease * 20 / 15


def test_a_stop_waits_for_the_request_under_way(server, publisher, sandbox):
    """What was sent when the signal came has its end written, and is not sent again."""
    sandbox.delay(0.3, times=1)
    publisher.publish(EMAIL)
    one = relay(server, sandbox)
    with running(one):
        until(lambda: server.do("HLEN", publisher.keys.marks))
    assert publisher.balanced()
    assert publisher.counts["relay_sent"] == 1


def test_a_relay_that_is_killed_or_frozen_harms_nobody(server, publisher, sandbox):
    """Another goes on in order; a message that was under way is ambiguous and not sent again."""
    said: list[str] = []
    second = relay(server, sandbox, lease=LEASE, say=said.append)
    with RelayChild(server.url, sandbox.url, "--lease", LEASE) as first:
        first.wait_until_it("leads partition 0, generation 1")
        with running(second):
            expected = some(publisher)
            until(publisher.balanced)
            # Killed while a message is under way.
            sandbox.delay(60, times=1, path="/v1/send")
            publisher.publish(EMAIL)
            until(lambda: len(sandbox.messages) == 1)
            expected += some(publisher)
            first.kill()
            until(lambda: "leads partition 0, generation 2" in said)
            until(publisher.balanced)
    assert len(sandbox.messages) == 1
    assert publisher.counts["relay_failed:ambiguous"] == 1

    sandbox.heal()
    with RelayChild(server.url, sandbox.url, "--lease", LEASE) as first:
        first.wait_until_it("leads partition 0, generation 3")
        expected += some(publisher)
        until(publisher.balanced)
        first.freeze()
        expected += some(publisher)
        publisher.publish(EMAIL)
        said.clear()
        with running(relay(server, sandbox, lease=LEASE, say=said.append)):
            until(lambda: "leads partition 0, generation 4" in said)
            until(publisher.balanced)
            first.thaw()
            first.wait_until_it("does not lead partition 0 any more")
            expected += some(publisher)
            until(publisher.balanced)
            assert first.stop() == 0
    assert names(sandbox) == expected
    assert len(sandbox.messages) == 2


def test_who_leads_no_longer_can_do_nothing(server, publisher, sandbox):
    """Once another's token is there, nothing is read, acknowledged or sent."""
    said: list[str] = []
    keys = publisher.keys
    with running(relay(server, sandbox, say=said.append)):
        until(lambda: said)
        server.do("SET", keys.lease, "99:another", "PX", 60_000)
        server.do("HSET", keys.leader, "generation", 99, "token", "99:another")
        publisher.publish(Track("5", "for another"), EMAIL)
        until(lambda: said[1:2] == ["does not lead partition 0 any more: another relay does"])
        until(lambda: said[2:] == ["stands by for partition 0"])
    assert not sandbox.requests
    assert server.do("GET", keys.lease) == b"99:another"
    assert publisher.left == 2


def test_a_relay_outlives_its_redis(sandbox):
    """While Redis is away nothing is sent; once it is back, the same relay goes on."""
    said: list[str] = []
    with RedisServer(appendonly="yes", appendfsync="always") as server:
        publisher = Publisher(server, Keys())
        with running(relay(server, sandbox, lease=LEASE, say=said.append)):
            expected = some(publisher)
            until(publisher.balanced)
            server.kill()
            time.sleep(LEASE)
            server.start()
            expected += some(publisher)
            publisher.publish(EMAIL)
            until(publisher.balanced)
    assert names(sandbox) == expected
    assert len(sandbox.messages) == 1
    assert said == ["leads partition 0, generation 1"]


def test_a_full_redis_is_emptied(sandbox):
    """A relay leads, acknowledges and trims where nobody can write any more."""
    with RedisServer() as server:
        publisher = Publisher(server, Keys())
        publisher.publish(*(Track("5", f"event {number}") for number in range(1000)))
        publisher.publish(EMAIL, Track("6", "bad"))
        sandbox.fail_next(400, times=None, text='"name":"bad"')
        server.do("CONFIG", "SET", "maxmemory", "1mb")
        with pytest.raises(Exception, match="maxmemory"):
            server.do("SET", "anything", "else")
        with running(relay(server, sandbox, say=lambda _: None)):
            until(publisher.balanced)
    assert len(sandbox.events) == 1000


def test_a_server_that_leads_no_longer_is_left_for_the_one_at_its_address(sandbox, tmp_path):
    """After a failover that kills nobody, old connections lead to a read-only replica."""
    address = tmp_path / "redis"
    with RedisServer(tcp=True) as first, RedisServer(tcp=True) as second:
        address.symlink_to(first.path)
        old, new = Publisher(first, Keys()), Publisher(second, Keys())
        with running(relay(first, sandbox, url=f"unix://{address}", lease=LEASE)):
            expected = some(old)
            until(old.balanced)
            address.unlink()
            address.symlink_to(second.path)
            first.do("REPLICAOF", "127.0.0.1", second.port)
            expected += some(new)
            until(new.balanced)
    assert names(sandbox) == list(dict.fromkeys(expected))


def test_a_message_waits_until_a_replica_has_its_mark(sandbox):
    """So that whoever leads after a promotion knows that it may have been sent."""
    settings = {"tcp": True, "repl_diskless_sync_delay": 0}
    with RedisServer(**settings) as server, RedisServer(**settings) as replica:
        publisher = Publisher(server, Keys())
        sandbox.delay(60, times=1, path="/v1/send")
        with RelayChild(server.url, sandbox.url, "--replicas", 1) as one:
            publisher.publish(Track("6", "bought"), EMAIL)
            one.wait_until_it("too few replicas of Redis have their marks: 0")
            until(lambda: names(sandbox) == ["bought"])
            assert not sandbox.messages
            replica.do("REPLICAOF", "127.0.0.1", server.port)
            until(lambda: sandbox.messages)
            assert replica.do("HLEN", publisher.keys.marks) == 1
