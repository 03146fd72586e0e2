"""
Notice when a CustomerIOHandler is on no logger, since its records then end silently.

A dictConfig may name it nowhere; Celery, for one, empties the root logger when a worker starts.
"""

from __future__ import annotations

import atexit
import gc
import logging
import sys
from typing import Any, Protocol
from weakref import WeakSet

from cio_events._process import forks
from cio_events._process.diagnostics import warn_once


class Attached(Protocol):
    """
    A CustomerIOHandler, as far as its place is concerned.

    Attributes:
        name: Its name, as a ``dictConfig`` gives one.

        closed: Whether it was closed.

        seen: The name of the logger whose record it has seen on it; None before its first record.
    """

    name: str | None
    closed: bool
    seen: str | None


_handlers: WeakSet[Attached] = WeakSet()

_TAKEN = (
    "a CustomerIOHandler was taken from its logger, so that tagged records of logging are not "
    "sent any more"
)
_ON_NONE = (
    "a CustomerIOHandler is on no logger, so that tagged records of logging are not sent: no "
    "logger has it among its handlers, or it was taken away"
)
_CELERY = (
    "; a worker of Celery empties the root logger when it starts, and "
    "cio_events.integrations.celery.install() keeps the handler there"
)


def watch(handler: Attached) -> None:
    """Look after *handler*, once it is known to be for a logger."""
    _handlers.add(handler)


def expect_loss() -> None:
    """
    Look in forked children, at the exit, and when a worker of Celery starts.

    There is a handler that is for a logger.
    """
    forks.in_child(look)
    # Once, and later than logging has registered its own, which closes all handlers.
    atexit.unregister(look)
    atexit.register(look)
    celery: Any = sys.modules.get("celery.signals")
    if celery is not None:
        # Behind its set-up of logging, and before it forks.
        for moment in (celery.celeryd_after_setup, celery.beat_init):
            moment.connect(look, weak=False)


def see(handler: Attached, name: object) -> None:
    """
    Note with the first record that *handler* sees, of the logger *name*, whether it is on that.

    What a queue or another handler passes on comes without.
    """
    handler.seen = ""
    if type(name) is not str:  # a record that somebody has made
        return
    logger: object = logging.root if name == "root" else logging.root.manager.loggerDict.get(name)
    while isinstance(logger, logging.Logger):
        if id(handler) in map(id, logger.handlers):
            handler.seen = name
            expect_loss()
            break
        logger = logger.parent


def gone(handler: Attached) -> None:
    """Say once that *handler* ends without having been closed, if it was for a logger."""
    if not getattr(handler, "closed", True) and _is_for_a_logger(handler):
        _say(taken=bool(handler.seen))


def look(**_: object) -> None:
    """Say once that some handler was for a logger, and is on none and behind nothing."""
    found = alone()
    if found:
        _say(taken=any(handler.seen for handler in found))


def _say(*, taken: bool) -> None:
    text = _TAKEN if taken else _ON_NONE
    warn_once("detached", text + _CELERY if "celery" in sys.modules else text)


def _is_for_a_logger(handler: Attached) -> bool:
    """
    Whether *handler* is, or was, for a logger that others can find.

    It has a name if a ``dictConfig`` has made it; otherwise it has seen a record there.
    """
    return handler.name is not None or bool(handler.seen)


def is_watched(handler: object) -> bool:
    """Whether *handler* is a CustomerIOHandler."""
    return any(handler is one for one in _handlers)


def alone() -> list[Attached]:
    """The handlers that were for a logger, and are on none and behind nothing."""
    attached = {id(handler) for logger in loggers() for handler in logger.handlers}
    candidates = [
        handler
        for handler in _handlers
        if not handler.closed and id(handler) not in attached and _is_for_a_logger(handler)
    ]
    found: list[Attached] = []
    while candidates:
        # Taken from the lists, which are nothing that it could be behind.
        handler = candidates.pop()
        if not _is_behind_something(handler):
            found.append(handler)
    return found


def loggers() -> list[logging.Logger]:
    """All loggers that others can find, the root logger first."""
    known = list(logging.root.manager.loggerDict.values())
    return [logging.root, *(logger for logger in known if isinstance(logger, logging.Logger))]


def _is_behind_something(handler: Attached) -> bool:
    """
    Whether a QueueListener, another handler or loguru has it: more than a name in some module.
    """
    return any(
        not (type(holder) is dict and "__name__" in holder) and type(holder) in (dict, list, tuple)
        for holder in gc.get_referrers(handler)
    )
