"""Say of a record what became of it, where the option ``debug`` asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cio_events._interrupts import suppress_faults
from cio_events._pipeline.default import get_pipeline
from cio_events._process.diagnostics import say, shown
from cio_events._sources.fields import MARKS, TRIGGERS
from cio_events._sources.origin import event_name
from cio_events._sources.setup.report import report

if TYPE_CHECKING:
    from cio_events._pipeline.pipeline import Pipeline

_KEYS_SHOWN = 12


listener: Callable[[Mapping[Any, Any], object, str], None] | None = None
"""Hears the outcome of each record, as its fields, its message and what became of it."""


def say_outcome(
    pipeline: Pipeline | None, fields: Mapping[Any, Any], event: object, outcome: str
) -> None:
    """Say the *outcome* of a record, if *pipeline* has ``debug``; None is the default one."""
    with suppress_faults(Exception):  # what a record holds may raise anything
        if listener is not None:
            listener(fields, event, outcome)
        if (pipeline or get_pipeline()).options.debug:
            report()
            keys = ", ".join(_keys(fields)[:_KEYS_SHOWN])
            say(f"debug: record {event_name(event, [])} with {keys}: {outcome}")


def say_untagged(pipeline: Pipeline | None, fields: Mapping[Any, Any], event: object) -> None:
    """Say why a record is no call that has keys like tags, but none that makes it one."""
    with suppress_faults(Exception):
        if (pipeline or get_pipeline()).options.debug:
            report()
        keys = fields.keys()
        if TRIGGERS.isdisjoint(keys) and MARKS.isdisjoint(keys) and _keys(fields):
            outcome = "not captured, since it has neither cio_customer nor cio"
            say_outcome(pipeline, fields, event, outcome)


def _keys(fields: Mapping[Any, Any]) -> list[str]:
    # Each is a name that the application's code has; cut and escaped all the same.
    return [shown(key) for key in fields if type(key) is str and key.startswith("cio")]
