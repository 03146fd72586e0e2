"""
Notice when a CustomerIOHandler is on no logger any more, since its records then end silently.

Celery, for one, empties the root logger when a worker starts.
"""

from __future__ import annotations

import atexit
import gc
import logging
from typing import Protocol
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

_DETACHED = (
    "a CustomerIOHandler was taken from its logger, so that tagged records of logging are not "
    "sent any more; Celery does so unless worker_hijack_root_logger is False"
)


def watch(handler: Attached) -> None:
    """Look after *handler*, and in forked children where something of ours has hooked forks."""
    _handlers.add(handler)
    forks.in_child(look, hook=False)


def see(handler: Attached, name: object) -> None:
    """
    Note with the first record that *handler* sees, of the logger *name*, whether it is on that.

    What a queue or another handler passes on comes without. If it is, the exit is watched, which
    costs no later record anything.
    """
    handler.seen = ""
    if type(name) is not str:  # a record that somebody has made
        return
    logger: object = logging.root if name == "root" else logging.root.manager.loggerDict.get(name)
    while isinstance(logger, logging.Logger):
        if id(handler) in map(id, logger.handlers):
            handler.seen = name
            # Once, and later than logging has registered its own, which closes all handlers.
            atexit.unregister(look)
            atexit.register(look)
            break
        logger = logger.parent


def gone(handler: Attached) -> None:
    """Say once that *handler* ends without having been closed, if it was on a logger."""
    if not getattr(handler, "closed", True) and _was_attached(handler):
        warn_once("detached", _DETACHED)


def look() -> None:
    """Say once that some handler was on a logger, and is on none and behind nothing any more."""
    if count_alone():
        warn_once("detached", _DETACHED)


def _was_attached(handler: Attached) -> bool:
    """
    Whether *handler* was on a logger that others can find.

    It has a name if a ``dictConfig`` has made it; otherwise it has seen a record there.
    """
    return handler.name is not None or bool(handler.seen)


def is_watched(handler: object) -> bool:
    """Whether *handler* is a CustomerIOHandler."""
    return any(handler is one for one in _handlers)


def count_alone() -> int:
    """How many handlers were on a logger, and are on none and behind nothing any more."""
    attached = {id(handler) for logger in loggers() for handler in logger.handlers}
    candidates = [
        handler
        for handler in _handlers
        if not handler.closed and id(handler) not in attached and _was_attached(handler)
    ]
    count = 0
    while candidates:
        # Taken from the list, which is nothing that it could be behind.
        count += not _is_behind_something(candidates.pop())
    return count


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
