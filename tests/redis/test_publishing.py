"""A pipeline with a relay has Redis store its calls: in order, once, whatever befalls Redis."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time

import pytest

from cio_events import Delete, SendEmail, Track, TrackAnonymous, signals
from cio_events._redis.entries import Kind
from cio_events._redis.keys import Keys
from tests.behaviour.watching import LONG, Heard, eventually, said, settled
from tests.redis.conftest import MakePipeline
from tests.redis.stored import calls, names, stored
from tests.support.redis_server import Proxy, RedisServer

MESSAGE = SendEmail(to="a@example.com", identifiers={"id": "5"}, transactional_message_id=3)


def test_all_kinds_of_calls_lie_in_one_stream_in_their_order(
    server: RedisServer, publish: MakePipeline, heard: Heard
):
    """Also those that no v2 batch carries, each as an entry of its own."""
    pipeline = publish(server.url, flush_interval=3600, relay_prefix="staging")
    pipeline.identify("5", {"name": "Ann"})
    pipeline.track("5", "bought")
    pipeline.send(MESSAGE)
    pipeline.send(TrackAnonymous("a", "seen"))
    pipeline.send(Delete("5"))
    assert settled(pipeline).sent == 5
    found = stored(server, "staging")
    kinds = [Kind.BATCH, Kind.MESSAGE, Kind.CALL, Kind.BATCH]
    assert [entry.kind for entry in found] == kinds
    assert [entry.count for entry in found] == [2, 1, 1, 1]
    assert [entry.sequence for entry in found] == [1, 2, 3, 4]
    assert len({entry.publisher for entry in found}) == 1
    assert [report.id for report in heard.sent] == [id_ for entry in found for id_ in entry.ids]
    assert {(report.to, report.status) for report in heard.sent} == {("redis", None)}
    keys = Keys("staging")
    counts = {b"entries": b"4", b"calls": b"5"}
    assert server.client.hgetall(keys.counts) == counts
    sizes = sum(
        len(part)
        for _, fields in server.client.xrange(keys.stream)
        for field in fields.items()
        for part in field
    )
    assert int(server.do("GET", keys.bytes)) == sizes


def test_many_calls_keep_their_order(server: RedisServer, publish: MakePipeline):
    """Over requests of several bodies."""
    pipeline = publish(server.url)
    for number in range(3_000):
        pipeline.track(str(number % 7), f"e{number}", {"text": "x" * 1_000})
    settled(pipeline)
    assert names(server) == [f"e{number}" for number in range(3_000)]
    assert max(len(entry.body) for entry in stored(server)) <= 500_000


def test_a_lost_answer_stores_nothing_twice(
    server: RedisServer, publish: MakePipeline, heard: Heard
):
    """The numbers of a publisher make a retry safe, for messages too."""
    with Proxy(server) as proxy:
        pipeline = publish(proxy.url)
        pipeline.track("5", "before")
        settled(pipeline)
        proxy.lose_answers(b"EVAL", 2)
        pipeline.track("5", "bought")
        pipeline.send(MESSAGE)
        pipeline.track("5", "after")
        assert settled(pipeline).sent == 4
        assert proxy.lost >= 1
    assert names(server) == ["before", "bought", "send_email", "after"]
    assert {retry.reason for retry in heard.retries} == {"no_answer"}


def test_a_message_in_doubt_goes_to_no_other_run_of_redis(
    mortal: RedisServer, publish: MakePipeline, heard: Heard
):
    """Which may have forgotten that it had it; events go again, as their ULIDs make that safe."""
    with Proxy(mortal) as proxy:
        pipeline = publish(proxy.url, flush_interval=0.2)
        proxy.lose_answers(b"EVAL", then=mortal.kill)
        pipeline.track("5", "first")
        pipeline.send(MESSAGE)
        pipeline.track("5", "last")
        assert eventually(lambda: proxy.lost)
        mortal.start()
        stats = settled(pipeline)
    assert (stats.sent, stats.failed_by_reason) == (2, {"ambiguous": 1})
    assert heard.failed[0].to == "redis"
    found = names(mortal)
    assert found.count("send_email") <= 1
    assert {"first", "last"} <= set(found)


def test_a_message_in_doubt_is_not_sent_by_the_next_process(
    server: RedisServer, publish: MakePipeline, tmp_path: object
):
    """What a spool's mark says holds for Redis as for Customer.io."""
    with Proxy(server) as proxy:
        proxy.lose_answers(b"EVAL", 10**6)
        pipeline = publish(proxy.url, spool=tmp_path)
        pipeline.track("5", "bought")
        pipeline.send(MESSAGE)
        assert not pipeline.flush(0.3)
        pipeline.close(0)
        proxy.lose_answers(b"EVAL", 0)
        successor = publish(proxy.url, spool=tmp_path)
        stats = settled(successor)
    assert (stats.sent, stats.failed_by_reason) == (1, {"ambiguous": 1})
    assert names(server).count("send_email") <= 1


def test_a_full_redis_is_waited_for(
    server: RedisServer, publish: MakePipeline, heard: Heard, caplog: pytest.LogCaptureFixture
):
    """What waits is kept, in order, and said once with the reason."""
    pipeline = publish(server.url)
    server.do("CONFIG", "SET", "maxmemory", "1mb")
    pipeline.track("5", "one")
    pipeline.send(MESSAGE)
    assert not pipeline.flush(0.1)
    assert eventually(lambda: len(heard.retries) > 2)
    pipeline.track("5", "two")
    server.do("CONFIG", "SET", "maxmemory", "0")
    assert settled(pipeline).sent == 3
    assert names(server) == ["one", "send_email", "two"]
    lines = [line for line in said(caplog) if "maxmemory" in line]
    assert len(lines) == 1
    assert "delivery to the relay's Redis fails for now" in lines[0]


def test_a_stream_is_bounded_by_its_bytes(
    server: RedisServer, publish: MakePipeline, caplog: pytest.LogCaptureFixture
):
    """Beyond them calls wait where they are."""
    pipeline = publish(server.url, relay_bytes=1)
    pipeline.track("5", "one")
    settled(pipeline)
    pipeline.track("5", "two")
    assert not pipeline.flush(0.1)
    assert names(server) == ["one"]
    assert any("as many as relay_bytes allows" in line for line in said(caplog))
    server.do("DEL", Keys().bytes, Keys().stream)  # a relay has delivered them
    settled(pipeline)
    assert names(server) == ["two"]


def test_a_replica_is_waited_for_until_it_is_promoted(
    server: RedisServer, publish: MakePipeline, caplog: pytest.LogCaptureFixture
):
    """As in a failover."""
    pipeline = publish(server.url)
    pipeline.track("5", "one")
    settled(pipeline)
    server.do("CONFIG", "SET", "replica-serve-stale-data", "yes")
    server.do("REPLICAOF", "127.0.0.1", "1")
    pipeline.track("5", "two")
    pipeline.send(MESSAGE)
    assert not pipeline.flush(0.1)
    assert any("read-only replica" in line for line in said(caplog))
    server.do("REPLICAOF", "NO", "ONE")
    settled(pipeline)
    assert names(server) == ["one", "two", "send_email"]


def test_killed_and_started_again_redis_gets_the_rest(mortal: RedisServer, publish: MakePipeline):
    """A connection that broke while it was idle leaves nothing in doubt, messages included."""
    pipeline = publish(mortal.url)
    pipeline.track("5", "one")
    settled(pipeline)
    mortal.kill()
    pipeline.track("5", "two")
    pipeline.send(MESSAGE)
    assert not pipeline.flush(0.05)
    mortal.start()
    assert settled(pipeline).sent == 3
    assert names(mortal) == ["one", "two", "send_email"]
    mortal.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    pipeline.send(MESSAGE)
    assert settled(pipeline).sent == 4


def test_a_frozen_redis_stores_once_what_it_is_asked_again(
    mortal: RedisServer, publish: MakePipeline, heard: Heard
):
    """What was sent to it while it slept comes twice, when it wakes."""
    pipeline = publish(mortal.url, timeout=0.15)
    pipeline.track("5", "one")
    settled(pipeline)
    mortal.freeze()
    pipeline.send(MESSAGE)
    pipeline.track("5", "two")
    assert eventually(lambda: len(heard.retries) > 2)
    mortal.thaw()
    assert settled(pipeline).sent == 3
    assert names(mortal) == ["one", "send_email", "two"]


def test_on_disk_is_what_fsync_waits_for(mortal: RedisServer, publish: MakePipeline):
    """A call is pending until then, and goes again when Redis starts anew meanwhile."""
    mortal.do("CONFIG", "SET", "appendfsync", "no")
    pipeline = publish(mortal.url, relay_ack="fsync")
    pipeline.track("5", "one")
    assert eventually(lambda: names(mortal))
    assert pipeline.stats().pending == 1
    mortal.kill()
    (mortal.directory / "appendonlydir").rename(mortal.directory / "lost")
    mortal.start()
    assert settled(pipeline).sent == 1
    assert names(mortal) == ["one"]


def test_a_time_shorter_than_the_wait_for_the_disk_suffices(
    mortal: RedisServer, publish: MakePipeline, heard: Heard
):
    """The wait goes on over several attempts, and nothing is stored twice meanwhile."""
    mortal.do("CONFIG", "SET", "appendfsync", "no")
    pipeline = publish(mortal.url, relay_ack="fsync", timeout=0.8)
    pipeline.track("5", "one")
    pipeline.send(MESSAGE)
    assert eventually(lambda: heard.retries)
    mortal.do("CONFIG", "SET", "appendfsync", "always")
    assert settled(pipeline).sent == 2
    assert names(mortal) == ["one", "send_email"]
    assert {retry.reason for retry in heard.retries} == {"no_answer"}


def test_what_was_stored_before_is_confirmed_by_a_write(
    server: RedisServer, publish: MakePipeline
):
    """For WAITAOF waits for what its own connection has written, and that may be a new one."""
    before: list[int] = []

    def changes() -> int:
        return int(server.client.info("persistence")["rdb_changes_since_last_save"])

    with Proxy(server) as proxy:
        pipeline = publish(proxy.url)
        pipeline.track("5", "before")  # so that the script is known
        settled(pipeline)
        proxy.lose_answers(b"EVAL", then=lambda: before.append(changes()))
        pipeline.track("5", "one")
        settled(pipeline)
    assert names(server) == ["before", "one"]
    assert changes() > before[0]


def test_a_wrong_password_holds_and_is_never_shown(
    server: RedisServer,
    publish: MakePipeline,
    caplog: pytest.LogCaptureFixture,
):
    """Nothing is lost by it."""
    url = server.url.replace("redis://", "redis://somebody:s3cret-w0rd@")
    pipeline = publish(url)
    with caplog.at_level(logging.DEBUG):
        pipeline.track("5", "one")
        assert not pipeline.flush(0.1)
    (line,) = [line for line in said(caplog) if "relay" in line]
    assert line.startswith("the relay's Redis refuses us: look at the option relay")
    for text in (caplog.text, repr(pipeline), repr(pipeline.options), repr(pipeline._relay)):
        assert "s3cret" not in text
    server.do("ACL", "SETUSER", "somebody", "on", ">s3cret-w0rd", "~*", "+@all")
    try:
        settled(pipeline)
    finally:
        server.do("ACL", "DELUSER", "somebody")
    assert names(server) == ["one"]


def test_a_redis_that_throws_away_is_told_of(
    server: RedisServer, publish: MakePipeline, caplog: pytest.LogCaptureFixture
):
    """There would be no error when calls vanish."""
    server.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    pipeline = publish(server.url)
    pipeline.track("5", "one")
    settled(pipeline)
    assert any("maxmemory-policy is allkeys-lru" in line for line in said(caplog))


def test_calls_wait_in_a_spool_for_another_process(
    mortal: RedisServer, publish: MakePipeline, tmp_path: object
):
    """And for no pipeline that delivers elsewhere."""
    mortal.kill()
    pipeline = publish(mortal.url, spool=tmp_path)
    pipeline.track("5", "one")
    pipeline.close(0)
    mortal.start()
    other = publish(mortal.url, spool=tmp_path, relay_prefix="another")
    settled(other)
    assert names(mortal) == []
    settled(publish(mortal.url, spool=tmp_path))
    assert names(mortal) == ["one"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_forked_child_publishes_by_itself(server: RedisServer, publish: MakePipeline):
    """By a connection of its own, under a name of its own; the parent's stays as it is."""
    pipeline = publish(server.url)
    pipeline.track("5", "parent")
    settled(pipeline)
    child = os.fork()
    if not child:
        try:
            pipeline.track("5", "child")
            os._exit(0 if pipeline.flush(LONG) else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    pipeline.send(MESSAGE)
    settled(pipeline)
    assert names(server) == ["parent", "child", "send_email"]
    publishers = [entry.publisher for entry in stored(server)]
    assert publishers[0] == publishers[2] != publishers[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_nobody_waits_for_a_connection_that_is_being_made(
    server: RedisServer, publish: MakePipeline
):
    """Neither who closes, nor a child that was forked meanwhile, which makes one of its own."""
    way = server.directory / "way"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(server.directory / "silent"))
        silent.listen()
        silent.settimeout(LONG)
        way.symlink_to("silent")
        pipeline = publish(f"unix://{way}", timeout=LONG)
        pipeline.track("5", "parent")
        opening, _ = silent.accept()
        way.unlink()
        way.symlink_to("s")
        child = os.fork()
        if not child:
            try:
                pipeline.track("5", "child")
                delivered = pipeline.flush(LONG)
                pipeline.close(0)
                os._exit(0 if delivered else 1)
            finally:
                os._exit(2)
        ended: list[tuple[int, int]] = []
        try:
            before = time.monotonic()
            pipeline.close(0)
            assert time.monotonic() - before < LONG / 2
            assert eventually(
                lambda: ended.append(os.waitpid(child, os.WNOHANG)) or ended[-1][0], 2 * LONG
            )
            assert ended[-1][1] == 0
        finally:
            if not ended or not ended[-1][0]:
                os.kill(child, signal.SIGKILL)
            opening.close()
            way.unlink()
    assert names(server) == ["child"]


def test_what_is_sent_is_what_was_logged(server: RedisServer, publish: MakePipeline):
    """Nothing of a call is lost on its way."""
    pipeline = publish(server.url, spool=None)
    seen: list[object] = []
    signals.sent.connect(lambda _, report: seen.append(report.call), weak=False)
    try:
        pipeline.track("5", "bought", {"price": 13.99})
        settled(pipeline)
    finally:
        signals.sent.receivers.clear()
    (call,) = calls(server)
    assert isinstance(call, Track)
    assert (call.name, call.data) == ("bought", {"price": 13.99})
    assert seen == [call]


def test_a_doubt_outlasts_an_attempt_without_a_connection(
    mortal: RedisServer, publish: MakePipeline, heard: Heard, tmp_path: object
):
    """Redis may have had the message before it went; the spool's mark stays for who comes next."""
    with Proxy(mortal) as proxy:
        pipeline = publish(proxy.url, spool=tmp_path)
        proxy.lose_answers(b"EVAL", then=mortal.kill)
        pipeline.send(MESSAGE)
        assert eventually(lambda: proxy.lost)
        assert eventually(lambda: any(one.reason == "no_connection" for one in heard.retries))
        pipeline.close(0)
        mortal.start()
        stats = settled(publish(proxy.url, spool=tmp_path))
    assert (stats.sent, stats.failed_by_reason) == (0, {"ambiguous": 1})
    assert names(mortal).count("send_email") <= 1
