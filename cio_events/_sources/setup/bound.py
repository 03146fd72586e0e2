"""structlog's loggers that keep a chain from before it was configured."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import structlog

from cio_events._process.diagnostics import shown
from cio_events._sources.setup import chain
from cio_events._sources.setup.obstacle import Obstacle

# Of how many loggers each is told.
_NAMED = 3

# structlog's own type of a logger that was not used yet; it has no public name.
_PROXY = "BoundLoggerLazyProxy"


def bound_before() -> Iterator[Obstacle]:
    """Loggers of modules that were bound or cached with a chain that has none of ours."""
    found = 0
    # By their id, as a type may not be hashable: a program's values are many, their types are few.
    others: dict[int, type] = {}
    for module in list(sys.modules.values()):
        if not isinstance(module, ModuleType) or module.__name__.startswith(("structlog", "_")):
            continue
        for name, value in list(vars(module).items()):
            kind = type(value)
            if id(kind) in others:
                continue
            if not _is_logger(kind):
                others[id(kind)] = kind
                continue
            processors = _bound_processors(value)
            if processors is None or any(map(chain.is_ours, processors)):
                continue
            if any(map(chain.is_capturing, processors)):
                continue
            yield Obstacle("bound before", shown(f"{module.__name__}.{name}"))
            found += 1
            if found == _NAMED:
                return


def _is_logger(kind: type) -> bool:
    return kind.__name__ == _PROXY or issubclass(kind, structlog.BoundLoggerBase)


def _bound_processors(value: object) -> list[Any] | None:
    kind = type(value)
    if kind.__name__ == _PROXY:
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
