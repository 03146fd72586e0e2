"""A spool beneath a pipeline: whose calls it delivers, and when that is done."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cio_events import (
    Call,
    DeleteDevice,
    Identify,
    Pipeline,
    SendEmail,
    Track,
    TrackAnonymous,
)
from cio_events._buffers.spool import backlog, file, too_old
from cio_events._buffers.workspace import NOBODYS
from cio_events._calls.ulid import new_id
from cio_events._delivery import dispatcher
from cio_events._delivery.worker import Worker
from cio_events._wire.encode import encode
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import GUARD, LONG, QUICK, balanced, eventually, names, settled
from tests.support import garbage
from tests.support.spools import opened

MakePipeline = Callable[..., Pipeline]


def leave(directory: Path, url: str, *events: str) -> None:
    """Leave events in the spool, as processes that are gone do: each in a file of its own."""
    for name in events:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Worker, "_start", lambda _: None)
            patched.setattr(Pipeline, "flush", lambda *_: False)
            options: dict[str, Any] = {"track_url": url}
            gone = Pipeline(**QUICK, spool=directory, **options)
            gone.track("5", name)
            gone.close(0)


def test_flush_is_not_done_while_more_is_left(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More files than are adopted at a time are delivered before it returns, in order."""
    monkeypatch.setattr(backlog, "_ADOPT_MOST", 2)
    events = [f"event {number}" for number in range(7)]
    leave(tmp_path, sandbox.url, *events)
    assert len(list(tmp_path.glob("*.spool"))) == 7

    assert settled(make(spool=tmp_path)).sent == 7
    assert names(sandbox) == events
    assert list(tmp_path.glob("*.spool")) == []


@pytest.mark.parametrize("idle", [{"site_id": None, "app_api_key": None}, {"enabled": False}])
def test_pipeline_that_cannot_deliver_leaves_the_backlog_to_others(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path, idle: dict[str, Any]
) -> None:
    """It adopts nothing, and is not busy with it either."""
    leave(tmp_path, sandbox.url, "left")
    useless = make(spool=tmp_path, **idle)
    useless.track("5", "dropped")

    assert useless.flush(0.2)
    stats = balanced(useless)
    assert (stats.received, stats.dropped) == (1, 1)
    assert settled(make(spool=tmp_path)).sent == 1
    assert names(sandbox) == ["left"]


@pytest.mark.parametrize("bound", [{"max_pending": 2}, {"max_pending_bytes": 700}])
def test_backlog_of_others_takes_no_room(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path, bound: dict[str, Any]
) -> None:
    """The bounds are about what this process takes, before and after the backlog has left."""
    leave(tmp_path, sandbox.url, *[f"event {number}" for number in range(9)])
    sandbox.fail_next(503, times=None)
    pipeline = make(spool=tmp_path, **bound)
    assert eventually(lambda: pipeline.stats().received == 9)

    assert pipeline.track("5", "first")
    assert pipeline.track("5", "second")
    assert not all(pipeline.track("5", "more") for _ in range(3))
    assert balanced(pipeline).dropped_by_reason == {"full": balanced(pipeline).dropped}

    sandbox.heal()
    assert settled(pipeline).sent >= 11
    assert eventually(lambda: pipeline._buffer.adopted == (0, 0))
    assert pipeline._ledger._most == pipeline.options.max_pending
    assert pipeline._ledger._most_bytes == pipeline.options.max_pending_bytes


@pytest.mark.parametrize(
    ("app_api_key", "bound"), [(None, 0.25), ("key", 3.0)], ids=["Track alone", "messages too"]
)
def test_what_waits_on_the_disk_takes_little_memory(
    make: MakePipeline,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    app_api_key: str | None,
    bound: float,
) -> None:
    """Once sending was tried too: what cannot be sent is not taken, but to look for messages."""
    monkeypatch.setattr(file, "_FRESH_MOST", 100)
    sandbox.fail_next(503, times=None)
    pipeline = make(spool=tmp_path, app_api_key=app_api_key, retry_base=3600, retry_cap=3600)
    for flight in pipeline._worker._dispatcher.flights:
        flight.sharing = replace(flight.sharing, enough=100)
    pipeline.track("5", "first")
    assert eventually(lambda: sandbox.requests)
    garbage.collect()
    tracemalloc.start()
    try:
        for number in range(3_000):
            pipeline.track("5", "purchase", {"number": number})
        assert not pipeline.flush(0.5)
        garbage.collect()
        memory, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert pipeline.stats().pending == 3_001
    assert memory / pipeline._ledger.pending_bytes < bound
    sandbox.heal()
    assert pipeline.flush(GUARD)
    assert balanced(pipeline).sent == 3_001


# What is refused at the door.

LARGE = {"text": "x" * 100_000}


@pytest.mark.parametrize(
    "call",
    [
        Track("5", "x", LARGE),
        TrackAnonymous("5", "x", LARGE),
        Identify("5", LARGE),
        DeleteDevice("5", "x" * 40_000),
    ],
    ids=lambda call: type(call).__name__,
)
def test_call_that_is_refused_at_the_door_is_a_dead_letter(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path, call: Call
) -> None:
    """It can be looked at as every other that has failed."""
    pipeline = make(spool=tmp_path)
    id_, reason = pipeline.accept(call)

    (letter,) = pipeline.failures()
    assert (letter.id, letter.reason, letter.status) == (id_, "too_large", None)
    assert "bytes" in (letter.detail or "")
    for name in ("customer", "name", "data", "attributes", "device_id"):
        assert getattr(letter.call, name, None) == getattr(call, name, None)
    assert reason == "too_large"
    assert sandbox.requests == []


def test_message_that_is_refused_at_the_door_and_too_long_to_keep_is_none(
    make: MakePipeline, tmp_path: Path
) -> None:
    """What is written of a refused call has a bound, as all that a spool holds."""
    pipeline = make(spool=tmp_path)
    assert not pipeline.send(
        SendEmail(
            transactional_message_id=1,
            identifiers="5",
            to="lucy@example.com",
            message_data={"text": "x" * 5_000_000},
        )
    )

    assert balanced(pipeline).failed_by_reason == {"too_large": 1}
    assert list(pipeline.failures()) == []


@pytest.mark.parametrize("end", ["wait", "close"])
def test_dead_letter_of_the_door_is_written_without_anybody_asking(
    make: MakePipeline, tmp_path: Path, end: str
) -> None:
    """By the flushing thread before long, and at the latest as the pipeline closes."""
    pipeline = make(spool=tmp_path)
    pipeline.track("5", "x", LARGE)
    if end == "close":
        pipeline.close()
    other = make(spool=tmp_path)

    assert eventually(lambda: [one.reason for one in other.failures()] == ["too_large"])


@pytest.mark.parametrize(("size", "reason"), [(100_000, "rejected"), (200_000, "too_large")])
def test_dead_letter_of_the_door_that_is_sent_again_fails_again(
    make: MakePipeline, tmp_path: Path, size: int, reason: str
) -> None:
    """It has not become smaller: Customer.io refuses it, where it can be put into a request."""
    pipeline = make(spool=tmp_path)
    pipeline.track("5", "x", {"text": "x" * size})
    (before,) = pipeline.failures()
    assert pipeline.resend() == 1
    settled(pipeline)

    (after,) = pipeline.failures()
    assert (after.id, after.reason) == (before.id, reason)


def test_refused_calls_that_no_disk_takes_do_not_fill_the_memory(
    make: MakePipeline, tmp_path: Path
) -> None:
    """What waits to be written has a bound."""
    pipeline = make(spool=tmp_path)
    with pipeline._buffer._turn:  # somebody is busy with the disk
        for _ in range(100):
            pipeline.track("5", "x", {"text": "x" * 300_000})
        waiting = pipeline._buffer._dead_letters._waiting
        assert sum(len(envelope) for envelope, _ in waiting) <= 16 * 1024 * 1024

    assert balanced(pipeline).failed_by_reason == {"too_large": 100}
    assert 0 < len(list(pipeline.failures())) < 100


def test_flush_is_not_done_after_a_close_that_left_calls(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path
) -> None:
    """They are pending still, in the spool."""
    sandbox.fail_next(503, times=None)
    pipeline = Pipeline(**{**QUICK, "track_url": sandbox.url, "spool": tmp_path})
    pipeline.track("5", "left")
    assert not pipeline.close(0.05)

    assert not pipeline.flush(0.05)
    sandbox.heal()
    assert settled(make(spool=tmp_path)).sent == 1


# A clock that is wrong.

AHEAD = 5 * 86_400.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """By how many seconds the clock on the wall is wrong."""
    wrong, real, real_ns = [0.0], time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real() + wrong[0])
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(wrong[0] * 1e9))
    monkeypatch.setattr(dispatcher, "ADOPT_INTERVAL", 0.05)
    return wrong


def test_clock_that_is_ahead_at_the_start_expires_no_backlog(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path, clock: list[float]
) -> None:
    """The backlog waits until the clock is right again; what is new does not wait for it."""
    leave(tmp_path, sandbox.url, "left", "left too")
    clock[0] = AHEAD
    pipeline = make(spool=tmp_path)
    pipeline.track("5", "new")
    assert settled(pipeline).sent == 1
    clock[0] = 0.0

    assert eventually(lambda: balanced(pipeline).sent == 3)
    assert balanced(pipeline).failed == 0
    assert names(sandbox) == ["new", "left", "left too"]


def test_backlog_that_is_too_old_for_long_expires(
    make: MakePipeline,
    sandbox: Sandbox,
    tmp_path: Path,
    clock: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clock that says the same for a while is believed."""
    monkeypatch.setattr(too_old, "CLOCK_SECONDS", 0.1)
    leave(tmp_path, sandbox.url, "left")
    clock[0] = AHEAD
    pipeline = make(spool=tmp_path)
    pipeline.track("5", "new")

    assert eventually(lambda: balanced(pipeline).failed_by_reason == {"expired": 1})
    assert eventually(lambda: names(sandbox) == ["new"])
    assert list(tmp_path.glob("*.spool")) == [] or pipeline.close(LONG)


def test_clock_that_is_ahead_for_a_moment_expires_nothing_that_is_adopted_then(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path, clock: list[float]
) -> None:
    """A process that runs goes by its own clock."""
    pipeline = make(spool=tmp_path)
    pipeline.track("5", "first")
    assert settled(pipeline).sent == 1
    clock[0] = AHEAD
    leave(tmp_path, sandbox.url, "left ahead")
    clock[0] = 0.0
    leave(tmp_path, sandbox.url, "left")
    clock[0] = AHEAD
    pipeline.track("5", "new")
    assert eventually(lambda: balanced(pipeline).sent >= 3)
    clock[0] = 0.0

    assert eventually(lambda: balanced(pipeline).sent == 4)
    assert balanced(pipeline).failed == 0


@pytest.mark.parametrize("count", [1, 1500], ids=["one", "many"])
def test_backlog_that_is_too_old_is_not_sent(
    make: MakePipeline,
    sandbox: Sandbox,
    tmp_path: Path,
    count: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither a message nor an event that is over `max_age` goes out, the first one neither."""
    # Which has the clock believed at once.
    monkeypatch.setattr(too_old.TooOld, "is_seen", lambda *_: False)
    now = time.time_ns() // 1_000_000
    spool = opened(tmp_path, workspace=NOBODYS)
    message = SendEmail(transactional_message_id=1, identifiers="5", to="a@example.com")
    for number in range(count):
        for call in (Track("5", "old"), message):
            spool.put(encode(call, new_id(now - 20_000 + number), now - 20_000, "v2"))
    spool.close()
    pipeline = make(spool=tmp_path, max_age=10.0, app_url=sandbox.url)
    pipeline.track("6", "new")

    stats = settled(pipeline)
    assert (stats.sent, stats.failed_by_reason) == (1, {"expired": 2 * count})
    assert names(sandbox) == ["new"]
    assert len(sandbox.requests) == 1
