"""
Read loguru's records, as its sinks get them and as it hands them to logging.

loguru keeps what was bound or given to a log call in a dictionary of its own, ``extra``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from itertools import dropwhile, islice
from types import FrameType
from typing import Any

from cio_events._process.callers import outwards
from cio_events._process.suppression import SUPPRESSED, context_of_loguru, suppressed

_HANDLE = logging.Handler.handle.__code__

# Frames of such a handler's own.
_MOST_BETWEEN = 4


def record_of(message: object) -> logging.LogRecord | None:
    """
    What a sink gets from loguru, as a record of logging; None if it is something else.

    loguru's own dictionary is its attribute ``extra``, so that what is marked there is seen by
    the sinks that come later.
    """
    theirs = getattr(message, "record", None)
    if type(theirs) is not dict:
        return None
    return logging.makeLogRecord(
        {
            "name": theirs["name"] or "",
            "levelno": theirs["level"].no,
            "levelname": theirs["level"].name,
            "msg": theirs["message"],
            "created": theirs["time"].timestamp(),
            "pathname": theirs["file"].path,
            "lineno": theirs["line"],
            "process": theirs["process"].id,
            "thread": theirs["thread"].id,
            "extra": theirs["extra"],
        }
    )


def intercepted() -> logging.LogRecord | None:
    """
    The record that a handler of logging hands to loguru now, as loguru's page about it has it.

    It hands on the text alone, so that loguru knows nothing of what ``extra`` gave.
    """
    frames = outwards(sys._getframe(1))
    within = dropwhile(lambda frame: not _is_loguru(frame), frames)
    for frame in islice(dropwhile(_is_loguru, within), _MOST_BETWEEN):
        if frame.f_code is _HANDLE:
            record = frame.f_locals.get("record")
            return record if isinstance(record, logging.LogRecord) else None
    return None


def _is_loguru(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("loguru.")


def queued_by_us(extra: Mapping[str, Any]) -> bool:
    """Whether a record with this *extra* was made in suppressed code, and comes from a queue."""
    return SUPPRESSED in extra and not suppressed()


def bound_to_context() -> Mapping[str, Any]:
    """What ``logger.contextualize`` has bound."""
    context = context_of_loguru()
    return context.get({}) if context is not None else {}
