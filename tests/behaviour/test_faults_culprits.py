"""Calls that make every request with them fail: they wait alone, and nobody else does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from cio_events import Call, Pipeline, SendPush, Track, TrackAnonymous
from cio_events._delivery.suspects import STRIKES
from tests.behaviour.watching import GUARD, Heard, balanced, eventually, said, settled
from tests.support.effort import combined, times
from tests.support.servers import Peer, Received, ScriptedServer, Step, answer, head

MakePipeline = Callable[..., Pipeline]
each_api = pytest.mark.parametrize("api", ["v1", "v2"])
each_buffer = pytest.mark.parametrize("spooled", [False, True], ids=["memory", "spool"])

# Quick enough to see many attempts, slow enough to count them.
PACE: dict[str, Any] = {"retry_base": 0.02, "retry_cap": 0.05, "hold_interval": 0.05}

RECEIPT = b'{"delivery_id":"x","queued_at":5}'


def fails_for(*poison: bytes, by: Callable[[Peer], bool]) -> Step:
    """Fail any request that holds one of *poison*, and take all others."""

    def step(peer: Peer) -> bool:
        request = peer.read()
        if any(word in request.body or word in request.target.encode() for word in poison):
            return by(peer)
        body = RECEIPT if request.target.startswith("/v1/send") else b"{}"
        peer.send(head(200, len(body)) + body)
        return True

    return step


def status(code: int) -> Callable[[Peer], bool]:
    """Answer with that status."""

    def by(peer: Peer) -> bool:
        peer.send(head(code, 2) + b"no")
        return True

    return by


def breaking(peer: Peer) -> bool:
    """Break the connection."""
    peer.reset()
    return False


def stalling(peer: Peer) -> bool:
    """Never answer."""
    peer.stall()
    return False


def failed_together(requests: list[Received]) -> list[Received]:
    """Those that failed and held others too; what a culprit tries alone holds up nobody."""
    return [r for r in requests if b"poison" in r.body and r.body.count(b'"identifiers"') > 1]


def directory(spooled: bool, tmp_path: Any) -> str | None:
    """Where calls wait."""
    return str(tmp_path / "spool") if spooled else None


BY = {"500": status(500), "403": status(403), "408": status(408), "reset": breaking}


@pytest.mark.parametrize(
    ("how", "place", "api", "buffer"),
    combined(list(BY), [0, 15, 23], ["v1", "v2"], ["memory", "spool"]),
)
def test_one_culprit_stops_nobody_else(
    make: MakePipeline,
    heard: Heard,
    tmp_path: Any,
    how: str,
    place: int,
    api: str,
    buffer: str,
) -> None:
    """All others arrive, in order; the culprit waits, and goes once the server takes it."""
    step = fails_for(b"poison", by=BY[how])
    with ScriptedServer([step] * 10_000) as server:
        spool = directory(buffer == "spool", tmp_path)
        pipeline = make(track_url=server.url, api=api, flush_interval=3600, spool=spool, **PACE)
        for n in range(24):
            pipeline.track(f"{n % 8}", "poison" if n == place else f"{n}")
        behind = len(range(place, 24, 8))
        pipeline.flush(0)
        assert eventually(lambda: balanced(pipeline).pending == behind)
        count = len(server.requests)
        server.forgive()
        stats = settled(pipeline)

    assert (stats.sent, stats.failed, stats.dropped) == (24, 0, 0)
    names = [report.call.name for report in heard.sent]
    assert len(set(names)) == 24
    for who in range(8):
        expected = ["poison" if n == place else f"{n}" for n in range(24) if n % 8 == who]
        assert [name for name in names if name in expected] == expected
    if api == "v2" and how != "reset":  # of which each is sent twice, on a kept connection
        assert len(failed_together(server.requests[:count])) <= STRIKES + 2 * math.log2(24)


@each_api
def test_culprit_is_given_up_at_its_age(
    make: MakePipeline, heard: Heard, api: str, later: Callable[[float], None]
) -> None:
    """As any call that cannot be delivered; then those behind it go."""
    with ScriptedServer([fails_for(b"poison", by=status(500))] * 10_000) as server:
        pipeline = make(track_url=server.url, api=api, max_age=60, **PACE)
        pipeline.track("5", "poison")
        for n in range(20):
            pipeline.track(f"{n}", f"{n}")
        assert eventually(lambda: balanced(pipeline).sent == 19)
        later(90)
        assert eventually(lambda: balanced(pipeline).failed)
        stats = settled(pipeline)

    assert stats.failed_by_reason["expired"] >= 1
    assert "poison" in {report.call.name for report in heard.failed}


def test_several_culprits_stop_nobody_else(make: MakePipeline, heard: Heard) -> None:
    """Wherever they are: in one batch, in the next ones, one behind the other."""
    bad = {0, 1, 50, 51, 300, 420, 499}
    with ScriptedServer([fails_for(b"poison", by=status(500))] * 10_000) as server:
        pipeline = make(track_url=server.url, flush_interval=3600, **PACE)
        for n in range(500):
            pipeline.track(f"{n}", "poison" if n in bad else f"{n}", {"pad": "x" * 2_000})
        pipeline.flush(0)
        # However slow the machine is: what counts is how many requests it takes.
        assert eventually(lambda: balanced(pipeline).pending == len(bad), GUARD)
        together = len(failed_together(server.requests))
        server.forgive()
        assert settled(pipeline).sent == 500

    # Three batches, and a search for each culprit; where those of two batches fail one behind the
    # other, it may be the server once more, and each has one attempt more.
    assert together <= 3 * STRIKES + len(bad) * 2 * math.log2(500)
    assert {report.call.name for report in heard.sent} == {
        "poison" if n in bad else f"{n}" for n in range(500)
    }


@each_api
def test_culprits_that_came_first_do_not_keep_others_from_being_tried(
    make: MakePipeline, api: str
) -> None:
    """Nothing has passed since, so that each might blame the server for the other."""
    with ScriptedServer([fails_for(b"poison", by=status(500))] * 10_000) as server:
        pipeline = make(track_url=server.url, api=api, **PACE)
        for who in ("5", "6"):
            pipeline.track(who, "poison")
        assert eventually(lambda: len(server.requests) >= 4)
        for n in range(10, 20):
            pipeline.track(f"{n}", "x")
        assert eventually(lambda: balanced(pipeline).sent == 10)


def test_culprit_among_one_customers_calls(make: MakePipeline, heard: Heard) -> None:
    """What came before it arrives, what came behind it waits."""
    with ScriptedServer([fails_for(b"poison", by=status(500))] * 10_000) as server:
        pipeline = make(track_url=server.url, flush_interval=3600, **PACE)
        for n in range(100):
            pipeline.track("5", "poison" if n == 60 else f"{n}")
        pipeline.flush(0)
        assert eventually(lambda: balanced(pipeline).pending == 40)
        server.forgive()
        assert settled(pipeline).sent == 100

    assert [report.call.name for report in heard.sent] == [
        "poison" if n == 60 else f"{n}" for n in range(100)
    ]


def test_of_two_that_fail_together_the_good_one_passes_soon(make: MakePipeline) -> None:
    """Though nothing has ever passed: each is tried alone in turn, and none by chance again."""
    for _ in range(times(8)):
        with ScriptedServer([fails_for(b"poison", by=status(500))] * 100) as server:
            pipeline = make(track_url=server.url, flush_interval=3600, **PACE)
            pipeline.track("5", "poison")
            pipeline.track("6", "x")
            pipeline.flush(0)
            assert eventually(lambda pipeline=pipeline: balanced(pipeline).sent == 1)
            bodies = [request.body for request in server.requests]
        passed = next(n for n, body in enumerate(bodies) if b"poison" not in body)
        # Together as long as it may be the server, then one, then the other.
        assert passed <= 6


def test_calls_that_come_later_are_not_held_up(make: MakePipeline) -> None:
    """A culprit waits for long by then, and those who come are sent at once."""
    with ScriptedServer([fails_for(b"poison", by=status(500))] * 10_000) as server:
        pipeline = make(track_url=server.url, retry_base=0.02, retry_cap=30.0)
        pipeline.track("5", "poison")
        pipeline.track("6", "x")
        assert eventually(lambda: balanced(pipeline).sent == 1)
        for n in range(20):
            pipeline.track("6", f"{n}")
            assert eventually(lambda sent=n + 2: balanced(pipeline).sent == sent)
        pipeline.track("5", "behind")
        assert balanced(pipeline).pending == 2


@pytest.mark.parametrize("code", [500, 403])
def test_server_that_fails_for_all_is_asked_no_more_often(
    make: MakePipeline, heard: Heard, code: int
) -> None:
    """Nothing passes: there is one request for each pause, and nothing is lost."""
    with ScriptedServer([answer(code)] * 100_000) as server:
        pipeline = make(track_url=server.url, flush_interval=3600, retry_base=0.05, retry_cap=0.05)
        for n in range(150):
            pipeline.track(f"{n}", f"{n}", {"pad": "x" * 10_000})
        pipeline.flush(0)
        assert eventually(lambda: len(server.requests) >= 20)
        assert len(server.requests) <= len(heard.retries) + 1
        assert sum(retry.delay for retry in heard.retries) >= 0.05 * (len(heard.retries) - 1)
        server.forgive()
        count = len(server.requests)
        assert settled(pipeline).sent == 150
        # Four batches; who was tried in part has two or three requests.
        assert len(server.requests) - count <= 12

    assert {report.call.name for report in heard.sent} == {str(n) for n in range(150)}


def test_slow_line_gets_smaller_batches(make: MakePipeline, heard: Heard) -> None:
    """After a timeout the next batch is half as large, and larger again as requests pass."""

    def slow(peer: Peer) -> bool:
        size = len(peer.read().body)
        if size > 100_000:
            return stalling(peer)
        peer.send(head(200, 2) + b"{}")
        return True

    with ScriptedServer([slow] * 10_000) as server:
        pipeline = make(track_url=server.url, timeout=0.3, flush_interval=3600, **PACE)
        for n in range(1_000):
            pipeline.track(f"{n % 50}", f"{n}", {"pad": "x" * 1_000})
        stats = settled(pipeline)
        sizes = [len(request.body) for request in server.requests]

    assert stats.sent == 1_000
    assert sizes[:2] == sorted(sizes[:2], reverse=True)
    assert sizes[1] < sizes[0] * 0.6
    names = [report.call.name for report in heard.sent]
    for who in range(50):
        own = [name for name in names if int(name) % 50 == who]
        assert own == [str(n) for n in range(who, 1_000, 50)]


def test_call_under_which_the_server_stalls_stops_nobody(make: MakePipeline) -> None:
    """It takes some timeouts to find, and then waits alone."""
    with ScriptedServer([fails_for(b"poison", by=stalling)] * 10_000) as server:
        pipeline = make(track_url=server.url, timeout=0.2, flush_interval=3600, **PACE)
        for n in range(60):
            pipeline.track(f"{n}", "poison" if n == 31 else f"{n}")
        pipeline.flush(0)
        assert eventually(lambda: balanced(pipeline).pending == 1)


# Messages.


def push(who: str, text: str) -> Call:
    """A message."""
    return SendPush(transactional_message_id=1, identifiers=who, title=text)


@each_buffer
def test_forbidden_message_is_rejected_once_another_passes(
    make: MakePipeline, heard: Heard, tmp_path: Any, spooled: bool
) -> None:
    """It steps aside at once; what the server said is in its report."""

    def forbidden(peer: Peer) -> bool:
        body = b'{"meta":{"error":"SMS is not enabled"}}'
        peer.send(head(403, len(body)) + body)
        return True

    with ScriptedServer([fails_for(b"poison", by=forbidden)] * 100) as server:
        spool = directory(spooled, tmp_path)
        pipeline = make(app_url=server.url, hold_interval=60.0, spool=spool)
        pipeline.send(push("5", "poison"))
        assert eventually(lambda: heard.retries)
        assert balanced(pipeline).pending == 1
        started = time.monotonic()
        for n in range(10):
            pipeline.send(push(f"{n}", "hello"))
        assert eventually(lambda: not balanced(pipeline).pending)
        assert time.monotonic() - started < 30
        count = len(server.requests)

    stats = balanced(pipeline)
    assert (stats.sent, stats.failed_by_reason) == (10, {"rejected": 1})
    assert count == 11
    (report,) = heard.failed
    assert (report.status, report.detail) == (403, "SMS is not enabled")
    if spooled:
        assert [dead.reason for dead in pipeline.failures()] == ["rejected"]


def test_account_that_is_forbidden_all_messages_holds_them(
    make: MakePipeline, heard: Heard, caplog: Any
) -> None:
    """None is rejected, few requests are made, and one line says so."""
    with ScriptedServer([answer(403)] * 100_000) as server:
        pipeline = make(app_url=server.url, hold_interval=0.2)
        for n in range(50):
            pipeline.send(push(f"{n}", "hello"))
        assert eventually(lambda: len(server.requests) > 10)
        stats = balanced(pipeline)
        assert (stats.pending, stats.failed) == (50, 0)
        assert {retry.reason for retry in heard.retries} == {"held"}
        pipeline.close(0)

    assert len([line for line in said(caplog) if "403" in line]) == 1


# Beside each other.


def test_events_and_messages_that_alternate_share_batches(make: MakePipeline) -> None:
    """Each purchase with its receipt, of one customer after the other."""
    with ScriptedServer([fails_for(by=status(500))] * 1_000) as server:
        pipeline = make(track_url=server.url, app_url=server.url, flush_interval=3600)
        for n in range(60):
            pipeline.track(f"{n}", "bought")
            pipeline.send(push(f"{n}", "your receipt"))
        assert settled(pipeline).sent == 120
        batches = [r for r in server.requests if r.target.startswith("/api/v2")]

    assert len(batches) == 1


def test_purchase_is_not_held_up_by_anonymous_events(make: MakePipeline) -> None:
    """They go by v1, several at once, and the batch goes beside them."""

    def slow(peer: Peer) -> bool:
        target = peer.read().target
        if target == "/api/v1/events" and peer.server.closing.wait(0.02):
            return False
        peer.send(head(200, 2) + b"{}")
        return True

    with ScriptedServer([slow] * 1_000) as server:
        pipeline = make(track_url=server.url, flush_interval=3600)
        for n in range(90):
            pipeline.send(TrackAnonymous(f"{n}", "looked"))
        pipeline.send(Track("5", "bought"))
        assert settled(pipeline).sent == 91
        targets = [request.target for request in server.requests]

    assert targets.index("/api/v2/batch") < 40


def test_single_call_under_which_the_server_stalls_stops_no_batch(make: MakePipeline) -> None:
    """A v1 call waits for its timeout; batches leave meanwhile."""
    with ScriptedServer([fails_for(b"poison", by=stalling)] * 1_000) as server:
        pipeline = make(track_url=server.url, timeout=10.0)
        pipeline.send(TrackAnonymous("a", "poison"))
        assert eventually(lambda: server.requests)
        for n in range(5):
            pipeline.track("5", f"{n}")
            assert eventually(lambda sent=n + 1: balanced(pipeline).sent == sent)
