"""
logging's way in.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, ClassVar, cast

from cio_events._exported import exported
from cio_events._pipeline.default import configure
from cio_events._process.diagnostics import warn_once
from cio_events._process.tracebacks import without_locals
from cio_events._sources.capture import capture
from cio_events._sources.fields import KEYS_OF_RECORDS, PayloadKeys
from cio_events.errors import ParamError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cio_events._pipeline.pipeline import Pipeline
    from cio_events.options import OptionArguments

# What sends our calls logs on its own behalf; to take that would never end.
_NEVER_TAKEN = frozenset({"cio_events", "urllib3", "requests", "charset_normalizer"})

_KEYS_OF_WRAPPED = PayloadKeys("event")

# A tag as a dictionary's text, JSON, logfmt and structlog's console (with colours) show it.
_TAG_AS_TEXT = re.compile(
    r"""^\{.*["']cio(_customer)?["']\s*:|(\b|\x1b\[\d+m)cio_customer(\x1b\[\d+m)*=""", re.DOTALL
)


@exported
class CustomerIOHandler(logging.Handler):
    """
    A `logging.Handler` that makes a Customer.io call of each tagged record.

    Tags are attributes, as ``extra`` makes them, or keys of a structlog event that waits for
    its `structlog.stdlib.ProcessorFormatter`. Records of this package and of the HTTP library
    beneath it are never taken. A taken record has the attribute ``cio_event_id``.

    It neither formats nor waits: `flush` and `close`, which `logging` calls while it holds its
    own lock, have nothing to do. Use `Pipeline.flush` and `Pipeline.close`.

    Args:
        pipeline: Where the calls go; None is the default pipeline, which is made from the
            environment when it is first needed, unless it was configured.

        level: Records below it are not looked at.

        options: Options for `configure`, in place of *pipeline*. The same options again mean
            the same pipeline, so that a second ``dictConfig`` makes no second one.

    Raises:
        ParamError: An option cannot be.
    """

    made: ClassVar[bool] = False
    """Whether this process has made one."""

    refuses_diagnostics = True

    @without_locals
    def __init__(
        self,
        pipeline: Pipeline | None = None,
        level: int | str = logging.NOTSET,
        **options: Unpack[OptionArguments],
    ) -> None:
        if options and pipeline is not None:
            raise ParamError("pipeline", "has its options already; give either it or options")
        super().__init__(level)
        self._pipeline = configure(**options) if options else pipeline
        CustomerIOHandler.made = True

    def handle(self, record: logging.LogRecord) -> bool:
        """
        Emit *record* if the filters let it pass; unlike other handlers, without a lock.

        None is needed, and a thread that waits for room (``on_full="block"``) must not stop
        what others log.
        """
        kept: object = self.filter(record) if self.filters else record
        if kept:
            self.emit(kept if isinstance(kept, logging.LogRecord) else record)
        return cast("bool", kept)

    def emit(self, record: logging.LogRecord) -> None:
        """
        Take *record* if it is tagged.

        Raises:
            ParamError: No call can be made of it, and the pipeline is strict.
        """
        attributes = record.__dict__
        message = record.msg
        if "cio_customer" in attributes or "cio" in attributes:
            self._capture(record, attributes, message, KEYS_OF_RECORDS)
        elif isinstance(message, str):
            if "cio" in message and "cio_event_id" not in message and _TAG_AS_TEXT.search(message):
                warn_once("rendered", _WAS_RENDERED)
        elif (
            isinstance(message, dict)
            and ("cio_customer" in message or "cio" in message)
            # structlog's wrap_for_formatter has been here.
            and "_logger" in attributes
            and "_name" in attributes
        ):
            self._capture(record, message, message.get("event"), _KEYS_OF_WRAPPED)

    def _capture(
        self,
        record: logging.LogRecord,
        fields: dict[str, object],
        event: object,
        keys: PayloadKeys,
    ) -> None:
        if isinstance(record.name, str) and record.name.partition(".")[0] in _NEVER_TAKEN:
            return
        # Behind a queue that is earlier than now.
        logged_at = record.created if _is_time(record.created) else None
        if capture(self._pipeline, fields, event, keys, logged_at):
            record.cio_event_id = fields["cio_event_id"]


_WAS_RENDERED = (
    "a tag was rendered into the text of its record before CustomerIOHandler saw it, so that no "
    "call can be made of it; CustomerIOProcessor belongs into structlog's chain then"
)


def _is_time(created: object) -> bool:
    """
    Whether *created* is a record's time, and not what somebody has made of it.
    """
    return isinstance(created, float) and 0 <= created < 1e11
