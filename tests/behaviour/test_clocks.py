"""Clocks that tests replace stop nothing: who waits waits by the one that really runs."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from cio_events import Pipeline
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import LONG, balanced, names
from tests.support.servers import ScriptedServer, stall

MakePipeline = Callable[..., Pipeline]


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """As freezegun and its like replace them."""
    now = time.time()
    for name, value in (
        *(("time", now), ("time_ns", int(now * 1e9))),
        *(("monotonic", 5.0), ("monotonic_ns", 5 * 10**9)),
        *(("perf_counter", 5.0), ("perf_counter_ns", 5 * 10**9)),
    ):
        monkeypatch.setattr(time, name, lambda value=value: value)


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_calls_are_delivered_though_no_clock_runs(
    make: MakePipeline, sandbox: Sandbox, api: str
) -> None:
    """Without a flush, with one, and by a close."""
    pipeline = make(api=api)
    pipeline.track("5", "alone")
    while names(sandbox) != ["alone"]:
        time.sleep(0.003)
    pipeline.track("5", "flushed")
    assert pipeline.flush(LONG)
    pipeline.track("5", "closed")
    assert pipeline.close(LONG)

    assert names(sandbox) == ["alone", "flushed", "closed"]


def test_flush_has_an_end_though_no_clock_runs(make: MakePipeline) -> None:
    """And so has the request that it waited for."""
    with ScriptedServer([stall()]) as server:
        pipeline = make(track_url=server.url, timeout=0.5)
        pipeline.track("5", "x")
        assert pipeline.flush(0.1) is False
        assert pipeline.flush(LONG)

    assert balanced(pipeline).sent == 1
