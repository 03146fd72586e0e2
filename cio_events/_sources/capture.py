"""Capture a tagged record, whatever its source: once, whatever it holds, and mark it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from cio_events._calls.call import Call
from cio_events._interrupts import faults, suppress_faults
from cio_events._pipeline.default import get_pipeline
from cio_events._process import debugging, exits
from cio_events._process.diagnostics import origin, warn_few, warn_once
from cio_events._process.forks import late_imports
from cio_events._process.suppression import interrupted, suppressed
from cio_events._sources import probing, untagged
from cio_events._sources.context import bound_to_context
from cio_events._sources.copies import is_original
from cio_events._sources.debugging import say_outcome, say_untagged
from cio_events._sources.fields import TRIGGERS, Shape, Shapes, say_misplaced
from cio_events._sources.line import keys_given
from cio_events._sources.origin import origin_of
from cio_events._sources.record import Record
from cio_events._sources.setup.report import expect_report
from cio_events._sources.tags import call_of, summary_tags
from cio_events.errors import ParamError

if TYPE_CHECKING:
    from cio_events._pipeline.pipeline import Pipeline

OURS = "not captured, since a receiver, before_send or what sends our calls has logged it"
_MARKED = "not captured, since its marks say that it was before"
_COPIED = "not captured, since another handler has captured it, beside the queue or behind it"
_BOUND = "not captured, since what would make a call of it is bound to the context"


class Capture:
    """
    Captures the tagged records of one processor or handler.

    Args:
        pipeline: Where the calls go; None is the default one.

        event_key: Where a structlog event has its message; None if the records are no such.

        hidden: Keys of such records that are no payload.

        from_factory: Whether the records come from logging's record factory.

        way: What tells its handler from others, if what it gets are records of logging, which
            queues copy.

    Raises:
        ParamError: *pipeline* is none.
    """

    __slots__ = ("_event_key", "_from_factory", "_hidden", "_pipeline", "_shapes", "_way")

    def __init__(
        self,
        pipeline: Pipeline | None,
        *,
        event_key: str | None = None,
        hidden: frozenset[str] = frozenset(),
        from_factory: bool = False,
        way: object = None,
    ) -> None:
        if pipeline is not None:
            # Not imported above: a process that only sets up its loggers does not need it yet.
            with late_imports():
                from cio_events._pipeline.pipeline import Pipeline

            if not issubclass(type(pipeline), Pipeline):
                raise ParamError("pipeline", "must be a Pipeline, or None for the default one")
        debugging.look()
        expect_report()
        exits.expect_end_of_uvicorn()
        self._pipeline = pipeline
        self._event_key = event_key
        self._hidden = hidden
        self._from_factory = from_factory
        self._way = way
        self._shapes: tuple[Pipeline | None, Shapes] = (None, Shapes())

    def capture(
        self,
        fields: MutableMapping[str, Any],
        event: object,
        source: object,
        logged_at: float | None = None,
        context: Callable[[], Mapping[str, Any]] = bound_to_context,
    ) -> bool:
        """
        Hand the call that a tagged record asks for to the pipeline, and mark *fields*.

        Args:
            fields: The record's keys or attributes. From then on they show ``cio_event_id``, or
                why there is no call as ``cio_refused``; and plain tags where a call object was.

            event: The record's message, before any formatting.

            source: The record of logging, or the logger that structlog has wrapped.

            logged_at: When it was logged, in Unix seconds, if that may be a while ago.

            context: Tells what is bound to the context.

        Returns:
            Whether it was captured now, and not before, and is none of our own.

        Raises:
            ParamError: No call can be made of the record, and the pipeline is strict.
        """
        pipeline = self._pipeline
        try:
            if "cio_event_id" in fields or "cio_refused" in fields:
                return self.pass_by(fields, event, _MARKED)
            if suppressed() and not interrupted():
                return self.pass_by(fields, event, OURS)
            if self._way is not None and not is_original(source, self._way):
                return self.pass_by(fields, event, _COPIED)
            if probing.on and (probe := probing.current.get()) and probe.is_in(fields):
                self._let_arrive(probe, fields, event)
                return True
            if pipeline is None:
                pipeline = get_pipeline()
            made_for, shapes = self._shapes
            if made_for is not pipeline:
                shapes = self._shapes_for(pipeline)
            read = fields if type(fields) is dict else dict(fields)
            shape = shapes[tuple(read)]
            if copy_context() and (bound := context()):
                left_out = _merged(read, shape, bound, partial(keys_given, fields, source))
                if not TRIGGERS.isdisjoint(bound):
                    said_of = partial(origin_of, event, read, source)
                    warn_once("bound", lambda: f"{untagged.BOUND} ({said_of()})")
                if left_out:
                    read = {key: value for key, value in read.items() if key not in left_out}
                    shape = shapes[tuple(read)]
                    if TRIGGERS.isdisjoint(read):
                        return self.pass_by(fields, event, _BOUND)
            if shape.meant or (shape.hidden and not shape.is_usual(read)):
                for key in shape.misplaced(read, partial(keys_given, fields, source)):
                    say_misplaced(key, partial(origin_of, event, read, source))
            id_ = reason = None
            if shape.plain:
                # Loops, which are faster than comprehensions.
                if shape.rest is None:
                    data = {}
                    for key in shape.payload:
                        data[key] = read[key]
                else:
                    data = read.copy()
                    for key in shape.rest:
                        del data[key]
                id_ = pipeline.accept_event(read["cio_customer"], event, data, logged_at)
            if id_ is None:
                record = Record(read, event, shape, logged_at, pipeline.id_type)
                before = origin.get()
                try:
                    origin.set(partial(origin_of, event, read, source))
                    id_, reason = _accept(pipeline, record)
                finally:
                    origin.set(before)
        except faults(Exception) as error:
            if pipeline is not None and pipeline.strict:
                raise
            # Logging must go on whatever is wrong with us.
            id_, reason = "", _count_lost(pipeline, error)
        if debugging.on:
            outcome = f"captured as {id_}" if reason is None else f"not captured ({reason})"
            say_outcome(pipeline, fields, event, outcome)
        try:
            if "cio" in fields and issubclass(type(fields["cio"]), Call):
                _show_summary(fields)
            if reason is None:
                fields["cio_event_id"] = id_
            else:
                fields["cio_refused"] = reason
        except faults(Exception) as error:  # a mapping that cannot be written to
            warn_few("no mark", type(error).__name__, "was raised while a record was marked")
        return True

    def look_at_untagged(
        self, places: Sequence[Mapping[Any, Any]], event: object, source: object
    ) -> None:
        """Say what of a record without a trigger was probably meant to make a call of it."""
        if debugging.on:
            for fields in places:
                say_untagged(self._pipeline, fields, event)
        untagged.look(places, event, source)

    def pass_by(self, fields: Mapping[Any, Any], event: object, why: str) -> bool:
        """
        Say *why* a tagged record is not captured, where somebody wants to hear of it.

        Returns:
            False, as `capture` does for a record that is not captured.
        """
        if debugging.on:
            say_outcome(self._pipeline, fields, event, why)
        return False

    def _let_arrive(
        self, probe: probing.Probe, fields: MutableMapping[str, Any], event: object
    ) -> None:
        shapes = Shapes(
            hidden=self._hidden, event_key=self._event_key, from_factory=self._from_factory
        )
        payload = shapes[tuple(fields)].payload
        probe.arrivals.append(probing.Arrival(event, payload, self._pipeline))
        fields["cio_event_id"] = probe.customer

    def _shapes_for(self, pipeline: Pipeline) -> Shapes:
        shapes = Shapes(
            hidden=self._hidden,
            globs=pipeline.options.hidden,
            event_key=self._event_key,
            only_data=pipeline.options.payload == "data",
            from_factory=self._from_factory,
        )
        self._shapes = (pipeline, shapes)
        return shapes


def _accept(pipeline: Pipeline, record: Record) -> tuple[str, str | None]:
    try:
        call = call_of(record)
    except ParamError as error:
        return "", pipeline.refuse(error)
    except faults(Exception) as error:  # what a record holds may raise anything
        problem = ParamError("cio", f"reading the record raised {type(error).__name__}")
        return "", pipeline.refuse(problem)
    return pipeline.accept(call)


def _merged(
    fields: Mapping[str, Any],
    shape: Shape,
    bound: Mapping[str, Any],
    given: Callable[[], frozenset[Any] | None],
) -> set[str]:
    """
    Which of the *fields* come from what is *bound* to the context, and say nothing of a person.

    What the log call has *given* stays. Where that can be told neither by its place nor by the
    call, the context was merged only if all that is bound is there. Of tags, an identity and its
    type are for a line that names nobody, and no other says anything where it is bound.
    """
    merged = {
        key
        for key, value in bound.items()
        if key in fields and fields[key] is value and key not in shape.explicit
    }
    if merged and not shape.explicit:
        told = given()
        if told is not None:
            merged -= told
        elif not all(key in fields for key in bound):
            return set()
    if "cio_identity" in merged and ("cio_customer" in merged or "cio_customer" not in fields):
        merged -= {"cio_identity", "cio_id_type"}
    return merged


def _count_lost(pipeline: Pipeline | None, error: Exception) -> str:
    """Count a record that is lost by a fault of ours, and say so."""
    kind = type(error).__name__
    warn_few("lost", kind, "was raised while a tagged record was read, which is lost")
    if pipeline is not None:
        with suppress_faults(Exception):  # the ledger itself may be at fault
            pipeline.refuse(ParamError("record", f"reading it raised {kind}"))
    return "invalid"


def _show_summary(fields: MutableMapping[str, Any]) -> None:
    call = fields["cio"]
    try:
        fields.update(summary_tags(call))
    except faults(Exception):  # a call that was made past its checks
        fields["cio"] = f"<{type(call).__name__}>"
