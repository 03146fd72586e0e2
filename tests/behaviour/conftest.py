"""
Pipelines to the sandbox whose ledgers must balance in the end, what their signals tell, and time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from cio_events import Pipeline
from cio_events._delivery import dispatcher, worker
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import QUICK, Heard, balanced
from tests.support import threads

MakePipeline: TypeAlias = Callable[..., Pipeline]


@pytest.fixture
def make(sandbox: Sandbox) -> Iterator[MakePipeline]:
    """Makes pipelines to the sandbox, with short times unless others are given."""
    made: list[Pipeline] = []

    def make_pipeline(**options: Any) -> Pipeline:
        made.append(Pipeline(**{**QUICK, "track_url": sandbox.url, **options}))
        return made[-1]

    yield make_pipeline
    sandbox.heal()
    for pipeline in made:
        pipeline.close(0)
        assert balanced(pipeline).pending == 0
    # No request of this test must arrive during the next one.
    assert threads.all_ended(made), threads.where_they_are(made)


@pytest.fixture
def heard() -> Iterator[Heard]:
    """What all signals have told since the test began."""
    heard = Heard()
    with heard:
        yield heard


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """
    Has so many seconds pass at once, by all clocks that a call grows old by.

    However slow the machine is, none is too old before that.
    """
    passed = [0.0]
    wall, wall_ns, steady = time.time, time.time_ns, dispatcher.monotonic
    monkeypatch.setattr(time, "time", lambda: wall() + passed[0])
    monkeypatch.setattr(time, "time_ns", lambda: wall_ns() + int(passed[0] * 1e9))
    for room in (dispatcher, worker):
        monkeypatch.setattr(room, "monotonic", lambda: steady() + passed[0])

    def let_pass(seconds: float) -> None:
        passed[0] += seconds

    return let_pass
