"""structlog's source: the processor that captures tagged events."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from cio_events._exported import exported
from cio_events._process import debugging
from cio_events._process.diagnostics import warn_once
from cio_events._sources.capture import Capture
from cio_events._sources.fields import MARKS, TAGS
from cio_events._sources.logging import CustomerIOHandler
from cio_events._sources.untagged import FIRST
from cio_events.errors import ParamError

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

    from cio_events._pipeline.pipeline import Pipeline

_P = ParamSpec("_P")

# What structlog calls a processor with: a logger, a name of a method and an event.
_ARGUMENTS_OF_A_LINE = 3

_NO_HANDLER = (
    "CustomerIOProcessor leaves tagged records of logging to a CustomerIOHandler, and there is "
    "none, so that they are not sent"
)


def _not_with_a_line(init: Callable[_P, None]) -> Callable[_P, None]:
    """Say what is wrong where structlog has the class in its chain, and calls that."""

    @wraps(init)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> None:
        if len(args) == 1 + _ARGUMENTS_OF_A_LINE:
            raise TypeError(
                "structlog's chain has the class CustomerIOProcessor: it has to be "
                "CustomerIOProcessor(), with parentheses"
            )
        init(*args, **kwargs)

    return checked


@exported
class CustomerIOProcessor:
    """
    A structlog processor that makes a Customer.io call of each tagged event.

    Its place is first in the chain, behind `structlog.stdlib.filter_by_level` where that is used:
    there the event holds what the log call and ``bind`` say, and nothing of the context. Behind
    ``merge_contextvars`` it leaves out what that has merged. In a
    `structlog.stdlib.ProcessorFormatter` it belongs before ``remove_processors_meta``, and
    leaves the records of `logging` to a `CustomerIOHandler`.

    The event dictionary passes as it came, but that a captured one shows ``cio_event_id``, or
    why it was refused as ``cio_refused``, and plain tags where a call object was.

    Args:
        pipeline: Where the calls go; None is the default pipeline (`get_pipeline`).

        event_key: The key of the log message, if `structlog.processors.EventRenamer` has
            renamed it before.

    Raises:
        ParamError: *pipeline* is no pipeline, or *event_key* no text.
    """

    __slots__ = ("_event_key", "_events", "_looks")

    @_not_with_a_line
    def __init__(self, pipeline: Pipeline | None = None, *, event_key: str = "event") -> None:
        if not isinstance(event_key, str):
            raise ParamError("event_key", "must be text")
        self._events = Capture(pipeline, event_key=event_key)
        self._event_key = event_key
        self._looks = FIRST

    def __call__(
        self, logger: WrappedLogger, method_name: str, event_dict: EventDict
    ) -> EventDict:
        """
        Capture *event_dict* if it is tagged, and return it.

        Raises:
            ParamError: No call can be made of it, and the pipeline is strict.
        """
        if type(event_dict) is dict or issubclass(type(event_dict), MutableMapping):
            if "cio_customer" in event_dict or "cio" in event_dict:
                if "_record" in event_dict:
                    self._capture_in_formatter(event_dict)
                else:
                    self._events.capture(event_dict, event_dict.get(self._event_key), logger)
                self._looks = self._looks or 1
            elif self._looks or debugging.on:
                self._looks = max(self._looks - 1, 0)
                event = event_dict.get(self._event_key)
                self._events.look_at_untagged((event_dict,), event, logger)
        else:
            warn_once(
                "position",
                f"CustomerIOProcessor was handed a {type(event_dict).__name__}: it belongs "
                "before the processor that renders the event",
            )
        return event_dict

    def _capture_in_formatter(self, event_dict: EventDict) -> None:
        """
        Capture an event that a `ProcessorFormatter` formats, perhaps one of several that do.

        It hands out copies: of a structlog event, whose original in the record is what others
        see, and of a whole record of logging, where a mark would be lost.
        """
        if event_dict.get("_from_structlog") is False:
            if not CustomerIOHandler.made:
                warn_once("foreign", _NO_HANDLER)
            return
        record = event_dict["_record"]
        original: Any = getattr(record, "msg", None)
        event = event_dict.get(self._event_key)
        if self._events.capture(event_dict, event, record) and issubclass(
            type(original), MutableMapping
        ):
            shown = TAGS | MARKS
            original.update((tag, event_dict[tag]) for tag in shown if tag in event_dict)
