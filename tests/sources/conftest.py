"""A Customer.io on loopback, a pipeline to it, and logging as if nobody had configured it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from cio_events._pipeline import default as pipelines
from cio_events._pipeline.pipeline import Pipeline
from cio_events._process import diagnostics
from cio_events._sources.logging import CustomerIOHandler
from cio_events.sandbox import Sandbox
from tests.sources.arrivals import CREDENTIALS, Arrivals

if TYPE_CHECKING:
    from collections.abc import Iterator


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
def pipeline(sandbox: Sandbox) -> Iterator[Pipeline]:
    """A pipeline to the sandbox whose ledger must balance in the end."""
    with Pipeline(**CREDENTIALS, track_url=sandbox.url, flush_interval=0) as pipeline:
        yield pipeline
        stats = pipeline.stats()
    assert stats.received == stats.sent + stats.failed + stats.dropped + stats.pending


@pytest.fixture
def arrivals(sandbox: Sandbox, pipeline: Pipeline) -> Arrivals:
    """What has arrived of what was logged."""
    return Arrivals(sandbox, pipeline)


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither structlog nor logging nor the default pipeline, and nothing was said yet."""
    monkeypatch.setattr(diagnostics._process, "_once", set())
    monkeypatch.setattr(CustomerIOHandler, "made", False)
    monkeypatch.setattr(pipelines, "_default", None)
    monkeypatch.setattr(pipelines, "_configured", [])
    for name in ("SITE_ID", "API_KEY", "TRACK_URL", "REGION"):
        monkeypatch.delenv(f"CIO_{name}", raising=False)
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    for pipeline in pipelines._configured:
        pipeline.close(0)
