"""A merge is a barrier: what was published before it, in any partition, comes before it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from cio_events import AddRelationships, Merge, ObjectIdentifier, Relationship, Track
from cio_events._redis import barriers, entries, publishing
from cio_events._relay.dead import DeadLetters
from cio_events._relay.link import Link
from cio_events._relay.status import total
from tests.relay.conftest import Publisher, envelope, relay, running, until
from tests.relay.parted import COUNT, KEYS, LONG, WHO, arrivals, lengths, settled, statuses
from tests.relay.parted import publishing as publishing_to
from tests.support.needs import needs_redis
from tests.support.redis_server import RedisServer
from tests.support.relays import RelayChild

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox

pytestmark = needs_redis

LEASE = 1.5


class Parted:
    """Somebody who publishes step by step, to be stopped between any two."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.server.do("SET", KEYS[0].partitions, COUNT)
        self.by_partition = [Publisher(server, keys) for keys in KEYS]
        self.name = self.by_partition[0].name

    def publish(self, when: str) -> list[str]:
        """An event of each partition; returns their names."""
        made = [f"{when}.{who}" for who in WHO]
        for publisher, who, name in zip(self.by_partition, WHO, made, strict=True):
            publisher.publish(Track(who, name))
        return made

    def bar(self, secondary: str) -> bytes:
        """A merge in partition 0, without any mark; returns its id."""
        first = self.by_partition[0]
        first.sequence += 1
        entry = entries.entry_of([envelope(Merge("7", secondary))], first.name, first.sequence)
        fields = barriers.encode_barrier(entry)
        keys = KEYS[0]
        names = [
            *(keys.stream, keys.bytes, keys.counts),
            *(keys.publisher(first.name), keys.partitions, keys.barrier(first.name)),
        ]
        arguments = (10**9, 60, COUNT, first.sequence, *fields)
        id_ = publishing.run(self.server.client, publishing.BAR, names, arguments)
        assert isinstance(id_, bytes)
        return id_

    def mark(self, partition: int, id_: bytes) -> int:
        """A mark of that merge; returns whether there was need of one."""
        keys = KEYS[partition]
        names = [keys.stream, keys.bytes, keys.counts, keys.barriers]
        arguments = [id_, *barriers.encode_mark(id_)]
        return int(publishing.run(self.server.client, publishing.PLACE, names, arguments))


@pytest.fixture
def parted(server: RedisServer) -> Parted:
    """Somebody who publishes to an empty Redis."""
    return Parted(server)


def parts(found: list[str], *merges: str) -> list[set[str]]:
    """What arrived before the first merge, between two, and behind the last."""
    places = [-1, *(found.index(f"merge {name}") for name in merges), len(found)]
    assert places == sorted(places)
    return [{*found[a + 1 : b]} for a, b in pairwise(places)]


def test_two_merges_whose_marks_cross_wait_for_no_other(
    server: RedisServer, sandbox: Sandbox, parted: Parted
):
    """The later one's mark stands for both where it comes first; both relays pass."""
    before = parted.publish("before")
    first, second = parted.bar("one"), parted.bar("two")
    assert parted.mark(1, second) == 1
    between = Track(WHO[1], "between")
    parted.by_partition[1].publish(between)
    assert parted.mark(1, first) == 0
    assert parted.mark(2, first) == 1
    assert parted.mark(2, second) == 1
    after = parted.publish("after")
    for name in ("one", "two"):
        sandbox.delay(0.2, times=1, before=True, text=f'"secondary":{{"id":"{name}"}}')
    with running(relay(server, sandbox), relay(server, sandbox)):
        until(lambda: settled(server))
    found = arrivals(sandbox)
    assert parts(found, "one", "two") == [{*before}, set(), {*after, "between"}]
    added = total(statuses(server))
    assert (added.published, added.sent) == (9, 9)


def test_a_merge_whose_publisher_was_killed_between_its_marks_is_made_whole(
    server: RedisServer, sandbox: Sandbox, parted: Parted
):
    """Who leads partition 0 puts the marks that there are not."""
    before = parted.publish("before")
    parted.mark(1, parted.bar("one"))
    behind = parted.publish("behind")
    with running(relay(server, sandbox)):
        until(lambda: settled(server))
        assert [*server.client.hgetall(KEYS[2].barriers)]
        parted.bar("two")
        until(lambda: settled(server))
        after = parted.publish("after")
        until(lambda: settled(server))
    found = parts(arrivals(sandbox), "one", "two")
    assert {*before} <= found[0]
    # Nobody has told who published this one that the merge is there.
    assert found[0] - {*before} <= {behind[2]}
    assert {*behind[:2]} <= found[1]
    assert found[2] == {*after}


def test_a_refused_merge_is_a_dead_letter_and_lets_all_pass(server: RedisServer, sandbox: Sandbox):
    """Resent it is a barrier again."""
    sandbox.fail_next(400, times=None, text='"merge"')
    link = Link(server.url, KEYS[0])
    with publishing_to(server.url) as pipeline, running(relay(server, sandbox)):
        for when in ("before", "after"):
            for who in WHO:
                pipeline.track(who, f"{when}.{who}")
            if when == "before":
                pipeline.send(Merge("7", "one"))
        assert pipeline.flush(LONG)
        until(lambda: len(arrivals(sandbox)) == 6)
        until(lambda: settled(server))
        assert [letter.reason for letter in DeadLetters(link).select()] == ["rejected"]
        sandbox.heal()
        assert DeadLetters(link).resend() == 1
        for who in WHO:
            pipeline.track(who, f"later.{who}")
        assert pipeline.flush(LONG)
        until(lambda: settled(server))
        added = total(statuses(server))
        assert (added.published, added.sent, added.failed, added.dead) == (11, 10, 1, 0)
    link.close()
    assert [len(part) for part in parts(arrivals(sandbox), "one")] == [6, 3]


def test_a_merge_that_was_stored_twice_is_sent_once_and_holds_nobody(
    server: RedisServer, sandbox: Sandbox, parted: Parted
):
    """As when Redis has forgotten its publisher's number; others wait for the second one."""
    id_ = parted.bar("one")
    for partition in (1, 2):
        parted.mark(partition, id_)
    with running(relay(server, sandbox)):
        until(lambda: settled(server))
    server.do("DEL", KEYS[0].publisher(parted.name))
    parted.by_partition[0].sequence -= 1
    again = parted.bar("one")
    for partition in (1, 2):
        assert parted.mark(partition, again) == 1
    after = parted.publish("after")
    with running(relay(server, sandbox)):
        until(lambda: settled(server))
    merges = [one for one in sandbox.requests if "merge" in str(one.body)]
    assert len(merges) == 1
    assert parts(arrivals(sandbox), "one") == [set(), {*after}]
    assert total(statuses(server)).repeated == 1


def test_one_that_is_killed_at_a_barrier_leaves_it_to_the_next(
    server: RedisServer, sandbox: Sandbox, parted: Parted
):
    """While events before it are under way, and while the merge is."""
    slow = "slow.2"
    sandbox.delay(60, times=1, before=True, text=slow)
    before = parted.publish("before")
    parted.by_partition[1].publish(Track("2", slow))
    id_ = parted.bar("one")
    parted.mark(1, id_)
    parted.mark(2, id_)
    after = parted.publish("after")
    settings = ("--lease", LEASE)
    with RelayChild(server.url, sandbox.url, *settings) as first:
        until(lambda: lengths(server)[2] == 2)  # it waits at its mark
        first.kill()
    assert not {"merge one", *after} & {*arrivals(sandbox)}
    sandbox.heal()
    sandbox.delay(60, times=1, before=True, text='"merge"')
    with RelayChild(server.url, sandbox.url, *settings) as second:
        until(lambda: any("merge" in str(one.body) for one in sandbox.requests))
        second.kill()
    assert not {*after} & {*arrivals(sandbox)}
    sandbox.heal()
    with running(relay(server, sandbox, lease=LEASE)):
        until(lambda: settled(server))
    assert parts(arrivals(sandbox), "one") == [{*before, slow}, {*after}]


def test_what_is_deleted_in_redis_holds_nobody(
    server: RedisServer, sandbox: Sandbox, parted: Parted
):
    """A mark without its merge, and a merge whose mark was in a stream that is gone."""
    id_ = parted.bar("gone")
    parted.mark(1, id_)
    parted.publish("lost")
    server.do("DEL", KEYS[0].stream)
    with running(relay(server, sandbox)):
        until(lambda: "lost.2" in arrivals(sandbox))
        until(lambda: lengths(server) == [0, 0, 0])
    kept = parted.bar("kept")
    parted.mark(1, kept)
    server.do("DEL", KEYS[1].stream)
    with running(relay(server, sandbox)):
        until(lambda: "merge kept" in arrivals(sandbox))


def test_a_call_about_several_partitions_is_a_barrier_too(server: RedisServer):
    """Else its order would hold for one of them only."""
    with publishing_to(server.url) as pipeline:
        pipeline.track("2", "event")
        pipeline.send(AddRelationships("2", [Relationship(ObjectIdentifier("1", "x"))]))
        assert pipeline.flush(LONG)
    ((_, found),) = server.client.xrange(KEYS[0].stream)
    assert barriers.is_barrier(found)
    assert lengths(server) == [1, 2, 1]


def test_a_relay_that_was_told_of_one_partition_takes_a_barrier_as_a_call(
    server: RedisServer, sandbox: Sandbox, parted: Parted
):
    """There is nobody to wait for."""
    server.do("SET", KEYS[0].partitions, 1)
    entry = entries.entry_of([envelope(Merge("7", "one"))], parted.name, 1)
    flat = barriers.encode_barrier(entry)
    parted.by_partition[0].add_fields(dict(zip(flat[::2], flat[1::2], strict=True)))
    with running(relay(server, sandbox)):
        until(lambda: arrivals(sandbox) == ["merge one"])
        until(parted.by_partition[0].balanced)
