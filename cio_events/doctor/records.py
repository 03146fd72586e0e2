"""The ways by which records come in: through structlog's chain, and through logging's loggers."""

from __future__ import annotations

import logging
from functools import cached_property

import structlog

from cio_events._sources import attachment
from cio_events._sources.setup import behind, loggers
from cio_events._sources.setup.obstacle import Obstacle
from cio_events._sources.setup.obstacles import obstacles
from cio_events.doctor.chain_walk import Walk
from cio_events.doctor.chain_walk import walk as walk_chain
from cio_events.doctor.logger_walk import walk_plain, walk_sink
from cio_events.doctor.way import Way

# As structlog names a logger of a script's.
_ANY_NAME = "__main__"

# Loggers with a level or handlers of their own that are tried for each way.
_MOST = 5


class Records:
    """What was found of the ways in; each is gone once."""

    @cached_property
    def obstacles(self) -> list[Obstacle]:
        """What can be seen without a probe."""
        return obstacles()

    @cached_property
    def chain(self) -> Walk | None:
        """The best way through structlog's chain; None if structlog is not configured."""
        if not structlog.is_configured():
            return None
        own = [one.name for one in self._own if one.level or one.handlers]
        first: Walk | None = None
        for name in [*own[:_MOST], _ANY_NAME]:
            walk = walk_chain(name)
            if walk.way.arrived:
                return walk
            first = first or walk
        return first

    @cached_property
    def ways(self) -> list[Way]:
        """A way for each logger, or sink of loguru, that has a handler of ours or leads to one."""
        found = []
        for logger in dict.fromkeys(logger for logger, _ in loggers.with_ours()):
            beneath = [one for one in self._own if loggers.is_beneath(one.name, logger)]
            # A logger with a level of its own passes where the one above it does not.
            lenient = [one for one in beneath if 0 < one.level <= logging.INFO]
            for one in [logger] if _passes(logger) or not lenient else lenient[:_MOST]:
                found.append(walk_plain(one))
        return [*found, *map(walk_sink, behind.sinks())]

    @cached_property
    def _own(self) -> list[logging.Logger]:
        return [
            one
            for one in attachment.loggers()
            if one is not logging.root and not loggers.is_of_library(one)
        ]


def _passes(logger: logging.Logger) -> bool:
    return loggers.level_source(logger).level <= logging.INFO
