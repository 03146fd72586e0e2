"""Receivers of signals: they may raise, exit, log, send, flush and leave, and nobody suffers."""

from __future__ import annotations

import io
import logging
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from cio_events import (
    CustomerIOHandler,
    CustomerIOProcessor,
    Pipeline,
    Report,
    Track,
    signals,
)
from cio_events._delivery import outcomes
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import LONG, Heard, balanced, eventually, names, said, settled
from tests.support import garbage
from tests.support.servers import ScriptedServer, answer, reset, stall

MakePipeline = Callable[..., Pipeline]


def test_receiver_that_raises_starves_nobody(
    make: MakePipeline, heard: Heard, caplog: Any
) -> None:
    """The others are told, the next calls are sent, and it is said once, without its words."""
    pipeline = make()

    def broken(_: object, **__: object) -> None:
        raise RuntimeError("secret")

    with signals.sent.connected_to(broken), signals.failed.connected_to(broken):
        for n in range(3):
            pipeline.track("5", f"{n}")
            pipeline.track("5", "")
            settled(pipeline)

    assert (len(heard.sent), len(heard.failed)) == (3, 3)
    assert not any("secret" in line for line in said(caplog))


def test_receiver_that_exits_does_not_end_the_thread(make: MakePipeline, heard: Heard) -> None:
    """`sys.exit()` in a receiver is a mistake like others."""
    pipeline = make()

    def leaving(_: object, report: Report) -> None:
        raise SystemExit(3)

    with signals.sent.connected_to(leaving):
        for n in range(3):
            pipeline.track("5", f"{n}")
            settled(pipeline)

    assert len(heard.sent) == 3


@pytest.mark.parametrize("signal", ["sent", "failed", "dropped", "retrying"])
def test_tagged_record_of_a_receiver_is_not_taken(
    make: MakePipeline, sandbox: Sandbox, signal: str
) -> None:
    """It would never end. The line is logged all the same."""
    pipeline = make()
    logger = logging.getLogger(f"tests.receiver.{signal}")
    lines: list[str] = []
    logger.addHandler(CustomerIOHandler(pipeline))
    watching = logging.Handler()
    watching.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(watching)
    log = structlog.wrap_logger(
        structlog.PrintLogger(io.StringIO()),
        processors=[CustomerIOProcessor(pipeline), structlog.processors.JSONRenderer()],
    )

    def logs(_: object, **__: object) -> None:
        logger.warning("told", extra={"cio_customer": "5"})
        log.info("told", cio_customer="5")

    with getattr(signals, signal).connected_to(logs):
        if signal == "failed":
            pipeline.track("5", "")
        if signal == "retrying":
            sandbox.fail_next(500)
        pipeline.track("5", "x")
        settled(pipeline)
        if signal == "dropped":
            pipeline.close()
            pipeline.track("5", "late")

    assert names(sandbox) == ["x"]
    assert lines == ["told"]
    logger.handlers.clear()


def test_receiver_may_send(make: MakePipeline, sandbox: Sandbox) -> None:
    """A call handed in by a receiver is delivered like any other."""
    pipeline = make(flush_interval=3600)

    def follow_up(sender: Pipeline, report: Report) -> None:
        if isinstance(report.call, Track) and report.call.name == "x":
            sender.track("5", "y")

    with signals.sent.connected_to(follow_up):
        pipeline.track("5", "x")
        assert settled(pipeline).sent == 2

    assert names(sandbox) == ["x", "y"]


def test_receiver_of_what_was_dropped_may_flush(make: MakePipeline) -> None:
    """Where a close announces, nothing can be waited for."""
    with ScriptedServer([stall()]) as server:
        pipeline = make(track_url=server.url, flush_interval=3600, timeout=LONG)
        for n in range(50):
            pipeline.track("5", f"{n}")
        assert not pipeline.flush(0)
        assert eventually(lambda: server.requests)
        answers: list[bool] = []

        def flush(sender: Pipeline, report: Report) -> None:
            answers.append(sender.flush(LONG))

        started = time.monotonic()
        with signals.dropped.connected_to(flush):
            pipeline.close(0)

    assert answers == [False] * 50
    assert time.monotonic() - started < LONG / 2
    assert pipeline.flush(0)


def test_receiver_may_disconnect_itself(make: MakePipeline) -> None:
    """While it is told."""
    pipeline, told = make(), []

    def once(_: object, report: Report) -> None:
        told.append(report)
        signals.sent.disconnect(once)

    signals.sent.connect(once)
    for n in range(3):
        pipeline.track("5", f"{n}")
        settled(pipeline)

    assert len(told) == 1


def test_weak_receiver_that_has_gone_is_nobody(make: MakePipeline) -> None:
    """As everywhere with blinker."""
    pipeline = make()

    class Listener:
        def receive(self, _: object, report: Report) -> None:
            raise AssertionError

    listener = Listener()
    signals.sent.connect(listener.receive)
    del listener
    garbage.collect()
    pipeline.track("5", "x")

    assert settled(pipeline).sent == 1


def test_muted_signal_is_not_waited_for(make: MakePipeline) -> None:
    """Blinker's own way to have peace."""
    pipeline, told = make(), []

    def receive(_: object, report: Report) -> None:
        told.append(report)

    with signals.sent.connected_to(receive), signals.sent.muted():
        pipeline.track("5", "x")
        assert settled(pipeline).sent == 1

    assert told == []


def test_nothing_is_made_again_when_nobody_listens(
    make: MakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports cost nothing until somebody wants them, and of this pipeline; a line costs one."""
    made: list[object] = []
    original = outcomes.remade
    monkeypatch.setattr(outcomes, "remade", lambda e: made.append(e) or original(e))
    pipeline, other = make(), make()

    def receive(_: object, **__: object) -> None:
        """Listen to the other pipeline."""

    with signals.sent.connected_to(receive, sender=other), ScriptedServer([answer(400)]) as server:
        pipeline.track("5", "x")
        settled(pipeline)
        refused = make(track_url=server.url)
        refused.track("5", "x")
        settled(refused)
        assert len(made) == 1  # for the line that tells which call was refused
        made.clear()
        closed = make(track_url=server.url, flush_interval=3600)
        closed.track("5", "x")
        closed.close(0)
        assert made == []
        other.track("5", "x")
        settled(other)

    assert len(made) == 1


def test_no_call_object_is_kept(make: MakePipeline) -> None:
    """What waits is bytes; the application's values are let go of."""

    class Value(dict):
        """A dictionary that can be watched."""

    with ScriptedServer([reset()] * 100) as server:
        pipeline = make(track_url=server.url, retry_base=3600, retry_cap=3600)
        value = Value(a=1)
        gone = weakref.ref(value)
        pipeline.track("5", "x", {"value": value})
        del value
        garbage.collect()

        assert gone() is None
        assert balanced(pipeline).pending == 1
