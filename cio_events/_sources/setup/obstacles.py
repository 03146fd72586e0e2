"""
All that keeps tagged records from us, in one list: for ``debug``, a recorder and the doctor.

A record that never reaches a source leaves no other trace.
"""

from __future__ import annotations

import structlog

from cio_events._sources.setup import behind, bound, chain, loggers
from cio_events._sources.setup.obstacle import Obstacle


def obstacles() -> list[Obstacle]:
    """What keeps tagged records of `logging.INFO` from us, the greatest first; none if nothing."""
    processors = chain.processors()
    handlers = loggers.with_ours()
    in_chain = any(map(chain.is_ours, processors))
    found = [*loggers.without_parentheses()]
    has_handler = bool(found or handlers) or behind.is_sink()
    if chain.lacks_parentheses():
        found.append(Obstacle("no parentheses"))
        in_chain = True
    if not (found or in_chain or has_way_in()):
        return [*chain.no_way_in(), *bound.bound_before()]
    if in_chain or (structlog.is_configured() and not handlers):
        found += chain.of_processor()
    found += bound.bound_before()
    if handlers or any(chain.name_of(one) == "filter_by_level" for one in processors):
        found += loggers.of_levels(handlers)
        found += loggers.of_islands(handlers)
    found += behind.of_sinks()
    return [
        *found,
        *chain.of_the_other_way(has_handler=has_handler, in_chain=in_chain),
    ]


def has_way_in() -> bool:
    """Whether a processor or handler of ours is anywhere."""
    return bool(
        any(map(chain.is_ours, chain.processors()))
        or loggers.with_ours()
        or loggers.formatters_with_ours()
        or behind.is_sink()
    )


def way_in() -> str:
    """Which ways in there are, where nothing explains why none was gone."""
    ways = []
    if any(map(chain.is_ours, chain.processors())):
        ways.append("CustomerIOProcessor is in structlog's chain")
    if loggers.with_ours():
        ways.append("a CustomerIOHandler is on a logger")
    if behind.is_sink():
        ways.append("a CustomerIOHandler is a sink of loguru")
    return " and ".join(ways) or "CustomerIOProcessor is in a ProcessorFormatter"
