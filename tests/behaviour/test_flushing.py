"""Flushing and closing: they wait as long as they may, tell the truth, and leave nothing open."""

from __future__ import annotations

import inspect
import math
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cio_events import Pipeline, Track, flushing, signals
from cio_events._destinations.customerio import TrackAPI
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import (
    LONG,
    QUICK,
    Heard,
    balanced,
    eventually,
    names,
    said,
    settled,
)
from tests.support import garbage, threads
from tests.support.effort import times
from tests.support.servers import Peer, ScriptedServer, Step, answer, stall

MakePipeline = Callable[..., Pipeline]

# Flushes are given this long; what they took may be a little more, on a loaded machine.
PATIENCE = 0.3


def breaks_off(go: threading.Event) -> Step:
    """Break the connection without an answer, when told to."""

    def step(peer: Peer) -> bool:
        peer.read()
        go.wait(LONG)
        return False

    return step


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What it returned, and how long it took."""
    started = time.monotonic()
    result = call()
    return result, time.monotonic() - started


def test_flush_delivers_and_says_so(make: MakePipeline, sandbox: Sandbox) -> None:
    """It does not wait for the interval."""
    pipeline = make(flush_interval=3600)
    pipeline.send(Track("5", "x"))

    flushed, took = timed(lambda: pipeline.flush(LONG))

    assert flushed
    assert took < LONG / 2
    assert names(sandbox) == ["x"]
    assert balanced(pipeline).sent == 1


def test_flush_of_nothing_is_true_at_once(make: MakePipeline, sandbox: Sandbox) -> None:
    """Also with no time at all, and it starts nothing."""
    pipeline, threads = make(), set(threading.enumerate())

    assert pipeline.flush(0)
    assert threads.issuperset(threading.enumerate())
    assert sandbox.requests == []


def test_flush_without_time_is_false_while_something_is_pending(make: MakePipeline) -> None:
    """It does not claim what it has not waited for."""
    pipeline = make(flush_interval=3600)
    pipeline.send(Track("5", "x"))

    assert not pipeline.flush(0)
    assert pipeline.flush(LONG)


def test_flush_with_endless_patience(make: MakePipeline, sandbox: Sandbox) -> None:
    """Infinity is a timeout."""
    pipeline = make()
    pipeline.send(Track("5", "x"))

    assert pipeline.flush(math.inf)
    assert pipeline.close(math.inf)


def test_flush_waits_for_the_signals(make: MakePipeline) -> None:
    """It is True only after the last receiver has returned."""
    pipeline, returned = make(), []

    def slow(_: object, report: object) -> None:
        time.sleep(PATIENCE)
        returned.append(report)

    with signals.sent.connected_to(slow):
        pipeline.send(Track("5", "x"))
        assert pipeline.flush(LONG)
        assert len(returned) == 1


def test_receiver_that_hangs_makes_flush_false_and_close_returns(make: MakePipeline) -> None:
    """Neither waits longer than it was told to, and what is left is dropped all the same."""
    pipeline, go, here = make(), threading.Event(), threading.Event()

    def hang(_: object, report: object) -> None:
        here.set()
        go.wait(LONG)

    with signals.sent.connected_to(hang):
        pipeline.send(Track("5", "x"))
        assert here.wait(LONG)
        pipeline.send(Track("5", "y"))
        try:
            flushed, flush_took = timed(lambda: pipeline.flush(PATIENCE))
            closed, close_took = timed(lambda: pipeline.close(PATIENCE))
            stats = balanced(pipeline)
        finally:
            go.set()

    assert (flushed, closed) == (False, False)
    assert max(flush_took, close_took) < LONG / 2
    assert (stats.sent, stats.dropped_by_reason, stats.pending) == (1, {"closed": 1}, 0)
    assert eventually(lambda: pipeline.flush(0))


def test_closed_pipeline_leaves_its_spool_to_others(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Its thread, which a receiver has kept busy meanwhile, takes nothing back."""
    closed = Pipeline(**QUICK, track_url=sandbox.url, spool=tmp_path)
    go, here = threading.Event(), threading.Event()

    def hang(_: object, report: object) -> None:
        here.set()
        go.wait(LONG)

    with signals.sent.connected_to(hang):
        closed.track("5", "first")
        assert here.wait(LONG)
        for n in range(3):
            closed.track("5", f"{n}")
        closed._worker._dispatcher.adopt_soon()
        try:
            assert not closed.close(PATIENCE)
        finally:
            go.set()
    assert threads.all_ended([closed]), threads.where_they_are([closed])

    assert settled(make(spool=tmp_path)).sent == 3
    assert names(sandbox) == ["first", "0", "1", "2"]


def test_receiver_that_raises_stops_nothing(make: MakePipeline, sandbox: Sandbox) -> None:
    """Flush is true, and the next call is delivered too."""
    pipeline = make()

    def broken(_: object, report: object) -> None:
        raise RuntimeError("secret")

    with signals.sent.connected_to(broken):
        for name in "abc":
            pipeline.send(Track("5", name))
            assert pipeline.flush(LONG)

    assert names(sandbox) == ["a", "b", "c"]
    assert balanced(pipeline).sent == 3


def test_stalled_server_makes_flush_false_in_time(make: MakePipeline) -> None:
    """What was not answered is pending still, and arrives when it can."""
    go = threading.Event()
    with ScriptedServer([breaks_off(go)]) as server:
        pipeline = make(track_url=server.url, timeout=LONG)
        pipeline.send(Track("5", "x"))
        flushed, took = timed(lambda: pipeline.flush(PATIENCE))

        assert not flushed
        assert took < LONG / 2
        assert balanced(pipeline).pending == 1
        go.set()
        assert settled(pipeline).sent == 1
        assert len(server.requests) == 2


def test_call_that_cannot_be_sent_holds_nothing_up(make: MakePipeline, sandbox: Sandbox) -> None:
    """Too large at the door, poison as a value, refused by Customer.io: all are counted."""
    pipeline = make()
    loop: list[Any] = []
    loop.append(loop)

    assert not pipeline.send(Track("5", "large", {"text": "x" * 100_001}))
    assert pipeline.send(Track("5", "poison", {"loop": loop, "object": object(), "\ud800": 2**99}))
    assert pipeline.send(Track("5", "good"))
    stats = settled(pipeline)

    assert (stats.received, stats.sent, stats.failed_by_reason) == (3, 2, {"too_large": 1})
    assert names(sandbox) == ["poison", "good"]


@pytest.mark.parametrize("fatal", [KeyboardInterrupt, GeneratorExit])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_thread_that_dies_is_replaced(
    make: MakePipeline, sandbox: Sandbox, heard: Heard, fatal: type[BaseException]
) -> None:
    """A receiver that ends the flushing thread loses no call, no report and no count."""
    pipeline, fatally, dying = make(), [fatal], list[threading.Thread]()

    def kill(_: object, report: object) -> None:
        if fatally:
            dying.append(threading.current_thread())
            raise fatally.pop()

    with signals.sent.connected_to(kill):
        for n in range(20):
            pipeline.send(Track("5", f"{n}"))
        stats = settled(pipeline)
        pipeline.send(Track("5", "later"))
        assert settled(pipeline).sent == 21

    for thread in dying:
        thread.join()  # what it says of its end concerns no later test
    assert stats.sent == 20
    assert names(sandbox) == [*map(str, range(20)), "later"]
    assert len(heard.sent) == 21


def test_threads_flush_at_once(make: MakePipeline, sandbox: Sandbox) -> None:
    """Each of them is told the truth about what it has handed in before."""
    pipeline, wrong = make(flush_interval=3600), []

    def work(who: str) -> None:
        for n in range(20):
            pipeline.send(Track(who, f"{who} {n}"))
            if not pipeline.flush(LONG) or f"{who} {n}" not in names(sandbox):
                wrong.append((who, n))

    threads = [threading.Thread(target=work, args=(who,)) for who in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert balanced(pipeline).sent == 80


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_receiver_may_flush_close_and_read(make: MakePipeline, api: str) -> None:
    """On the flushing thread nothing can be waited for, so that they return at once."""
    pipeline, answers = make(api=api), []

    def curious(sender: Pipeline, report: object) -> None:
        answers.append(timed(lambda: sender.flush(LONG)))
        balanced(sender)

    with signals.sent.connected_to(curious):
        for who in "abc":
            pipeline.send(Track(who, "x"))
        assert settled(pipeline).sent == 3

    assert [answer for answer, _ in answers] == [False] * 3
    assert max(took for _, took in answers) < LONG / 2


@pytest.mark.parametrize("signal", ["sent", "failed", "retrying"])
@pytest.mark.parametrize("api", ["v1", "v2"])
def test_receiver_may_close(make: MakePipeline, sandbox: Sandbox, signal: str, api: str) -> None:
    """What waits then is dropped, each call once; those on their way are counted once."""
    pipeline = make(api=api, flush_interval=3600)
    if signal == "failed":
        sandbox.fail_next(400, times=None)
    if signal == "retrying":
        sandbox.fail_next(500, times=None)

    def close(sender: Pipeline, **_: object) -> None:
        sender.close(LONG)
        balanced(sender)

    with getattr(signals, signal).connected_to(close):
        for n in range(40):
            pipeline.send(Track(f"{n % 20}", f"{n}"))
        pipeline.flush(LONG)

    assert eventually(lambda: pipeline.flush(0))
    stats = balanced(pipeline)
    assert pipeline.closed
    assert (stats.received, stats.pending) == (40, 0)
    if signal != "retrying":
        assert stats.sent == len({event.id for event in sandbox.events}) or api == "v1"


def test_expiry_announced_to_a_receiver_that_closes_counts_once(make: MakePipeline) -> None:
    """Each call ends once, also when its end makes somebody end all others."""
    away = answer(503, headers={"Retry-After": "0.5"})
    with ScriptedServer([away] * 20) as server:
        pipeline = make(track_url=server.url, api="v1", max_age=0.2)

        def close(sender: Pipeline, **_: object) -> None:
            sender.close(0)

        with signals.failed.connected_to(close):
            for n in range(20):
                pipeline.send(Track(f"{n}", "x"))
            assert eventually(lambda: pipeline.closed and pipeline.flush(0))

    stats = balanced(pipeline)
    assert (stats.received, stats.pending) == (20, 0)
    assert stats.failed_by_reason.get("expired", 0) > 0


def test_close_delivers_and_takes_nothing_more(make: MakePipeline, sandbox: Sandbox) -> None:
    """What comes later is dropped as closed; closing again changes nothing."""
    pipeline = make(flush_interval=3600)
    pipeline.send(Track("5", "x"))

    assert pipeline.close(LONG)
    assert pipeline.closed
    assert not pipeline.send(Track("5", "late"))
    assert pipeline.close(LONG)
    assert pipeline.flush(0)
    stats = balanced(pipeline)
    assert (stats.sent, stats.dropped_by_reason) == (1, {"closed": 1})
    assert names(sandbox) == ["x"]


def test_close_drops_what_cannot_be_delivered_in_time(
    make: MakePipeline, heard: Heard, caplog: Any
) -> None:
    """Each call has its report, and the request under way changes nothing afterwards."""
    go = threading.Event()
    with ScriptedServer([breaks_off(go)]) as server:
        pipeline = make(track_url=server.url, timeout=LONG)
        pipeline.send(Track("5", "under way"))
        assert eventually(lambda: server.requests)
        pipeline.send(Track("5", "waiting"))
        closed, took = timed(lambda: pipeline.close(PATIENCE))

        assert not closed
        assert took < LONG / 2
        stats = balanced(pipeline)
        assert (stats.dropped_by_reason, stats.pending) == ({"closed": 2}, 0)
        assert [(report.call.name, report.attempts) for report in heard.dropped] == [
            ("under way", 1),
            ("waiting", 0),
        ]
        go.set()
        assert threads.all_ended([pipeline]), threads.where_they_are([pipeline])
        assert pipeline.stats() == stats
        assert len(server.requests) == 1
        assert not [line for line in said(caplog) if "interrupted" in line]


def test_leaving_the_block_closes(make: MakePipeline, sandbox: Sandbox) -> None:
    """Also when it is left by an exception."""
    with make(flush_interval=3600) as pipeline:
        pipeline.send(Track("5", "x"))
    other = make(flush_interval=3600)
    with pytest.raises(ZeroDivisionError), other:
        _ = other.send(Track("5", "y")) / 0

    assert (pipeline.closed, other.closed) == (True, True)
    assert names(sandbox) == ["x", "y"]


@pytest.fixture
def _restless() -> Iterator[None]:
    """Threads that take turns often, so that none logs thousands of calls before the others."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_restless")
def test_nothing_is_pending_forever_when_threads_log_during_a_close(make: MakePipeline) -> None:
    """A call that slips in while the pipeline closes is delivered or dropped, and counted."""
    for _ in range(times(30)):
        pipeline, go = make(), threading.Event()

        def log(pipeline: Pipeline = pipeline, go: threading.Event = go) -> None:
            go.wait()
            while pipeline.send(Track("5", "x")):
                pass

        threads = [threading.Thread(target=log) for _ in range(3)]
        for thread in threads:
            thread.start()
        go.set()
        time.sleep(0.001)
        pipeline.close(LONG)
        for thread in threads:
            thread.join()
        assert balanced(pipeline).pending == 0
        assert pipeline.flush(0)


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_close_leaves_no_thread_and_no_socket(make: MakePipeline, sandbox: Sandbox) -> None:
    """Everything that the pipeline has opened is closed again."""
    before = set(threading.enumerate())
    for api in ("v1", "v2"):
        pipeline = make(api=api)
        for who in "abcdefgh":
            pipeline.send(Track(who, "x"))
        assert pipeline.close(LONG)

    assert eventually(lambda: set(threading.enumerate()) <= before)
    garbage.collect()
    # Connections that were left open would still be answered after the pipeline has gone.
    assert eventually(lambda: all(event.name == "x" for event in sandbox.events))


def test_many_pipelines_one_after_the_other(make: MakePipeline, sandbox: Sandbox) -> None:
    """A pipeline that was closed and forgotten is collected."""
    garbage.collect()
    gone, count = weakref.WeakSet(), times(100)
    for n in range(count):
        with Pipeline(site_id="s", api_key="k", track_url=sandbox.url) as pipeline:
            gone.add(pipeline)
            pipeline.send(Track("5", f"{n}"))
    del pipeline

    def left() -> int:
        garbage.collect()
        return len(gone)

    # The last one's thread may be at its last lines.
    assert eventually(lambda: left() == 0)
    assert len(sandbox.events) == count


def test_delivery_goes_on_after_a_fault_of_ours(
    make: MakePipeline, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """Whatever goes wrong inside, the thread survives, says it once, and tries again."""
    faults = [MemoryError()] * 3
    deliver = TrackAPI.deliver

    def faulty(*args: Any) -> Any:
        if faults:
            raise faults.pop()
        return deliver(*args)

    monkeypatch.setattr(TrackAPI, "deliver", faulty)
    for api in ("v2", "v1"):
        faults[:] = [MemoryError()] * 3
        pipeline = make(api=api)
        for who in "abc":
            pipeline.send(Track(who, "x"))
        assert settled(pipeline).sent == 3

    assert len(sandbox.events) == 6
    assert [line for line in said(caplog) if "MemoryError" in line]


def test_flushing_says_what_is_left(make: MakePipeline, caplog: Any) -> None:
    """The function returns, and the calls stay pending."""
    with ScriptedServer([stall()]) as server:
        pipeline = make(track_url=server.url, flush_interval=3600)
        with flushing(pipeline, timeout=0.1):
            pipeline.send(Track("5", "x"))
        assert pipeline.stats().pending == 1
        pipeline.close(0)

    assert "1 call could not be delivered before the function returned" in "".join(said(caplog))


def test_flushing_has_less_time_than_a_function_of_aws() -> None:
    """Three seconds, unless it is told otherwise."""
    assert 0 < inspect.signature(flushing).parameters["timeout"].default < 3
