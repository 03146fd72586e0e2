"""A pipeline to the sandbox, and logging as if nobody had configured it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from cio_events._pipeline.pipeline import Pipeline
from cio_events._process import diagnostics
from cio_events._sources.logging import CustomerIOHandler
from tests.sources.arrivals import CREDENTIALS, Arrivals
from tests.sources.ways import SOURCES, Log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cio_events.sandbox import Sandbox


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


@pytest.fixture(params=SOURCES, ids=lambda source: source.__name__)
def log(request: pytest.FixtureRequest, pipeline: Pipeline) -> Log:
    """A logger of each source."""
    made: Log = request.param(pipeline)
    return made


@pytest.fixture(autouse=True)
def _nothing_set_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither structlog nor logging, and nothing was said yet."""
    monkeypatch.setattr(diagnostics._process, "_once", set())
    monkeypatch.setattr(CustomerIOHandler, "made", False)
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.fixture
def app() -> logging.Logger:
    """The application's logger, whose records nobody else gets, not even pytest."""
    return logging.Logger("app", logging.DEBUG)
