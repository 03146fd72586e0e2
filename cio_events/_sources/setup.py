"""
Say once, where ``debug`` asks for it, what in the set-up of logging keeps records from us.

A record that never reaches a source leaves no other trace.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import structlog

from cio_events._process import debugging
from cio_events._process.diagnostics import say, shown
from cio_events._sources import attachment

# What hands a structlog event to logging in a form whose tags a handler can read.
_KEEPS_TAGS = ("wrap_for_formatter", "render_to_log_kwargs", "render_to_log_args_and_kwargs")

_LOGGERS_NAMED = 5

_reported = False
_expected = False


def expect_report() -> None:
    """Report at the exit, if no record comes by before."""
    global _expected
    if debugging.on and not debugging.listened and not _expected:
        _expected = True
        atexit.register(report)


def report() -> None:
    """Say what keeps records from us, once."""
    global _reported
    if _reported:
        return
    _reported = True
    with suppress(Exception):  # what others have configured may raise anything
        for problem in [*_of_logging(), *_of_structlog()]:
            say(f"debug: set-up: {problem}")


def _of_logging() -> Iterator[str]:
    attachment.look()
    places = list(attachment.places())
    if not places:
        yield (
            "no CustomerIOHandler is on any logger, so that tagged records of logging are not "
            "captured"
        )
    for logger, handler in places:
        level = max(logger.getEffectiveLevel(), handler.level)
        if level > logging.INFO:
            yield (
                f"CustomerIOHandler on the logger {shown(logger.name)!r} gets what is logged at "
                f"{logging.getLevelName(level)} and above; tagged records below are not captured"
            )
    disabled = [logger.name for logger in attachment.loggers() if logger.disabled]
    if disabled:
        named = ", ".join(shown(name) for name in disabled[:_LOGGERS_NAMED])
        yield (
            f"{len(disabled)} loggers are disabled ({named}), as a dictConfig without "
            "disable_existing_loggers: False does; what they log is not captured"
        )


def _of_structlog() -> Iterator[str]:
    if not structlog.is_configured():
        return
    config: dict[str, Any] = structlog.get_config()
    processors = config["processors"]
    names = {getattr(one, "__name__", type(one).__name__) for one in processors}
    if "CustomerIOProcessor" not in names and names.isdisjoint(_KEEPS_TAGS):
        yield (
            "structlog's chain has no CustomerIOProcessor, and renders its events before a "
            "handler sees them, so that tagged events of structlog are not captured"
        )
    wrapper = getattr(config["wrapper_class"], "__name__", "")
    _, _, level = wrapper.partition("BoundLoggerFilteringAt")
    number = logging.getLevelName(level.upper())
    if isinstance(number, int) and number > logging.INFO:
        yield (
            f"structlog's wrapper_class lets pass what is logged at {level.upper()} and above; "
            "tagged events below are not captured"
        )
