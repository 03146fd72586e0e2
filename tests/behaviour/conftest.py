"""A Customer.io on loopback, and pipelines to it whose ledgers must balance in the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from cio_events import Pipeline
from cio_events._pipeline import default as pipelines
from cio_events.sandbox import Sandbox
from tests.behaviour.watching import QUICK, Heard, balanced, eventually, threads_of_ours

MakePipeline: TypeAlias = Callable[..., Pipeline]


@pytest.fixture(scope="session")
def _running_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_running_sandbox: Sandbox) -> Iterator[Sandbox]:
    """A Customer.io that has heard of nobody."""
    _running_sandbox.clear()
    yield _running_sandbox
    _running_sandbox.heal()


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
    assert eventually(lambda: not threads_of_ours())


@pytest.fixture
def heard() -> Iterator[Heard]:
    """What all signals have told since the test began."""
    heard = Heard()
    with heard:
        yield heard


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings in the environment, and no default pipeline before and after."""
    for name in list(os.environ):
        if name.startswith("CIO_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(pipelines, "_default", None)
    monkeypatch.setattr(pipelines, "_configured", [])
    yield
    for pipeline in pipelines._configured:
        pipeline.close(0)
