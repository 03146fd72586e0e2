"""A spool beneath a pipeline: whose calls it delivers, and when that is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cio_events import Pipeline
from cio_events._buffers.spool import backlog
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import balanced, eventually, names, settled

MakePipeline = Callable[..., Pipeline]


def leave(directory: Path, *events: str) -> None:
    """Leave events in the spool, as processes that are gone do: each in a file of its own."""
    for name in events:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Pipeline, "flush", lambda *_: False)
            options: dict[str, Any] = {"track_url": "http://127.0.0.1:9", "flush_interval": 3600}
            gone = Pipeline(site_id="s", api_key="k", spool=directory, **options)
            gone.track("5", name)
            gone.close(0)


def test_flush_is_not_done_while_more_is_left(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More files than are adopted at a time are delivered before it returns, in order."""
    monkeypatch.setattr(backlog, "_ADOPT_MOST", 2)
    events = [f"event {number}" for number in range(7)]
    leave(tmp_path, *events)
    assert len(list(tmp_path.glob("*.spool"))) == 7

    assert settled(make(spool=tmp_path)).sent == 7
    assert names(sandbox) == events
    assert list(tmp_path.glob("*.spool")) == []


@pytest.mark.parametrize("idle", [{"site_id": None, "app_api_key": None}, {"enabled": False}])
def test_pipeline_that_cannot_deliver_leaves_the_backlog_to_others(
    make: MakePipeline, sandbox: Sandbox, tmp_path: Path, idle: dict[str, Any]
) -> None:
    """It adopts nothing, and is not busy with it either."""
    leave(tmp_path, "left")
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
    leave(tmp_path, *[f"event {number}" for number in range(9)])
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
