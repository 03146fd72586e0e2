"""What of structlog's and logging's set-up keeps tagged records from us."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import structlog

from cio_events._sources import attachment
from cio_events._sources.logging import CustomerIOHandler
from cio_events._sources.structlog import CustomerIOProcessor

# Of how many loggers each is told.
_NAMED = 3

_METHODS = ("debug", "info", "warning", "error", "critical")


def causes() -> list[str]:
    """Why no tagged record may have arrived, a line each; none if all looks right."""
    processors = list(structlog.get_config()["processors"])
    handlers = _handlers()
    if not any(_is_ours(one) for one in processors) and not handlers and not _in_formatters():
        return [*_no_way_in(processors), *_cached()]
    found: list[str] = []
    if any(_is_ours(one) for one in processors) or not handlers:
        found += _of_structlog(processors)
    found += _cached()
    if handlers or any(_name(one) == "filter_by_level" for one in processors):
        found += _of_logging(handlers)
    return found


def way_in() -> str:
    """Which ways in there are, where nothing explains why none was gone."""
    ways = []
    if any(_is_ours(one) for one in structlog.get_config()["processors"]):
        ways.append("CustomerIOProcessor is in structlog's chain")
    if _handlers():
        ways.append("a CustomerIOHandler is on a logger")
    return " and ".join(ways) or "CustomerIOProcessor is in a ProcessorFormatter"


def _no_way_in(processors: list[Any]) -> Iterator[str]:
    if any("capture" in type(one).__name__.lower() for one in processors):
        yield (
            "something that captures logs has taken CustomerIOProcessor out of structlog's chain: "
            "capture_logs(processors=[CustomerIOProcessor()]) keeps it, and so does pytest-"
            "structlog's ini structlog_keep = CustomerIOProcessor"
        )
        return
    state = "" if structlog.is_configured() else " (structlog is not configured)"
    yield (
        f"neither is CustomerIOProcessor in structlog's chain{state}, nor is a CustomerIOHandler "
        "on any logger"
    )


def _of_structlog(processors: list[Any]) -> Iterator[str]:
    wrapper: Any = structlog.get_config()["wrapper_class"]
    if _is_filtered(wrapper, "info"):
        lets = next((one for one in _METHODS[2:] if not _is_filtered(wrapper, one)), "nothing")
        yield f"structlog's wrapper class filters info: it lets {lets} through and what is above"
    for one in processors:
        if _is_ours(one):
            return
        if type(one).__name__.endswith("Renderer"):
            yield f"CustomerIOProcessor stands behind {type(one).__name__} in structlog's chain"


def _is_filtered(wrapper: Any, method: str) -> bool:
    return bool(getattr(getattr(wrapper, method, None), "__name__", "") == "_nop")


def _of_logging(handlers: list[tuple[logging.Logger, logging.Handler]]) -> Iterator[str]:
    disabled = logging.root.manager.disable
    if disabled >= logging.INFO:
        yield f"logging.disable({logging.getLevelName(disabled)}) filters info"
    for logger, handler in handlers:
        if handler.level > logging.INFO:
            yield (
                f"the CustomerIOHandler on {_logger_name(logger)} has level "
                f"{logging.getLevelName(handler.level)}, which filters info"
            )
    level = logging.root.level
    if level > logging.INFO:
        yield f"the root logger has level {logging.getLevelName(level)}, which filters info"
    loggers = [one for one in attachment.loggers() if one is not logging.root]
    strict = [one for one in loggers if one.level > logging.INFO and not _is_known(one)]
    for one in strict[:_NAMED]:
        level_name = logging.getLevelName(one.level)
        yield f"the logger {one.name} has level {level_name}, which filters info"
    for one in [one for one in loggers if one.disabled and not _is_known(one)][:_NAMED]:
        yield (
            f"the logger {one.name} is disabled, most often by a dictConfig without "
            "disable_existing_loggers=False"
        )
    reached = {logger for logger, _ in handlers}
    cut = [
        one
        for one in loggers
        if not one.propagate and handlers and not reached & set(_chain(one)) and not _is_known(one)
    ]
    for one in cut[:_NAMED]:
        yield f"the logger {one.name} does not propagate to where a CustomerIOHandler is"


def _cached() -> Iterator[str]:
    """Loggers of modules that were bound or cached with a chain that has none of ours."""
    found = 0
    for module in list(sys.modules.values()):
        if not isinstance(module, ModuleType) or module.__name__.startswith(("structlog", "_")):
            continue
        for name, value in list(vars(module).items()):
            processors = _bound_processors(value)
            if processors is None or any(_is_ours(one) for one in processors):
                continue
            if any("capture" in type(one).__name__.lower() for one in processors):
                continue
            yield (
                f"the logger {module.__name__}.{name} was bound or cached before structlog was "
                "configured: CustomerIOProcessor is not in its chain"
            )
            found += 1
            if found == _NAMED:
                return


def _bound_processors(value: object) -> list[Any] | None:
    kind = type(value)
    if kind.__name__ == "BoundLoggerLazyProxy":
        # cache_logger_on_first_use puts a function there that keeps the logger.
        cached = vars(value).get("bind")
        for cell in getattr(cached, "__closure__", None) or ():
            inner = _bound_processors(cell.cell_contents)
            if inner is not None:
                return inner
        return None
    if issubclass(kind, structlog.BoundLoggerBase):
        return list(vars(value).get("_processors") or ())
    return None


def _is_ours(processor: object) -> bool:
    return isinstance(processor, CustomerIOProcessor)


def _in_formatters() -> bool:
    return any(
        _is_ours(one)
        for logger in attachment.loggers()
        for handler in logger.handlers
        for attribute in ("processors", "foreign_pre_chain")
        for one in getattr(handler.formatter, attribute, None) or ()
    )


def _handlers() -> list[tuple[logging.Logger, logging.Handler]]:
    return [
        (logger, handler)
        for logger in attachment.loggers()
        for handler in logger.handlers
        if isinstance(handler, CustomerIOHandler)
    ]


def _chain(logger: logging.Logger | None) -> Iterator[logging.Logger]:
    while logger is not None:
        yield logger
        logger = logger.parent if logger.propagate else None


def _is_known(logger: logging.Logger) -> bool:
    # Those of libraries are nobody's events.
    return logger.name.partition(".")[0] in _LIBRARIES


_LIBRARIES = frozenset(
    {
        *("asyncio", "boto3", "botocore", "celery", "cio_events", "concurrent", "django"),
        *("factory", "faker", "httpcore", "httpx", "kombu", "parso", "requests", "urllib3"),
        *("uvicorn", "werkzeug"),
    }
)


def _logger_name(logger: logging.Logger) -> str:
    return "the root logger" if logger is logging.root else f"the logger {logger.name}"


def _name(processor: object) -> str:
    return str(getattr(processor, "__name__", ""))
