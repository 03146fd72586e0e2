"""
Celery's workers: CustomerIOHandlers stay where the application has put them.

When a worker starts, Celery empties the root logger and its own loggers, raises their levels, and
has its task loggers tell the root logger nothing.
"""

from __future__ import annotations

import logging

from celery import signals

from cio_events._sources.logging import CustomerIOHandler

# Whose handlers Celery takes away; root, and the one whose records no longer get there.
_ROOT, _TASKS = "", "celery.task"
_EMPTIED = (_ROOT, "celery", _TASKS, "celery.redirected")

# What the application has set up: for each logger its level, and the handlers that are ours.
_before: dict[str, tuple[int, list[CustomerIOHandler]]] = {}


def install() -> None:
    """
    Have a worker, or beat, capture what the application's handlers have captured before.

    One call, anywhere in the module that makes the Celery application::

        cio_events.integrations.celery.install()

    What Celery shows on its console stays as it is: levels that were raised are lowered again,
    and Celery's handlers get them. Where the application configures logging itself at Celery's
    signal ``setup_logging``, or uses structlog, this does nothing, and is not needed.
    """
    _remember()
    for moment in (signals.import_modules, signals.celeryd_init):
        moment.connect(_remember, weak=False)
    signals.after_setup_logger.connect(_restore_root, weak=False)
    signals.after_setup_task_logger.connect(_restore_others, weak=False)


def _remember(**_: object) -> None:
    """Note where our handlers are, before Celery sets up logging."""
    found = {name: (logging.getLogger(name).level, _ours(name)) for name in _EMPTIED}
    if any(handlers for _, handlers in found.values()):
        _before.update(found)


def _restore_root(**_: object) -> None:
    _restore(_ROOT)


def _restore_others(**_: object) -> None:
    # Not before: Celery gives a console to those loggers alone that have no handler.
    for name in _EMPTIED[1:]:
        _restore(name)


def _restore(name: str) -> None:
    logger = logging.getLogger(name)
    level, handlers = _before.get(name, (logging.NOTSET, []))
    if name == _TASKS and not logger.propagate:
        of_root = _before.get(_ROOT)
        if of_root is not None:
            level = level or of_root[0]
            handlers = [*handlers, *of_root[1]]
    handlers = [one for one in handlers if not one.closed and one not in logger.handlers]
    if not handlers:
        return
    if level < logger.level:
        for handler in logger.handlers:
            handler.setLevel(max(handler.level, logger.level))
        logger.setLevel(level or logging.NOTSET)
    # First, so that a line can show what became of it.
    logger.handlers[:0] = handlers


def _ours(name: str) -> list[CustomerIOHandler]:
    handlers = logging.getLogger(name).handlers
    return [one for one in handlers if isinstance(one, CustomerIOHandler)]
