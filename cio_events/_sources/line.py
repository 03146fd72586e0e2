"""
What a log call itself was given, read from the frames that lead to us.

What else a record holds was merged by a processor or a filter. Asked only where that matters.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from cio_events._interrupts import faults
from cio_events._process.callers import outwards

_LOG = logging.Logger._log.__code__  # noqa: SLF001

# Where structlog makes its filtering logger: of late, and before.
_FILTERING = frozenset({"structlog._native", "structlog._log_levels"})
_BETWEEN = frozenset({"cio_events", "logging", "loguru", "structlog"})


def keys_given(fields: object, source: object) -> frozenset[Any] | None:
    """
    The keys that the line, or ``bind``, gave to a record.

    Args:
        fields: The event dictionary of structlog, the attributes of a record, or a dictionary
            that it has, such as loguru's extra.

        source: The record of logging, if it is one.

    Returns:
        None where the call is not on this thread's stack, behind a queue for example.
    """
    try:
        for frame in outwards(sys._getframe(1)):
            room, name = frame.f_globals.get("__name__"), frame.f_code.co_name
            if frame.f_code is _LOG:
                return _of_logging(frame, fields, source)
            if name == "_log" and room == "loguru._logger":
                return _of_loguru(frame, fields)
            if name == "_process_event" and room == "structlog._base":
                told = frame.f_locals
                return _of_structlog(told) if told["event_dict"] is fields else None
    except faults(Exception):  # another version's frames, or an application's context
        pass
    return None


def given_in_vain() -> Iterator[tuple[bool, object]]:
    """
    What the call was given and no record holds, and whether something else is in its place.

    That is what structlog's filtering logger and loguru get by position, and the ``extra`` that
    a `logging.LoggerAdapter` replaces by its own.
    """
    for frame in outwards(sys._getframe(1)):
        room = frame.f_globals.get("__name__", "")
        if room.partition(".")[0] not in _BETWEEN:
            break
        if room in _FILTERING or room == "loguru._logger":
            for argument in frame.f_locals.get("args", ()):
                yield False, argument
        elif room == "logging" and "kwargs" in frame.f_locals:
            told = frame.f_locals
            if issubclass(type(told.get("self")), logging.LoggerAdapter):
                yield True, told["kwargs"].get("extra")


def _of_logging(frame: FrameType, fields: Any, source: Any) -> frozenset[Any] | None:
    told = frame.f_locals
    if told["record"] is not source:
        return None  # another record's, which a handler has kept
    callers = outwards(frame.f_back)
    caller = next((one for one in callers if one.f_globals.get("__name__") != "logging"), None)
    if (
        caller is not None
        and caller.f_code.co_name == "_proxy_to_logger"
        and caller.f_globals.get("__name__") == "structlog._base"
    ):
        return _of_structlog(caller.f_locals)
    # Filters add attributes, and nothing to what one of them holds.
    return _keys(told["extra"] if fields is source.__dict__ else fields)


def _of_structlog(told: Any) -> frozenset[Any]:
    return _keys(told["event_kw"]) | _keys(told["self"]._context)  # noqa: SLF001


def _of_loguru(frame: FrameType, fields: object) -> frozenset[Any] | None:
    told = frame.f_locals
    if told["log_record"]["extra"] is not fields:
        return None
    return _keys(told["kwargs"]) | _keys(told["extra"])


def _keys(given: Iterable[Any] | None) -> frozenset[Any]:
    return frozenset(given or ())
