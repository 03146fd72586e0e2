"""What several tests log by, log and keep."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import structlog
from structlog.testing import CapturingLogger

if TYPE_CHECKING:
    from structlog.typing import Processor

FilteringLogger = structlog.make_filtering_bound_logger(logging.NOTSET)


def logger_with(*processors: Processor, **options: Any) -> tuple[Any, CapturingLogger]:
    """A structlog logger with this chain, and where its lines end."""
    lines = CapturingLogger()
    options = {"wrapper_class": FilteringLogger, **options}
    return structlog.wrap_logger(lines, processors=[*processors], **options), lines


class Kept(logging.Handler):
    """A handler that keeps the records it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)


class Unprintable:
    """Nobody may ask it what it looks like."""

    def __repr__(self) -> str:
        raise AssertionError("somebody has asked for a repr")

    __str__ = __repr__
