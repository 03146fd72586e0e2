"""What is loguru's own: how it names a line, and what it does with what a sink raises."""

from __future__ import annotations

import logging
from typing import Any

import loguru
import pytest

from cio_events._pipeline.pipeline import Pipeline
from cio_events._sources.logging import CustomerIOHandler
from cio_events.errors import ParamError
from cio_events.sandbox import Sandbox
from tests.sources.arrivals import CREDENTIALS, Arrivals
from tests.sources.ways import by_logging, by_structlog

TWO_LINES = "one\ntwo"


class Propagate(logging.Handler):
    """As loguru's documentation gives records to logging."""

    def __init__(self, target: logging.Handler) -> None:
        super().__init__()
        self._target = target

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it on."""
        self._target.handle(record)


def add(handler: CustomerIOHandler, by: str, **options: Any) -> Any:
    """Have loguru's lines come to *handler*, and to nobody else."""
    loguru.logger.remove()
    sink: Any = handler if by == "sink" else Propagate(handler)
    loguru.logger.add(sink, format="{message}", **options)
    return loguru.logger


@pytest.mark.parametrize("by", ["sink", "logging"])
def test_a_line_s_name_is_all_of_its_text(by: str, pipeline: Pipeline, arrivals: Arrivals) -> None:
    """As it is through structlog and logging."""
    for source in (by_structlog, by_logging):
        source(pipeline)(TWO_LINES, cio_customer="5")
    add(CustomerIOHandler(pipeline), by).info(TWO_LINES, cio_customer="5")

    assert [one.name for one in arrivals.events()] == [TWO_LINES] * 3


@pytest.mark.parametrize("by", ["sink", "logging"])
@pytest.mark.parametrize("backtrace", [False, True])
def test_a_traceback_is_no_part_of_a_name(
    by: str, backtrace: bool, pipeline: Pipeline, arrivals: Arrivals
) -> None:
    """Loguru writes it behind the text of the line."""
    log = add(CustomerIOHandler(pipeline), by, backtrace=backtrace)
    try:
        raise LookupError("secret")
    except LookupError:
        log.exception("failed", cio_customer="5")

    assert arrivals.event().name == "failed"


@pytest.mark.parametrize("by", ["sink", "logging"])
def test_loguru_catches_what_a_strict_pipeline_raises(
    by: str, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """And shows it, unless it is told not to catch."""
    with Pipeline(**CREDENTIALS, track_url=sandbox.url, strict=True) as pipeline:
        add(CustomerIOHandler(pipeline), by).info("x", cio_customer="")
        assert "ParamError: cio_customer: must not be blank" in capsys.readouterr().err

        log = add(CustomerIOHandler(pipeline), by, catch=False)
        with pytest.raises(ParamError, match="cio_customer"):
            log.info("x", cio_customer="")
    loguru.logger.remove()
