"""structlog's chain: what of it keeps tagged events from us, or adds to them."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType
from typing import Any

from structlog.contextvars import get_contextvars

from cio_events._process.diagnostics import shown
from cio_events._sources.setup import behind, chain, loggers
from cio_events.doctor.chain_walk import Walk
from cio_events.doctor.finding import Finding
from cio_events.doctor.subject import Subject
from cio_events.doctor.table import found
from cio_events.doctor.way import EVENT, KEY

_FORMAT_EXCEPTIONS = frozenset({"format_exc_info", "ExceptionRenderer", "ExceptionPrettyPrinter"})
_MERGES = frozenset({"merge_contextvars", "merge_threadlocal", "merge_threadlocal_context"})
_FILTERS_BY_LEVEL = "filter_by_level"

_KEYS_NAMED = 5


def look(subject: Subject) -> Iterator[Finding]:
    """Look at the chain as it is configured."""
    walk = subject.records.chain
    if walk is None:
        yield found("S401")
        return
    findings = [*_of_obstacles(subject), *_of_chain(walk)]
    yield from findings
    if not findings:
        # Without a processor of ours, what follows is logging's.
        ok = walk.ours or walk.way.arrived
        yield found("I400" if ok else "S415", walk.drawn(-1))


def _of_obstacles(subject: Subject) -> Iterator[Finding]:
    for obstacle in subject.records.obstacles:
        if obstacle.kind == "filtering wrapper":
            yield found("E409", level=obstacle.value)
        elif obstacle.kind == "bound before":
            yield found("E410", logger=obstacle.subject)


def _of_chain(walk: Walk) -> Iterator[Finding]:
    for number, processor in enumerate(chain.processors()):
        if chain.is_without_parentheses(processor):
            yield found("E417", walk.drawn(number))
            return
    if not walk.ours:
        if not walk.way.arrived and not chain.keeps_tags(chain.processors()):
            captured = bool(loggers.with_ours()) or behind.is_sink()
            yield found("W403" if captured else "E402", walk.drawn(len(walk.names)))
        return
    first = walk.ours[0]
    yield from _of_those_before(walk, first)
    yield from _of_what_came(walk, first)
    if len(walk.ours) > 1:
        yield found("W411", walk.drawn(walk.ours[1]), count=len(walk.ours))
    if walk.raised is not None and walk.reached > first:
        where = walk.names[walk.reached]
        yield found("E414", walk.drawn(walk.reached), processor=where, error=walk.raised)


def _of_those_before(walk: Walk, first: int) -> Iterator[Finding]:
    """What other processors do before the first of ours."""
    for number, processor in enumerate(chain.processors()[:first]):
        name, drawn = walk.names[number], walk.drawn(first)
        if name in _MERGES:
            yield found("W405", drawn, processor=name)
        elif name in _FORMAT_EXCEPTIONS:
            yield found("W407", drawn, processor=_shown(name))
        elif number == walk.dropped_at and name == _FILTERS_BY_LEVEL:
            continue  # it is logging's levels that are wrong
        elif number == walk.dropped_at:
            yield found("E413", walk.drawn(number), processor=name, does="drops the event")
        elif name != _FILTERS_BY_LEVEL and _can_drop(processor):
            yield found("W408", drawn, processor=name)
    if walk.rendered_at is not None and walk.rendered_at < first:
        yield found("E404", walk.drawn(first), processor=walk.names[walk.rendered_at])
    elif walk.raised is not None and walk.reached < 0:
        yield found("E416", error=walk.raised)
    elif walk.raised is not None and walk.reached < first:
        name = walk.names[walk.reached]
        does = f"raises {walk.raised}"
        yield found("E413", walk.drawn(walk.reached), processor=name, does=does)
    elif walk.untagged_at is not None and walk.untagged_at < first:
        name = walk.names[walk.untagged_at]
        yield found(
            "E413", walk.drawn(walk.untagged_at), processor=name, does="takes its tag away"
        )


def _of_what_came(walk: Walk, first: int) -> Iterator[Finding]:
    """How the event looked when ours saw it."""
    if not walk.way.arrivals:
        return
    arrival = walk.way.arrivals[0]
    if arrival.event != EVENT and walk.renamed_at is not None and walk.renamed_at < first:
        processor = chain.processors()[first]
        yield found(
            "E406",
            walk.drawn(first),
            processor=walk.names[walk.renamed_at],
            key=shown(getattr(processor, "_event_key", "event")),
        )
    bound = {*get_contextvars(), KEY}
    added = [shown(key) for key in arrival.payload if isinstance(key, str) and key not in bound]
    if arrival.event != EVENT:
        added = []  # one of them is the name
    if added:
        keys = ", ".join(added[:_KEYS_NAMED])
        yield found("W412", walk.drawn(first), keys=keys, processor=walk.names[first - 1])


def _shown(name: str) -> str:
    return "format_exc_info" if name == "ExceptionRenderer" else name


def _can_drop(processor: Any) -> bool:
    """Whether the code of *processor* names DropEvent."""
    for function in (processor, type(processor).__dict__.get("__call__")):
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        if isinstance(code, CodeType) and "DropEvent" in {*_names(code)}:
            return True
    return False


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
