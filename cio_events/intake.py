"""
What both ways in do with a tagged record: take it, once, and say how it is marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cio_events.calls import Call
from cio_events.diagnostics import warn_once
from cio_events.errors import ParamError
from cio_events.origin import ours
from cio_events.pipeline import Pipeline, default_pipeline
from cio_events.tags import PayloadKeys, Taken, call_of, id_of, shown

_NOTHING: Mapping[str, object] = {}


def take(
    pipeline: Pipeline | None,
    fields: Mapping[str, Any],
    event: object,
    keys: PayloadKeys,
    logged_at: float | None = None,
) -> Mapping[str, object]:
    """
    Hand the call that a tagged record asks for to *pipeline*, or to the default one.

    The other arguments are those of `tags.call_of`.

    Returns:
        What the record has to show from now on: nothing new if it was taken before, or is
        one of our own.

    Raises:
        ParamError: No call can be made of the record, and the pipeline is strict.
    """
    if type(fields.get("cio_event_id")) is Taken or ours():
        return _NOTHING
    strict = False
    try:
        if pipeline is None:
            pipeline = default_pipeline()
        strict = pipeline.strict
        try:
            call = call_of(fields, event, keys, logged_at)
            given = id_of(fields) if "cio_event_id" in fields else None
        except ParamError as error:
            id_ = pipeline.refuse(error)
        except Exception as error:  # noqa: BLE001 - what a record holds may raise anything
            id_ = pipeline.refuse(ParamError("cio", f"reading it raised {type(error).__name__}"))
        else:
            id_ = pipeline.accept(call, given)
    except Exception as error:
        if strict:
            raise
        # Logging must go on whatever is wrong with us.
        warn_once("intake", f"a tagged record was lost: {type(error).__name__}")
        return _NOTHING
    marks: dict[str, object] = {"cio_event_id": Taken(id_)}
    if "cio" in fields and isinstance(fields["cio"], Call):
        marks.update(shown(fields["cio"]))
    return marks
