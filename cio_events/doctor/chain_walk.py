"""Send a probe through structlog's chain, processor by processor, and no further than its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from cio_events._process.diagnostics import shown
from cio_events._sources.probing import Probe
from cio_events._sources.setup import chain
from cio_events.doctor import way
from cio_events.doctor.logger_walk import walk as walk_logger
from cio_events.doctor.way import EVENT, KEY, Way


@dataclass
class Walk:
    """
    How a tagged event came through the chain.

    Attributes:
        names: The processors, by name.

        ours: Which of them are CustomerIOProcessors.

        reached: The last one that was called; -1 if the log call did nothing.

        rendered_at: The first that made something else of the event than a mapping.

        renamed_at: The first behind which its name is gone from the key ``event``.

        untagged_at: The first behind which its tag is gone.

        dropped_at: The one that dropped it.

        raised: What one raised; which one, *reached* says.

        way: The way as a whole, with the logger behind the chain where it leads there.
    """

    names: list[str]
    ours: list[int]
    reached: int = -1
    rendered_at: int | None = None
    renamed_at: int | None = None
    untagged_at: int | None = None
    dropped_at: int | None = None
    raised: str | None = None
    way: Way = field(default_factory=lambda: Way("structlog", ()))

    def drawn(self, at: int) -> str:
        """The chain, with an arrow at the processor of that number."""
        return Way("structlog", tuple(self.names)).drawn(at)


def walk(logger_name: str) -> Walk:
    """
    Log a probe as a logger of that name would, and stop at the chain's end.

    What the application has put into the chain may raise anything.
    """
    config = structlog.get_config()
    processors = list(config["processors"])
    found = Walk(
        [shown(chain.name_of(one)) for one in processors],
        [number for number, one in enumerate(processors) if chain.is_ours(one)],
    )
    wrapped = _wrapped(config["logger_factory"], logger_name)
    with way.sent() as probe:
        ended: list[Any] = []
        traced = [_traced(one, number, found, probe) for number, one in enumerate(processors)]
        make = partial(
            config["wrapper_class"], wrapped, [*traced, _end(ended)], config["context_class"]()
        )
        try:
            _synchronous(make).info(EVENT, cio_customer=probe.customer, **{KEY: True})
        except Exception as error:  # noqa: BLE001
            found.raised = type(error).__name__
        found.way = _way(found, probe, wrapped, ended)
    return found


def _wrapped(factory: Any, name: str) -> Any:
    try:
        return factory(name)
    except TypeError:  # one that takes no name
        return factory()


def _synchronous(make: Callable[[], Any]) -> Any:
    """A bound logger that *make* makes; of structlog's AsyncBoundLogger, the one beneath it."""
    try:
        bound = make()
    except RuntimeError:  # one that wants an event loop

        async def make_there() -> Any:
            return make()

        bound = asyncio.run(make_there())
    # Asked by its class: to others, any name may be a method of what they wrap.
    return bound.sync_bl if isinstance(bound, structlog.stdlib.AsyncBoundLogger) else bound


def _traced(processor: Any, number: int, found: Walk, probe: Probe) -> Any:
    def process(logger: Any, method: str, event: Any) -> Any:
        found.reached = number
        if chain.is_ours(processor) and not isinstance(event, Mapping):
            return event  # it would say so in the log
        try:
            result = processor(logger, method, event)
        except structlog.DropEvent:
            found.dropped_at = number
            raise
        if not isinstance(result, Mapping):
            if found.rendered_at is None and not _is_for_logging(result):
                found.rendered_at = number
        else:
            if found.renamed_at is None and "event" not in result:
                found.renamed_at = number
            if found.untagged_at is None and not probe.is_in(result):
                found.untagged_at = number
        return result

    return process


def _is_for_logging(result: Any) -> bool:
    """Whether *result* is arguments for logging, as ``wrap_for_formatter`` makes them."""
    return isinstance(result, tuple) and len(result) == 2


def _end(ended: list[Any]) -> Any:
    def stop(_: Any, __: str, event: Any) -> Any:
        ended.append(event)
        raise structlog.DropEvent  # so that nothing is written

    return stop


def _way(found: Walk, probe: Probe, wrapped: Any, ended: list[Any]) -> Way:
    wrapper = shown(structlog.get_config()["wrapper_class"].__name__)
    start = Way("structlog", (f"log.info() of {wrapper}",), arrivals=probe.arrivals)
    if probe.arrivals:
        return start.by(*found.names)
    if found.reached < 0:
        reason = "the log call does nothing at this level"
        if found.raised is not None:
            reason = f"the log call raises {found.raised}"
        return start.lost(*_first(found.names), reason)
    lost_at = found.reached
    if found.dropped_at is not None:
        reason = f"{found.names[found.dropped_at]} has dropped it"
    elif found.raised is not None:
        reason = f"{found.names[found.reached]} raised {found.raised}"
    elif found.rendered_at is not None:
        lost_at = found.rendered_at
        reason = f"{found.names[lost_at]} has made text of it before anything of ours saw it"
    elif found.untagged_at is not None and not ended:
        lost_at = found.untagged_at
        reason = f"{found.names[lost_at]} has taken its tag away"
    elif ended and issubclass(type(wrapped), logging.Logger):
        message, extra = _for_logging(ended[0])
        behind = walk_logger(wrapped, probe, message, extra)
        before = start.by(*found.names)
        offset = len(before.stations)
        return Way(
            "structlog",
            (*before.stations, *behind.stations),
            None if behind.lost_at is None else behind.lost_at + offset,
            behind.reason,
            probe.arrivals,
        )
    else:
        reason = "nothing of ours is in the chain"
    return Way("structlog", (*start.stations, *found.names), lost_at + 1, reason)


def _first(names: list[str]) -> tuple[str]:
    return (names[0],) if names else ("the end of the chain",)


def _for_logging(ended: Any) -> tuple[Any, dict[str, Any]]:
    """The message and ``extra`` with which structlog would call the method of logging."""
    args, keywords = ended if _is_for_logging(ended) else ((), ended)
    message = args[0] if args else keywords.get("msg", "")
    return message, dict(keywords.get("extra") or {})
