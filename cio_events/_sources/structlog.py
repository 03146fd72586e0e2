"""
structlog's way in.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING

from cio_events._exported import exported
from cio_events._process.diagnostics import warn_once
from cio_events._sources.capture import capture
from cio_events._sources.fields import TAGS, PayloadKeys
from cio_events._sources.logging import CustomerIOHandler

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

    from cio_events._pipeline.pipeline import Pipeline

_NO_HANDLER = (
    "CustomerIOProcessor leaves tagged records of logging to a CustomerIOHandler, and there is "
    "none, so that they are not sent"
)


@exported
class CustomerIOProcessor:
    """
    A structlog processor that makes a Customer.io call of each tagged event.

    It belongs after ``merge_contextvars`` and before anything that renames, formats or renders
    the event. In a `structlog.stdlib.ProcessorFormatter` it belongs before
    ``remove_processors_meta``, and leaves the records of `logging` to a `CustomerIOHandler`.

    The event dictionary passes as it came, but that a taken one shows ``cio_event_id``, and
    plain tags where a call object was.

    Args:
        pipeline: Where the calls go; None is the default pipeline, which is made from the
            environment when it is first needed, unless it was configured.

        event_key: The key of the log message, if `structlog.processors.EventRenamer` has
            renamed it before.
    """

    __slots__ = ("_event_key", "_keys", "_pipeline")

    def __init__(self, pipeline: Pipeline | None = None, *, event_key: str = "event") -> None:
        self._pipeline = pipeline
        self._event_key = event_key
        self._keys = PayloadKeys(event_key)

    def __call__(
        self, logger: WrappedLogger, method_name: str, event_dict: EventDict
    ) -> EventDict:
        """
        Take *event_dict* if it is tagged, and return it.

        Raises:
            ParamError: No call can be made of it, and the pipeline is strict.
        """
        if type(event_dict) is dict or isinstance(event_dict, MutableMapping):
            if "cio_customer" in event_dict or "cio" in event_dict:
                if "_record" in event_dict:
                    self._take_in_formatter(event_dict)
                else:
                    capture(
                        self._pipeline, event_dict, event_dict.get(self._event_key), self._keys
                    )
        else:
            warn_once(
                "position",
                f"CustomerIOProcessor was handed a {type(event_dict).__name__}: it belongs "
                "before the processor that renders the event",
            )
        return event_dict

    def _take_in_formatter(self, event_dict: EventDict) -> None:
        """
        Take an event that a `ProcessorFormatter` formats, perhaps one of several that do.

        It hands out copies: of a structlog event, whose original in the record is what others
        see, and of a whole record of logging, where a mark would be lost.
        """
        if event_dict.get("_from_structlog") is False:
            if not CustomerIOHandler.made:
                warn_once("foreign", _NO_HANDLER)
            return
        original = getattr(event_dict["_record"], "msg", None)
        if capture(self._pipeline, event_dict, event_dict.get(self._event_key), self._keys) and (
            isinstance(original, MutableMapping)
        ):
            original.update((tag, event_dict[tag]) for tag in TAGS if tag in event_dict)
