"""
What both ways in do with a tagged record: take it, once, and mark it.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from cio_events._calls.people import Call
from cio_events._pipeline.default import default_pipeline
from cio_events._process.diagnostics import warn_once
from cio_events._process.suppression import interrupted, suppressed
from cio_events._sources.fields import PayloadKeys, rest_of
from cio_events._sources.tags import Taken, call_of, id_of, summary_tags
from cio_events.errors import ParamError

if TYPE_CHECKING:
    from cio_events._pipeline.pipeline import Pipeline


def capture(
    pipeline: Pipeline | None,
    fields: MutableMapping[str, Any],
    event: object,
    keys: PayloadKeys,
    logged_at: float | None = None,
) -> bool:
    """
    Hand the call that a tagged record asks for to *pipeline*, or to the default one.

    From then on *fields* show ``cio_event_id``, and plain tags where a call object was. The
    other arguments are those of `tags.call_of`.

    Returns:
        Whether it was taken just now; not if it was before, or is one of our own.

    Raises:
        ParamError: No call can be made of the record, and the pipeline is strict.
    """
    if "cio_event_id" in fields and type(fields["cio_event_id"]) is Taken:
        return False
    if suppressed() and not interrupted():
        return False
    try:
        if pipeline is None:
            pipeline = default_pipeline()
        id_ = None
        if type(fields) is dict:
            shape = keys[tuple(fields)]
            if shape.plain:
                who, data = fields["cio_customer"], rest_of(fields, shape)
                id_ = pipeline.accept_event(who, event, data, logged_at)
        if id_ is None:
            id_ = _capture_call(pipeline, fields, event, keys, logged_at)
    except Exception as error:
        if pipeline is not None and pipeline.strict:
            raise
        # Logging must go on whatever is wrong with us.
        warn_once("intake", f"a tagged record was lost: {type(error).__name__}")
        return False
    fields["cio_event_id"] = Taken(id_)
    if "cio" in fields and isinstance(fields["cio"], Call):
        fields.update(summary_tags(fields["cio"]))
    return True


def _capture_call(
    pipeline: Pipeline,
    fields: MutableMapping[str, Any],
    event: object,
    keys: PayloadKeys,
    logged_at: float | None,
) -> str:
    given = None
    try:
        call = call_of(fields, event, keys, logged_at)
        if "cio_event_id" in fields:
            given = id_of(fields)
    except ParamError as error:
        return pipeline.refuse(error)
    except Exception as error:  # noqa: BLE001 - what a record holds may raise anything
        return pipeline.refuse(ParamError("cio", f"reading it raised {type(error).__name__}"))
    return pipeline.accept(call, given)
