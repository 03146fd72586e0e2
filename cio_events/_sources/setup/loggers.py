"""logging's loggers: where a handler of ours is, and what keeps their records from it."""

from __future__ import annotations

import logging
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cio_events._process.diagnostics import shown
from cio_events._sources import attachment
from cio_events._sources.setup import behind, chain
from cio_events._sources.setup.obstacle import Obstacle

# Of how many loggers each is told.
_NAMED = 3

# Those of libraries are nobody's events; these are often set up before they are imported.
_LIBRARIES = frozenset(
    {
        *("amqp", "asyncio", "boto3", "botocore", "celery", "cio_events", "concurrent", "django"),
        *("factory", "faker", "flask_cors", "granian", "gunicorn", "httpcore", "httpx"),
        *("hypercorn", "kombu", "parso", "requests", "sqlalchemy", "urllib3", "uvicorn"),
        "werkzeug",
    }
)


def with_ours() -> list[tuple[logging.Logger, logging.Handler]]:
    """Each logger that has a CustomerIOHandler, or a handler before one, and that handler."""
    return [
        (logger, handler)
        for logger in attachment.loggers()
        for handler in logger.handlers
        if attachment.is_watched(handler) or behind.ours_behind(handler)
    ]


def formatters_with_ours() -> list[logging.Handler]:
    """The handlers whose formatter has a CustomerIOProcessor."""
    return [
        handler
        for logger in attachment.loggers()
        for handler in logger.handlers
        if in_formatter(handler)
    ]


def in_formatter(handler: logging.Handler) -> bool:
    """Whether the formatter of *handler* has a CustomerIOProcessor."""
    formatter = getattr(handler, "formatter", None)
    return any(
        chain.is_ours(one)
        for attribute in ("processors", "foreign_pre_chain")
        for one in getattr(formatter, attribute, None) or ()
    )


def without_parentheses() -> Iterator[Obstacle]:
    """The loggers that were given the class CustomerIOHandler, and not one of it."""
    for logger in attachment.loggers():
        for handler in logger.handlers:
            kind: object = handler
            if isinstance(kind, type) and getattr(kind, "refuses_diagnostics", False):
                yield Obstacle("handler's parentheses", described(logger))


def of_levels(handlers: list[tuple[logging.Logger, logging.Handler]]) -> Iterator[Obstacle]:
    """What filters `logging.INFO` on the way to *handlers*; without any, on the way to root."""
    disabled = logging.root.manager.disable
    if disabled >= logging.INFO:
        yield Obstacle("logging disabled", value=level_name(disabled))
    for logger, handler in handlers:
        if handler.level > logging.INFO:
            yield Obstacle("handler's level", described(logger), level_name(handler.level))
    tops = [logger for logger, _ in handlers] or [logging.root]
    own = [
        one
        for one in attachment.loggers()
        if one is not logging.root
        and any(is_beneath(one.name, top) for top in tops)
        and not is_of_library(one)
    ]
    sources = dict.fromkeys(map(level_source, tops))
    for one in sources:
        # What has a level of its own does not ask those above it.
        passes = any(0 < each.level <= logging.INFO and is_beneath(each.name, one) for each in own)
        if one.level > logging.INFO and not passes:
            at = " and ".join(described(top) for top in tops if level_source(top) is one)
            yield Obstacle("logger's level", described(one), level_name(one.level), at)
    strict = [one for one in own if one.level > logging.INFO and one not in sources]
    for one in strict[:_NAMED]:
        yield Obstacle("own logger's level", described(one), level_name(one.level))
    for one in [one for one in dict.fromkeys([*tops, *own]) if one.disabled][:_NAMED]:
        yield Obstacle("logger disabled", described(one))


def of_islands(handlers: list[tuple[logging.Logger, logging.Handler]]) -> Iterator[Obstacle]:
    """Loggers beneath one of ours by name whose records do not get up to it."""
    reached = {logger for logger, _ in handlers}
    cut = [
        one
        for one in attachment.loggers()
        if not one.propagate
        and one is not logging.root
        and any(is_beneath(one.name, top) for top in reached)
        and not reached & set(ways_up(one))
        and not is_of_library(one)
    ]
    for one in cut[:_NAMED]:
        yield Obstacle("island", described(one))


def ways_up(logger: logging.Logger | None) -> Iterator[logging.Logger]:
    """*logger* and those to which its records propagate."""
    while logger is not None:
        yield logger
        logger = logger.parent if logger.propagate else None


def level_source(logger: logging.Logger) -> logging.Logger:
    """The logger whose level *logger* has."""
    while not logger.level and logger.parent is not None:
        logger = logger.parent
    return logger


def is_of_library(logger: logging.Logger) -> bool:
    """Whether *logger* is some installed library's, by its name, and not the application's own."""
    top = logger.name.partition(".")[0]
    if top in _LIBRARIES or top in sys.stdlib_module_names:
        return True
    with suppress(ImportError, ValueError, AttributeError):
        spec = find_spec(top)
        places: list[Any] = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
        return any(
            isinstance(place, str) and _INSTALLED & {*Path(place).parents} for place in places
        )
    return False


_INSTALLED = {Path(sysconfig.get_path(which)) for which in ("purelib", "platlib")}


def described(logger: logging.Logger) -> str:
    """*logger* in words."""
    return "the root logger" if logger is logging.root else f"the logger {shown(logger.name)}"


def level_name(level: int) -> str:
    """A level in logging's own word."""
    return str(logging.getLevelName(level))


def is_beneath(name: str, above: logging.Logger) -> bool:
    """Whether a logger of that *name* is *above* itself, or beneath it."""
    return above is logging.root or name == above.name or name.startswith(f"{above.name}.")
