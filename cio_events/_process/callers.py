"""The frames that have led to the code that runs now, and which of them is the application's."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType

# What lies between a log call and us. An application's own wrappers are the application's.
_BETWEEN = frozenset({"cio_events", "pytest_cio_events", "structlog", "logging", "loguru"})

# Where structlog's asynchronous methods log, which remember the frame that has called them; old
# versions do not.
_ELSEWHERE = frozenset({"concurrent", "threading", "asyncio"})


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """Give *frame*, the one that has called it, and so on."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def calling_frame() -> FrameType | None:
    """The application's frame; None if there is none, or none that is known."""
    for start in (sys._getframe(1), _of_structlog()):
        frame = _outside(start)
        if frame is not None and _package(frame) not in _ELSEWHERE:
            return frame
    return None


def calling_line() -> str | None:
    """
    The application's file, below the working directory if it is there, and line; None without.
    """
    frame = calling_frame()
    if frame is None:
        return None
    path = frame.f_code.co_filename
    with suppress(OSError):  # the working directory may have been deleted
        path = path.removeprefix(os.getcwd() + os.sep)  # noqa: PTH109 - pathlib is not imported
    return f"{path}:{frame.f_lineno}"


def _outside(frame: FrameType | None) -> FrameType | None:
    return next(
        (one for one in outwards(frame) if _package(one) not in _BETWEEN and not _is_context(one)),
        None,
    )


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _is_context(frame: FrameType) -> bool:
    # Our own context managers are entered by way of it.
    return frame.f_globals.get("__name__") == "contextlib"


def _of_structlog() -> FrameType | None:
    room = sys.modules.get("structlog.contextvars")
    stack = getattr(room, "_ASYNC_CALLING_STACK", None)
    frame = None if stack is None else stack.get(None)
    return frame if isinstance(frame, FrameType) else None
