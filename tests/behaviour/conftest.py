"""Pipelines to the sandbox whose ledgers must balance in the end, and what their signals tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from cio_events import Pipeline
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
