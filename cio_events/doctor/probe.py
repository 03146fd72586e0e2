"""A probe through each way in: a tagged record with a reserved name, which makes no call."""

from __future__ import annotations

from collections.abc import Iterator

from cio_events._sources.setup import chain
from cio_events.doctor.finding import Finding
from cio_events.doctor.subject import Subject
from cio_events.doctor.table import found
from cio_events.doctor.way import Way


def look(subject: Subject) -> Iterator[Finding]:
    """Tell which ways have led to us, and where the others end."""
    ways = [*_of_structlog(subject), *subject.records.ways]
    for way in ways:
        if not way.arrived:
            yield found("E602", way.drawn(), entrance=way.entrance, reason=way.reason)
    arrived = [way.entrance for way in ways if way.arrived]
    if arrived:
        named = ", ".join(arrived[:3]) + (" and others" if len(arrived) > 3 else "")
        yield found("I600", ways=named)
    if not ways:
        yield found("S601")


def _of_structlog(subject: Subject) -> Iterator[Way]:
    walk = subject.records.chain
    if walk is None:
        return
    # A chain without anything of ours that renders its events may be for other lines.
    if walk.ours or chain.lacks_parentheses() or chain.keeps_tags(chain.processors()):
        yield walk.way
