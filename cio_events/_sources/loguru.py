"""
Read loguru's records, as its sinks get them and as it hands them to logging.

loguru keeps what was bound or given to a log call in a dictionary of its own, ``extra``.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Mapping
from typing import Any, cast

from cio_events._process.suppression import SUPPRESSED, THREAD_NAME


def record_of(message: object) -> logging.LogRecord | None:
    """
    What a sink gets from loguru, as a record of logging; None if it is something else.

    loguru's own dictionary is its attribute ``extra``, so that what is marked there is seen by
    the sinks that come later.
    """
    theirs = getattr(message, "record", None)
    if type(theirs) is not dict:
        return None
    thread = theirs["thread"]
    # Behind loguru's own queue, which no record factory sees.
    ours = thread.name == THREAD_NAME and thread.id != threading.get_ident()
    return logging.makeLogRecord(
        {
            **({SUPPRESSED: True} if ours else {}),
            "name": theirs["name"] or "",
            "levelno": theirs["level"].no,
            "levelname": theirs["level"].name,
            "msg": theirs["message"],
            "created": theirs["time"].timestamp(),
            "thread": thread.id,
            "threadName": thread.name,
            "extra": theirs["extra"],
        }
    )


def bound_to_context() -> Mapping[str, Any]:
    """
    What ``logger.contextualize`` has bound.
    """
    room = sys.modules.get("loguru._logger")
    context = getattr(room, "context", None)
    try:
        return cast("Mapping[str, Any]", context.get()) if context is not None else {}
    except (AttributeError, LookupError):
        return {}
