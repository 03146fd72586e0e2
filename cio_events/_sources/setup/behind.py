"""CustomerIOHandlers that are on no logger themselves: behind queues, handlers, and loguru."""

from __future__ import annotations

import gc
import logging
import logging.handlers
import sys
from collections.abc import Iterator
from typing import Any

from cio_events._sources import attachment
from cio_events._sources.setup.obstacle import Obstacle

# Where a sink of loguru's has what was given to it, written to or handled by.
_PLACES_IN_SINKS = ("_stream", "_handler")


def ours_behind(handler: logging.Handler) -> list[logging.Handler]:
    """The CustomerIOHandlers that get what *handler* hands on."""
    if isinstance(handler, logging.handlers.QueueHandler):
        return [
            one
            for listener in listeners_of(handler)
            for one in listener.handlers
            if attachment.is_watched(one)
        ]
    target: Any = getattr(handler, "target", None)
    return [target] if attachment.is_watched(target) else []


def listeners_of(
    handler: logging.handlers.QueueHandler,
) -> list[logging.handlers.QueueListener]:
    """Those that take from the queue of *handler*, whether they run or not."""
    return [
        one
        for one in gc.get_objects()
        # Not isinstance(), which asks a proxy what it stands for.
        if issubclass(type(one), logging.handlers.QueueListener)
        and getattr(one, "queue", None) is handler.queue
    ]


def runs(listener: logging.handlers.QueueListener) -> bool:
    """Whether *listener* was started."""
    return getattr(listener, "_thread", True) is not None


def is_sink() -> bool:
    """Whether a CustomerIOHandler is a sink of loguru."""
    return bool(sinks())


def of_sinks() -> Iterator[Obstacle]:
    """What keeps loguru's lines from sinks that are ours."""
    for one in sinks():
        level = max(one.levelno, handler_of(one).level)
        if level > logging.INFO:
            yield Obstacle("sink's level", value=str(logging.getLevelName(level)))


def handler_of(sink: Any) -> logging.Handler:
    """The CustomerIOHandler that is the *sink* of a handler of loguru's."""
    inner = getattr(sink, "_sink", None)
    (handler,) = filter(
        attachment.is_watched, (getattr(inner, name, None) for name in _PLACES_IN_SINKS)
    )
    assert isinstance(handler, logging.Handler)  # noqa: S101 - since it is watched
    return handler


def sinks() -> list[Any]:
    """The handlers of loguru whose sink is a CustomerIOHandler."""
    loguru = sys.modules.get("loguru")
    core = getattr(getattr(loguru, "logger", None), "_core", None)
    handlers = getattr(core, "handlers", None)
    if not isinstance(handlers, dict):
        return []
    return [
        one
        for one in handlers.values()
        if any(
            attachment.is_watched(getattr(getattr(one, "_sink", None), name, None))
            for name in _PLACES_IN_SINKS
        )
    ]
