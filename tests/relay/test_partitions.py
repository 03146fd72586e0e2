"""Several partitions: who leads them, what is told of them, and how their number is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cio_events import Merge, Pipeline, SendEmail, Track, TrackAnonymous
from cio_events._buffers.failures import Failure
from cio_events._redis.keys import Keys
from cio_events._redis.routing import partition_of
from cio_events._relay import letters, number
from cio_events._relay.dead import DeadLetters
from cio_events._relay.link import Link
from cio_events._relay.status import total
from cio_events.errors import ParamError
from tests.behaviour.watching import said
from tests.relay.conftest import envelope, relay, running, until
from tests.relay.parted import (
    COUNT,
    KEYS,
    LONG,
    WHO,
    arrivals,
    lengths,
    publishing,
    settled,
    statuses,
)
from tests.support.needs import needs_redis
from tests.support.redis_server import Proxy, RedisServer
from tests.support.relays import RelayChild

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cio_events.sandbox import Sandbox

pytestmark = needs_redis

MESSAGES = [SendEmail(to="a@x.com", identifiers=who, transactional_message_id=3) for who in WHO]


@pytest.fixture
def pipeline(server: RedisServer) -> Iterator[Pipeline]:
    """It publishes to all of them."""
    with publishing(server.url) as made:
        yield made


def test_a_partition_is_chosen_alike_by_every_version():
    """These are in use, and must never become others."""
    chosen = {key: partition_of(key, COUNT) for key in [*WHO, "a@example.com", "cio_03", "é"]}
    assert chosen == {"7": 0, "2": 1, "0": 2, "a@example.com": 2, "cio_03": 2, "é": 2}


def test_each_identifier_keeps_its_order_whoever_leads(
    server: RedisServer, sandbox: Sandbox, pipeline: Pipeline
):
    """Of two relays each leads some; who takes over goes on in order, and all is told of."""
    told: list[list[str]] = [[], []]
    relays = [relay(server, sandbox, say=one.append) for one in told]

    def publish(first: int) -> None:
        for count in range(first, first + 30):
            for who in range(10):
                pipeline.track(str(who), f"{who}.{count}")
            pipeline.send(TrackAnonymous("a", f"anonymous.{count}"))
        assert pipeline.flush(LONG)

    publish(0)
    with running(*relays):
        until(lambda: sum("leads partition" in line for one in told for line in one) == COUNT)
        assert all(any("leads partition" in line for line in one) for one in told)
        until(lambda: settled(server))
        relays[0].stop()
        publish(30)
        until(lambda: all(one.leader for one in statuses(server)))
        until(lambda: settled(server))
    found = [event.name for event in sandbox.events]
    assert len(found) == 60 * 11
    for who in [*range(10), "anonymous"]:
        own = [name for name in found if name.startswith(f"{who}.")]
        assert own == [f"{who}.{count}" for count in range(60)]
    every = statuses(server)
    assert [one.partition for one in every] == [0, 1, 2]
    assert all(one.sent for one in every)
    added = total(every)
    assert (added.published, added.read, added.sent, added.balanced) == (660, 660, 660, True)
    assert pipeline.stats().sent == 660


def test_one_that_comes_later_is_handed_its_part(server: RedisServer, sandbox: Sandbox):
    """In the middle of the traffic, with nothing out of order; and gives it back at its end."""

    def led_by() -> list[int]:
        leaders = [one.leader for one in statuses(server)]
        return sorted(map(leaders.count, set(leaders) - {None}))

    def publish(first: int) -> None:
        for count in range(first, first + 20):
            for who in WHO:
                pipeline.track(who, f"{who}.{count}")
        assert pipeline.flush(LONG)

    with (
        publishing(server.url) as pipeline,
        running(relay(server, sandbox, partitions=COUNT, lease=1.5)),
    ):
        until(lambda: led_by() == [3])
        publish(0)
        with RelayChild(server.url, sandbox.url, "--lease", 1.5) as second:
            publish(20)
            until(lambda: led_by() == [1, 2])
            publish(40)
            until(lambda: settled(server))
            second.stop()
        publish(60)
        until(lambda: led_by() == [3])
        until(lambda: settled(server))
    found = [event.name for event in sandbox.events]
    for who in WHO:
        own = [name for name in found if name.startswith(f"{who}.")]
        assert own == [f"{who}.{count}" for count in range(80)]


@pytest.mark.parametrize("spool", [False, True])
def test_what_one_partition_refuses_is_neither_lost_nor_doubled(
    server: RedisServer, sandbox: Sandbox, tmp_path: Path, spool: bool
):
    """The others have theirs once; it goes on once there is room, messages too."""
    with publishing(server.url, spool=str(tmp_path) if spool else None) as pipeline:
        server.do("SET", KEYS[1].bytes, 10**12)
        for who, message in zip(WHO, MESSAGES, strict=True):
            pipeline.send(message)
            pipeline.track(who, f"bought.{who}")
        until(lambda: pipeline.stats().retries > 2)
        assert lengths(server)[1:] == [0, 0]
        assert pipeline.stats().sent == 0
        server.do("DEL", KEYS[1].bytes)
        assert pipeline.flush(LONG)
        with running(relay(server, sandbox)):
            until(lambda: settled(server))
        assert pipeline.stats().sent == 6
    assert sorted(event.name for event in sandbox.events) == ["bought.0", "bought.2", "bought.7"]
    assert len(sandbox.messages) == 3
    assert total(statuses(server)).repeated == 0


def test_answers_that_are_lost_between_two_partitions_store_nothing_twice(
    server: RedisServer, sandbox: Sandbox
):
    """Each partition knows the numbers of a publisher."""
    with Proxy(server) as proxy, publishing(proxy.url, flush_interval=0.1) as pipeline:
        pipeline.track("7", "before")
        assert pipeline.flush(LONG)
        for times in range(1, 4):
            proxy.lose_answers(b"EVAL", times)
            for who, message in zip(WHO, MESSAGES, strict=True):
                pipeline.send(message)
                pipeline.track(who, f"{who}.{times}")
            pipeline.send(Merge("7", f"gone{times}"))
            assert pipeline.flush(LONG)
        assert proxy.lost >= 3
        assert pipeline.stats().failed == 0
    with running(relay(server, sandbox)):
        until(lambda: settled(server))
    assert len(arrivals(sandbox)) == len(list(arrivals(sandbox))) == 1 + 3 * 4
    assert len(sandbox.events) == 10
    assert len(sandbox.messages) == 9
    assert total(statuses(server)).published == 1 + 3 * 7


def test_another_number_is_refused_by_name_and_strands_nothing(
    server: RedisServer, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
):
    """The first to publish says it; who has another keeps its calls until it is changed."""
    with publishing(server.url) as three, publishing(server.url, relay_partitions=1) as one:
        three.track("2", "first")
        assert three.flush(LONG)
        one.track("2", "second")
        until(
            lambda: any(
                "partitions in Redis is 3, and relay_partitions is 1" in line
                for line in said(caplog)
            )
        )
        link = Link(server.url, Keys())
        assert (
            number.change(link, 1) == "entries wait in Redis (1): have a relay deliver them first"
        )
        with pytest.raises(ParamError, match="is 2 here, and Redis has 3"):
            number.claim(link, 2)
        lead: list[str] = []
        with running(relay(server, sandbox, say=lead.append)):
            until(lambda: settled(server))
            until(lambda: sum("leads" in line for line in lead) == COUNT)
            # Nothing was changed by what was refused.
            three.track("0", "third")
            assert three.flush(LONG)
            until(lambda: settled(server))
            assert number.change(link, 1) is None
            assert one.flush(LONG)
            until(lambda: settled(server))
            three.track("0", "fourth")
            until(
                lambda: any(
                    "partitions in Redis is 1, and relay_partitions is 3" in line
                    for line in said(caplog)
                )
            )
            assert number.change(link, 3) is None
            assert three.flush(LONG)
            until(lambda: len(arrivals(sandbox)) == 4)
            until(lambda: settled(server))
    assert arrivals(sandbox) == ["first", "third", "second", "fourth"]
    link.close()


def test_publishers_go_on_soon_where_a_change_comes_to_nothing(server: RedisServer):
    """It is over in seconds, and they do not wait as for a setting that is wrong."""
    with publishing(server.url, hold_interval=1_000) as pipeline:
        for name in ("first", "second"):
            for keys in KEYS:
                server.do("SET", keys.partitions, f"{COUNT} changing")
            before = pipeline.stats().retries
            pipeline.track("2", name)
            until(lambda before=before: pipeline.stats().retries > before)
            for keys in reversed(KEYS):
                server.do("SET", keys.partitions, COUNT)
            assert pipeline.flush(LONG)


def test_dead_letters_stand_in_the_way_of_fewer_partitions(server: RedisServer):
    """They would be found by nobody."""
    link = Link(server.url, Keys())
    number.claim(link, COUNT)
    server.do("XADD", KEYS[2].dead, "*", "call", "x")
    assert number.change(link, 2) == ("partition 2 has dead letters: resend or discard them first")
    assert number.read(link) == COUNT
    assert number.change(link, 4) is None
    assert number.read(link) == 4
    link.close()


def test_nothing_is_sent_again_while_the_number_is_changed(server: RedisServer):
    """It could come to a partition that is gone, where nobody would find it."""
    link = Link(server.url, Keys())
    number.claim(link, COUNT)
    failed = letters.fields(envelope(Track(WHO[2], "late")), Failure("rejected", 400, None), 0.0)
    server.do("XADD", KEYS[2].dead, "*", *failed)
    server.do("SET", KEYS[2].partitions, f"{COUNT} changing")
    with pytest.raises(ParamError, match="being changed"):
        DeadLetters(link).resend()
    assert (lengths(server), server.do("XLEN", KEYS[2].dead)) == ([0, 0, 0], 1)
    server.do("SET", KEYS[2].partitions, COUNT)
    assert DeadLetters(link).resend() == 1
    assert (lengths(server), server.do("XLEN", KEYS[2].dead)) == ([0, 0, 1], 0)
    link.close()


def test_one_that_is_killed_is_followed_in_each_partition(server: RedisServer, sandbox: Sandbox):
    """With a generation of its own in each."""
    settings = ("--partitions", COUNT, "--lease", 1.5)
    with (
        publishing(server.url) as pipeline,
        RelayChild(server.url, sandbox.url, *settings) as first,
    ):
        until(lambda: len(statuses(server)) == COUNT)
        until(lambda: all(one.leader for one in statuses(server)))
        first.freeze()
        for who in WHO:
            pipeline.track(who, f"bought.{who}")
        assert pipeline.flush(LONG)
        with running(relay(server, sandbox, lease=1.5)):
            first.kill()
            until(lambda: settled(server))
            assert [one.generation for one in statuses(server)] == [2, 2, 2]
    assert sorted(event.name for event in sandbox.events) == ["bought.0", "bought.2", "bought.7"]


def test_a_call_waits_here_until_replicas_have_it(server: RedisServer):
    """It goes again meanwhile, and is stored once."""
    with (
        RedisServer(tcp=True, repl_diskless_sync_delay=0) as main,
        RedisServer(tcp=True) as replica,
    ):
        replica.do("REPLICAOF", "127.0.0.1", main.port)
        until(lambda: replica.client.info("replication")["master_link_status"] == "up")
        with publishing(main.url, relay_replicas=1, timeout=0.3) as pipeline:
            pipeline.track("7", "first")
            assert pipeline.flush(LONG)
            assert replica.do("XLEN", KEYS[0].stream) == 1
            replica.freeze()
            before = pipeline.stats().retries
            pipeline.send(MESSAGES[0])
            for who in WHO:
                pipeline.track(who, "bought")
            until(lambda: lengths(main)[0] > 1)
            until(lambda: pipeline.stats().retries > before + 2)
            assert pipeline.stats().sent == 1
            replica.thaw()
            assert pipeline.flush(LONG)
            assert pipeline.stats().sent == 5
        assert lengths(main) == lengths(replica)
        assert [one.published for one in statuses(main)] == [3, 1, 1]


def test_a_message_goes_where_its_recipients_events_go(server: RedisServer, pipeline: Pipeline):
    """So that it keeps its place among them."""
    pipeline.track("2", "event")
    pipeline.send(MESSAGES[1])
    pipeline.send(Track("2", "another"))
    assert pipeline.flush(LONG)
    assert lengths(server) == [0, 3, 0]
