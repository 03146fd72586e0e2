"""
Send a probe the way of logging's records: levels, filters and queues, to handlers of ours alone.

Other handlers, which would write it, do not get it.
"""

from __future__ import annotations

import copy
import logging
import logging.handlers
from collections.abc import Iterator
from typing import Any

from cio_events._process.diagnostics import shown
from cio_events._sources import attachment
from cio_events._sources.probing import Probe
from cio_events._sources.setup import behind, loggers
from cio_events.doctor import way
from cio_events.doctor.way import EVENT, KEY, Way

_TAGGED_PLACES = ("extra", "json_fields")


def walk_plain(logger: logging.Logger) -> Way:
    """Log a tagged record by *logger*, as an application would with ``extra``."""
    with way.sent() as probe:
        # With a name of its own, or behind a queue there is a warning.
        extra = {"cio_customer": probe.customer, "cio_event": EVENT, KEY: True}
        return walk(logger, probe, EVENT, extra)


def walk_sink(sink: Any) -> Way:
    """Hand a tagged record to a CustomerIOHandler as loguru does, which has it for a *sink*."""
    with way.sent() as probe:
        start = Way("loguru", ("logger.info() of loguru",), arrivals=probe.arrivals)
        if sink.levelno > logging.INFO:
            level = loggers.level_name(sink.levelno)
            return start.lost("its sink", f"the sink has level {level}", "CustomerIOHandler")
        record = logging.makeLogRecord(
            {
                "name": "cio_events-doctor",
                "levelno": logging.INFO,
                "msg": EVENT,
                "extra": {"cio_customer": probe.customer, KEY: True},
            }
        )
        return _handled(behind.handler_of(sink), record, start)


def walk(logger: logging.Logger, probe: Probe, message: Any, extra: dict[str, Any]) -> Way:
    """Log a record with this *message* and *extra* by *logger*."""
    name = loggers.described(logger)
    start = Way(name, (), arrivals=probe.arrivals)
    stopped = _stopped(logger)
    if stopped is not None:
        return start.lost(name, stopped)
    record = logger.makeRecord(
        logger.name, logging.INFO, __file__, 0, message, (), None, None, extra
    )
    start = start.by(name)
    refused, record = passed(logger, record)
    if refused is not None:
        return start.lost(f"filter {refused}", f"the filter {refused} of {name} refuses it")
    tried: list[Way] = []
    here = start
    for current in loggers.ways_up(logger):
        if current is not logger:
            here = here.by(loggers.described(current))
        for handler in current.handlers:
            tried += _offered(handler, record, here)
            if probe.arrivals:
                return tried[-1]
    if tried:
        return tried[-1]
    if not current.propagate and current.parent is not None:
        above = loggers.described(current.parent)
        reason = f"{loggers.described(current)} does not propagate (propagate=False)"
        return here.lost(above, reason)
    return here.lost("CustomerIOHandler", "no logger on the way has one")


def passed(filterer: Any, record: logging.LogRecord) -> tuple[str | None, logging.LogRecord]:
    """The filter of *filterer* that refuses *record*, if one does; and the record behind them."""
    for one in list(filterer.filters):
        filtered = one.filter(record) if hasattr(one, "filter") else one(record)
        if not filtered:
            return shown(getattr(one, "__name__", type(one).__name__)), record
        if isinstance(filtered, logging.LogRecord):
            record = filtered
    return None, record


def _stopped(logger: logging.Logger) -> str | None:
    disabled = logging.root.manager.disable
    if disabled >= logging.INFO:
        return f"logging.disable({loggers.level_name(disabled)}) is in force"
    if logger.disabled:
        return "the logger is disabled"
    source = loggers.level_source(logger)
    if source.level > logging.INFO:
        return f"{loggers.described(source)} has level {loggers.level_name(source.level)}"
    return None


def _offered(handler: logging.Handler, record: logging.LogRecord, here: Way) -> Iterator[Way]:
    """The way of *record* through *handler*, if that leads to something of ours."""
    queued = isinstance(handler, logging.handlers.QueueHandler)
    ours = behind.ours_behind(handler)
    of_structlog = isinstance(record.msg, dict)
    if not (
        attachment.is_watched(handler) or ours or (of_structlog and loggers.in_formatter(handler))
    ):
        return
    name = shown(type(handler).__name__)
    if handler.level > record.levelno:
        yield here.lost(name, f"it has level {loggers.level_name(handler.level)}")
        return
    if attachment.is_watched(handler):
        yield _handled(handler, record, here)
        return
    refused, record = passed(handler, record)
    if refused is not None:
        yield here.lost(f"filter {refused}", f"the filter {refused} of {name} refuses it")
        return
    here = here.by(name)
    if queued:
        yield from _dequeued(handler, record, here)
    elif ours:
        for one in ours:
            yield _handled(one, record, here)
    else:
        assert handler.formatter is not None  # noqa: S101 - it has a processor of ours
        handler.formatter.format(copy.copy(record))
        if here.arrivals:
            yield here.by("CustomerIOProcessor of its formatter")
        else:
            yield here.lost("its formatter", "its CustomerIOProcessor sees no tags")


def _dequeued(handler: Any, record: logging.LogRecord, here: Way) -> Iterator[Way]:
    prepared = handler.prepare(copy.copy(record))
    for listener in behind.listeners_of(handler):
        name = shown(type(listener).__name__)
        ours = [one for one in listener.handlers if attachment.is_watched(one)]
        if not ours:
            continue
        if not behind.runs(listener):
            yield here.lost(name, "nobody has started it", "CustomerIOHandler")
            continue
        for one in ours:
            if not _is_tagged(prepared):
                yield here.lost(
                    "CustomerIOHandler", "the queue has made text of it: its tags are gone"
                )
            else:
                yield _handled(one, prepared, here.by(name))


def _handled(handler: logging.Handler, record: logging.LogRecord, here: Way) -> Way:
    name = shown(type(handler).__name__)
    if handler.level > record.levelno:
        return here.lost(name, f"it has level {loggers.level_name(handler.level)}")
    refused, record = passed(handler, record)
    if refused is not None:
        return here.lost(f"filter {refused}", f"the filter {refused} of {name} refuses it")
    if not _is_tagged(record):
        return here.lost(name, "its tags are gone: the record is text")
    # Not handle(), whose filters it has passed.
    handler.emit(record)
    if here.arrivals:
        return here.by(name)
    return here.lost(name, "it does not capture records of this logger")


def _is_tagged(record: logging.LogRecord) -> bool:
    attributes = record.__dict__
    message = attributes.get("msg")
    nests = [attributes.get(name) for name in _TAGGED_PLACES]
    return any(
        isinstance(each, dict) and "cio_customer" in each for each in (attributes, message, *nests)
    )
