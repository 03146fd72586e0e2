"""Whether the code that runs now is this package's own, whose log records are never captured."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from itertools import dropwhile, takewhile
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from cio_events._interrupts import gets_what_it_interrupts
from cio_events._process.callers import outwards

P = ParamSpec("P")
T = TypeVar("T")

THREAD_NAME = "cio_events"
"""The flushing thread's."""

SUPPRESSED = "_cio_suppressed"
"""The attribute of records that were made in suppressed code, and a key of loguru's ``extra``."""

# A context variable and not a thread's local: greenlets of one thread have one each, also when
# gevent patches the process after this module was imported.
_suppressed: ContextVar[bool] = ContextVar("cio_events_suppressed", default=False)

suppressed: Callable[[], bool] = _suppressed.get
"""True on the flushing thread, inside a signal's receiver and inside ``before_send``."""


def without_capture(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call *function*; what is logged inside is not captured."""
    # No context manager, which an interrupt may keep from being left again.
    before = suppressed()
    try:
        _suppressed.set(True)
        theirs = context_of_loguru()
        if theirs is None:
            return function(*args, **kwargs)
        bound = theirs.get({})
        try:
            # Its records do not come from logging's factory (mark_records), and may be queued.
            theirs.set({**bound, SUPPRESSED: True})
            return function(*args, **kwargs)
        finally:
            theirs.set(bound)
    finally:
        _suppressed.set(before)


def context_of_loguru() -> ContextVar[dict[str, Any]] | None:
    """
    Where loguru keeps what is bound to the context; None where loguru is not in use.

    Its own ``contextualize`` waits for whoever waits in ``complete`` for our records.
    """
    context = getattr(sys.modules.get("loguru._logger"), "context", None)
    return context if isinstance(context, ContextVar) else None


def mark_records() -> None:
    """
    Have records that our receivers, ``before_send`` and session log say so: they may be queued.

    Behind it they would be captured by another thread, and what is captured there makes new
    ones: it would never end. Logging's record factory is all that sees each record in time.
    """
    global _marking
    if not _marking:
        _marking = True
        logging.setLogRecordFactory(_MarkingFactory(logging.getLogRecordFactory()))


class _MarkingFactory:
    def __init__(self, factory: Callable[..., logging.LogRecord]) -> None:
        self._factory = factory

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._factory(*args, **kwargs)
        if suppressed() and not interrupted():
            record.__dict__[SUPPRESSED] = True
        return record


_marking = False


def interrupted() -> bool:
    """
    Whether what logs now is no part of our code, though it runs amid it.

    A finalizer runs wherever the garbage collector does, and a signal handler between any two
    lines of the main thread.
    """
    # Beyond those that take the record, up to those that it was logged amid.
    beyond = dropwhile(_of_this_package, outwards(sys._getframe(1)))
    return any(
        frame.f_code.co_name == "__del__" or gets_what_it_interrupts(frame)
        for frame in takewhile(lambda one: not _of_this_package(one), beyond)
    )


def _of_this_package(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == "cio_events"


def renew() -> None:
    """
    In a forked child: what it logs is its own, also if a receiver or ``before_send`` has forked.
    """
    _suppressed.set(False)
