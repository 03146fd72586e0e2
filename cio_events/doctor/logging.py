"""logging's loggers and handlers: what keeps tagged records from us, or shows them early."""

from __future__ import annotations

import copy
import logging
import logging.handlers
import sys
from collections.abc import Iterator
from typing import Any

from cio_events._calls.people import Track
from cio_events._process.diagnostics import shown
from cio_events._sources import attachment
from cio_events._sources.setup import behind, chain, loggers
from cio_events._sources.setup.obstacle import Obstacle
from cio_events.doctor.finding import Finding
from cio_events.doctor.logger_walk import passed, walk_plain
from cio_events.doctor.subject import Subject
from cio_events.doctor.table import found

_IDS = {
    "handler's parentheses": "E516",
    "handler's level": "E503",
    "sink's level": "E515",
    "logger's level": "E504",
    "own logger's level": "W505",
    "logging disabled": "E506",
    "logger disabled": "E507",
    "island": "W508",
}


def look(subject: Subject) -> Iterator[Finding]:
    """Look at all loggers, and at the handlers that are ours or lead to one."""
    findings = [*_of_obstacles(subject.records.obstacles), *_of_handlers(), *_of_queues()]
    handlers = loggers.with_ours()
    if attachment.alone():
        findings.append(found("E514"))
    yield from findings
    if findings:
        return
    if handlers or behind.is_sink():
        names = [loggers.described(logger) for logger, _ in handlers]
        of_loguru = ["loguru"] * behind.is_sink()
        what = " and ".join([*["logging"] * bool(handlers), *of_loguru])
        yield found("I500", "\n".join([*names, *of_loguru]), what=what)
    elif (
        any(map(chain.is_ours, chain.processors()))
        or chain.lacks_parentheses()
        or loggers.formatters_with_ours()
    ):
        yield found("S501")
    else:
        yield found("E502")


def _of_obstacles(obstacles: list[Obstacle]) -> Iterator[Finding]:
    for obstacle in obstacles:
        id_ = _IDS.get(obstacle.kind)
        if id_ is None:
            continue
        ways = [
            walk_plain(logger)
            for logger in attachment.loggers()
            if obstacle.kind == "island" and loggers.described(logger) == obstacle.subject
        ]
        drawn = ways[0].drawn() if ways else ""
        yield found(id_, drawn, logger=obstacle.subject, level=obstacle.value, at=obstacle.at)


def _of_handlers() -> Iterator[Finding]:
    for logger, handler in loggers.with_ours():
        for owner in [logger, handler, *behind.ours_behind(handler)]:
            refused = passed(owner, _record(logger))[0]
            if refused is not None:
                name = (
                    loggers.described(owner)
                    if isinstance(owner, logging.Logger)
                    else f"{shown(type(owner).__name__)} on {loggers.described(logger)}"
                )
                yield found("W511", filter=refused, owner=name)
        yield from _of_those_before(logger, handler)
        if _celery_takes(logger):
            yield found("W513", logger=loggers.described(logger))


def _of_those_before(logger: logging.Logger, ours: logging.Handler) -> Iterator[Finding]:
    """Handlers that write a call object as it is, before it was captured."""
    for handler in logger.handlers[: logger.handlers.index(ours)]:
        if isinstance(handler, logging.handlers.QueueHandler) or handler.level > logging.INFO:
            continue
        if behind.ours_behind(handler) or attachment.is_watched(handler):
            return
        record = _record(logger)
        call = record.__dict__["cio"]
        formatter = handler.formatter or logging.Formatter()
        does = ""
        try:
            if repr(call) in formatter.format(copy.copy(record)):
                does = "writes call objects as they are, without cio_event_id"
        except Exception as error:  # noqa: BLE001
            does = f"cannot write call objects ({type(error).__name__})"
        if does:
            name = f"{shown(type(handler).__name__)} on {loggers.described(logger)}"
            yield found("W512", handler=name, does=does)


def _of_queues() -> Iterator[Finding]:
    for logger in attachment.loggers():
        for handler in logger.handlers:
            if not isinstance(handler, logging.handlers.QueueHandler):
                continue
            ours = behind.ours_behind(handler)
            where = f"{shown(type(handler).__name__)} on {loggers.described(logger)}"
            if not ours:
                continue
            if not any(map(behind.runs, behind.listeners_of(handler))):
                yield found("E510", queue=where)
            elif _hands_events_on() and not _keeps_events(handler, logger):
                yield found("E509", queue=where)


def _hands_events_on() -> bool:
    """Whether structlog's events reach logging as dictionaries, and nothing of ours before."""
    processors = chain.processors()
    ends = [chain.name_of(one) for one in processors[-1:]]
    return ends == ["wrap_for_formatter"] and not any(map(chain.is_ours, processors))


def _keeps_events(handler: logging.handlers.QueueHandler, logger: logging.Logger) -> bool:
    record = logger.makeRecord(
        logger.name,
        logging.INFO,
        __file__,
        0,
        {"cio_customer": "5"},
        (),
        None,
    )
    record.__dict__.update(_logger=logger, _name="info")
    prepared = handler.prepare(record)
    return isinstance(prepared.msg, dict) and "cio_customer" in prepared.msg


def _celery_takes(logger: logging.Logger) -> bool:
    """Whether a worker of Celery that is made in this process would empty *logger*."""
    signals: Any = sys.modules.get("celery.signals")
    apps = getattr(sys.modules.get("celery._state"), "_apps", ())
    if signals is None or logger is not logging.root:
        return False
    if signals.setup_logging.receivers:
        return False  # then Celery leaves logging alone
    if "cio_events.integrations.celery" in sys.modules and signals.after_setup_logger.receivers:
        return False
    return any(one.conf.worker_hijack_root_logger for one in apps)


def _record(logger: logging.Logger) -> logging.LogRecord:
    extra = {"cio": Track("cio_events-doctor", "probe")}
    return logger.makeRecord(
        logger.name, logging.INFO, __file__, 0, "probe", (), None, None, extra
    )
