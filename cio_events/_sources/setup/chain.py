"""structlog's chain: whether a processor of ours is in it, and what it gets there."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import structlog

from cio_events._sources.setup.obstacle import Obstacle

# What hands an event to logging in a form whose tags a handler can read.
_KEEPS_TAGS = frozenset(
    {"wrap_for_formatter", "render_to_log_kwargs", "render_to_log_args_and_kwargs"}
)

# Renderers of one key alone.
_ADD_TEXT = frozenset({"ExceptionRenderer", "StackInfoRenderer"})

_METHODS = ("debug", "info", "warning", "error", "critical")


def processors() -> list[Any]:
    """Those of structlog's chain, in order."""
    return list(structlog.get_config()["processors"])


def is_ours(processor: object) -> bool:
    """Whether *processor* is a CustomerIOProcessor, or calls one."""
    while isinstance(processor, functools.partial):
        processor = processor.func
    return _is_of_ours(type(getattr(processor, "__self__", processor)))


def is_without_parentheses(processor: object) -> bool:
    """Whether *processor* is the class CustomerIOProcessor, and not one of it."""
    return isinstance(processor, type) and _is_of_ours(processor)


def lacks_parentheses() -> bool:
    """Whether the class itself is in structlog's chain."""
    return any(map(is_without_parentheses, processors()))


def _is_of_ours(kind: type) -> bool:
    # By its name: the class itself is in a room above.
    return any(
        one.__name__ == "CustomerIOProcessor" and one.__module__ == "cio_events"
        for one in kind.__mro__
    )


def name_of(processor: object) -> str:
    """What *processor* is called: a function's own name, or that of its class."""
    name = getattr(processor, "__name__", None)
    return name if isinstance(name, str) else type(processor).__name__


def is_renderer(processor: object) -> bool:
    """Whether *processor* is one of structlog's kind that make text of an event."""
    name = type(processor).__name__
    return name.endswith("Renderer") and name not in _ADD_TEXT


def is_capturing(processor: object) -> bool:
    """Whether *processor* is one of a test's that keeps all events for itself."""
    return "capture" in type(processor).__name__.lower()


def keeps_tags(chain: list[Any]) -> bool:
    """Whether *chain* hands its events to logging so that a handler can read their tags."""
    return not _KEEPS_TAGS.isdisjoint(map(name_of, chain))


def no_way_in() -> Iterator[Obstacle]:
    """Neither processor nor handler is anywhere."""
    if any(map(is_capturing, processors())):
        yield Obstacle("captured logs")
        return
    state = "" if structlog.is_configured() else " (structlog is not configured)"
    yield Obstacle("nothing of ours", value=state)


def of_the_other_way(*, has_handler: bool, in_chain: bool) -> Iterator[Obstacle]:
    """One of the two sources has no way in, while the other has one."""
    if not has_handler:
        yield Obstacle("no handler", partial=True)
    if not in_chain and structlog.is_configured() and not keeps_tags(processors()):
        yield Obstacle("no processor", partial=True)


def of_processor() -> Iterator[Obstacle]:
    """What keeps events from a processor that is in the chain."""
    wrapper: Any = structlog.get_config()["wrapper_class"]
    if is_filtered(wrapper, "info"):
        lets = next((one for one in _METHODS[2:] if not is_filtered(wrapper, one)), "nothing")
        yield Obstacle("filtering wrapper", value=lets)
    for one in processors():
        if is_ours(one) or is_without_parentheses(one):
            return
        if is_renderer(one):
            yield Obstacle("behind a renderer", name_of(one))


def is_filtered(wrapper: Any, method: str) -> bool:
    """Whether a bound logger of that class does nothing when *method* is called."""
    return bool(getattr(getattr(wrapper, method, None), "__name__", "") == "_nop")
