"""logging's source: the handler that captures tagged records, wherever in them the tags are."""

from __future__ import annotations

import logging
import re
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, cast

from cio_events._exported import exported
from cio_events._interrupts import faults
from cio_events._pipeline.default import leave, pipeline_of_handler
from cio_events._process import debugging
from cio_events._process.diagnostics import warn_once
from cio_events._process.suppression import SUPPRESSED
from cio_events._process.tracebacks import without_locals
from cio_events._sources import attachment, loguru
from cio_events._sources.capture import OURS, Capture
from cio_events._sources.fields import MARKS, OF_LOG_RECORDS
from cio_events._sources.origin import origin_of
from cio_events._sources.untagged import FIRST, POSITIONAL, is_tagged
from cio_events.errors import ParamError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cio_events._pipeline.pipeline import Pipeline
    from cio_events.options import OptionArguments

# What sends our calls logs on its own behalf; to capture that would never end.
_NEVER_CAPTURED = frozenset({"cio_events", "urllib3", "requests", "charset_normalizer"})

# A tag as a dictionary's text, JSON, logfmt and structlog's console (with colours) show it.
_TAG_AS_TEXT = re.compile(
    r"""^\{.*["']cio(_customer)?["']\s*:|(\b|\x1b\[\d+m)cio_customer(\x1b\[\d+m)*=""", re.DOTALL
)

# So far into a text it is looked for.
_TEXT_READ = 10_000

# Attributes that are dictionaries in which others keep what a log call was given.
_NESTS = ("extra", "json_fields")

_EVENTS = ("track", "page", "screen")

_WAS_RENDERED = (
    "a tag was rendered into the text of its record before CustomerIOHandler saw it, so that no "
    "call can be made of it; in structlog, CustomerIOProcessor belongs into the chain then, and "
    "in loguru, tags are keyword arguments"
)

_NO_TEMPLATE = (
    "an event's name was read from the text that a QueueHandler has made, which may be another "
    "each time: cio_event gives a name, or CustomerIOHandler can stand beside the queue, since "
    "it never waits"
)


@exported
class CustomerIOHandler(logging.Handler):
    """
    A `logging.Handler` that makes a Customer.io call of each tagged record.

    Tags are attributes, as ``extra`` makes them, or keys of a dictionary: of the message itself,
    of a structlog event that waits for its `structlog.stdlib.ProcessorFormatter`, of loguru's
    ``extra`` (the handler is a sink of loguru, too), or of ``json_fields``. Records of this
    package and of the HTTP library beneath it are never captured. A captured record shows
    ``cio_event_id``, or why it was refused as ``cio_refused``.

    It neither formats nor waits: `flush` and `close`, which `logging` calls while it holds its
    own lock, have nothing to do. Use `Pipeline.flush` and `Pipeline.close`.

    Args:
        pipeline: Where the calls go; None is the default pipeline (`get_pipeline`).

        level: Records below it are not looked at.

        options: Options of a pipeline of its own, in place of *pipeline*. The same options again
            mean the same pipeline, so that a second ``dictConfig`` makes no second one. Without
            credentials among them, they are for the pipeline of the environment's credentials.

    Raises:
        ParamError: An option is invalid, or *pipeline* is no pipeline.
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
        self._own = pipeline_of_handler(options) if options else None
        self._pipeline = self._own or pipeline
        way = id(self)
        self._of_structlog = Capture(self._pipeline, event_key="event", way=way)
        self._of_dictionaries = Capture(
            self._pipeline, hidden=frozenset({"event", "message", "msg"}), way=way
        )
        self._of_nests = Capture(self._pipeline, way=way)
        self._of_attributes = Capture(
            self._pipeline, hidden=OF_LOG_RECORDS | MARKS, from_factory=True, way=way
        )
        self._looks = FIRST
        super().__init__(level)
        self.closed: bool = False
        self.seen: str | None = None
        attachment.watch(self)
        CustomerIOHandler.made = True

    def handle(self, record: logging.LogRecord) -> bool:
        """
        Emit *record* if the filters let it pass; unlike other handlers, without a lock.

        None is needed, and a thread that waits for room (``on_full="block"``) must not stop
        what others log.
        """
        if not self.filters:
            self.emit(record)
            return True
        kept: object = self.filter(record)
        if kept:
            self.emit(kept if isinstance(kept, logging.LogRecord) else record)
        return cast("bool", kept)

    def set_name(self, name: str) -> None:
        """Have this name, as a ``dictConfig`` gives one: the handler is for a logger."""
        super().set_name(name)
        attachment.expect_loss()

    name: str | None = property(  # type: ignore[assignment]
        logging.Handler.get_name, set_name, doc="Its name; None if it has none."
    )

    def write(self, message: object) -> None:
        """Handle what loguru gives to a sink."""
        record = loguru.record_of(message)
        if record is not None and record.levelno >= self.level:
            if not is_tagged(record.__dict__["extra"]):
                record = loguru.intercepted() or record
            self.handle(record)

    def close(self) -> None:
        """Be done with: nothing is waited for, and nothing is lost."""
        if not self.closed and self._own is not None:
            leave(self._own)
        self.closed = True
        super().close()

    def __del__(self) -> None:
        attachment.gone(self)

    def emit(self, record: logging.LogRecord) -> None:
        """
        Capture *record* if it is tagged.

        Raises:
            ParamError: No call can be made of it, and the pipeline is strict.
        """
        attributes = record.__dict__
        if self.seen is None:
            attachment.see(self, record.name)
        if "cio_customer" in attributes or "cio" in attributes:
            if _is_foreign(record):
                self._of_attributes.capture(
                    attributes, _name_of(record, attributes), record, _time_of(record)
                )
                self._looks = self._looks or 1
            elif debugging.on:
                self._of_attributes.pass_by(attributes, record.msg, OURS)
            return
        message = record.msg
        # Not isinstance(), which asks a lazy object what it is.
        if issubclass(type(message), dict):
            told = cast("dict[str, Any]", message)
            # By dict's own method: a class of the application's may raise.
            if dict.__contains__(told, "cio_customer") or dict.__contains__(told, "cio"):
                self._looks = self._looks or 1
                self._capture_message(record, attributes, told)
                return
        elif issubclass(type(message), str) and _is_rendered_tag(message):
            _say_once("rendered", _WAS_RENDERED, record, None)
        for nest in _NESTS:
            if nest in attributes and is_tagged(attributes[nest]):
                self._looks = self._looks or 1
                self._capture_nest(record, attributes, nest)
                return
        if is_tagged(record.args):
            _say_once("positional", POSITIONAL, record, message)
        if (self._looks or debugging.on) and _is_foreign(record):
            self._looks = max(self._looks - 1, 0)
            nests = [attributes[nest] for nest in _NESTS if nest in attributes]
            places = [one for one in (attributes, message, *nests) if issubclass(type(one), dict)]
            self._of_attributes.look_at_untagged(places, message, record)

    def _capture_message(
        self, record: logging.LogRecord, attributes: dict[str, Any], message: dict[str, Any]
    ) -> None:
        """Capture a record whose message is a dictionary with tags."""
        if not _is_foreign(record):
            if debugging.on:
                self._of_dictionaries.pass_by(message, dict.get(message, "event"), OURS)
            return
        if "_logger" in attributes and "_name" in attributes:
            # structlog's wrap_for_formatter has been here: the event is the record's own.
            captured = self._of_structlog.capture(
                message, dict.get(message, "event"), record, _time_of(record)
            )
        else:
            # The application's, which may log it again, and whose class may raise anything.
            fields = dict(dict.items(message))
            name = fields.get("event", fields.get("message", fields.get("msg")))
            captured = self._of_dictionaries.capture(fields, name, record, _time_of(record))
            if captured:
                record.msg = _shown(message, fields)
            message = fields
        if captured:
            _mark(attributes, message)

    def _capture_nest(
        self, record: logging.LogRecord, attributes: dict[str, Any], nest: str
    ) -> None:
        """Capture a record that has its tags in the dictionary *nest*."""
        fields, name = attributes[nest], record.msg
        if not _is_foreign(record) or (nest == "extra" and loguru.queued_by_us(fields)):
            self._of_nests.pass_by(fields, name, OURS)
            return
        if not MARKS.isdisjoint(attributes):
            return
        if nest == "extra":
            # loguru's, made for this record alone; as logging's, its text ends in a traceback.
            if issubclass(type(name), str) and (record.exc_info or record.args is None):
                name = name.partition("\n")[0]
            captured = self._of_nests.capture(
                fields, name, record, _time_of(record), loguru.bound_to_context
            )
        else:
            attributes[nest] = fields = dict(fields)
            captured = self._of_nests.capture(
                fields, _name_of(record, fields), record, _time_of(record)
            )
        if captured:
            _mark(attributes, fields)


def _shown(message: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """A copy of *message* with these *fields*, of its own class if that can be copied."""
    if type(message) is dict:
        return fields
    try:
        copied = copy(message)
    except faults(Exception):  # whatever the class raises
        return fields
    if copied is message or not issubclass(type(copied), dict):
        return fields
    dict.update(copied, fields)
    return copied


def _say_once(kind: str, message: str, record: logging.LogRecord, event: object) -> None:
    warn_once(kind, lambda: f"{message} ({origin_of(event, record.__dict__, record)})")


def _is_rendered_tag(message: str) -> bool:
    return (
        str.__contains__(message, "cio")
        and not any(str.__contains__(message, mark) for mark in MARKS)
        and _TAG_AS_TEXT.search(str.__str__(message), 0, _TEXT_READ) is not None
    )


def _is_foreign(record: logging.LogRecord) -> bool:
    """Whether *record* is none of ours, nor of the HTTP library that sends our calls."""
    name: Any = record.name
    return SUPPRESSED not in record.__dict__ and not (
        issubclass(type(name), str) and str.partition(name, ".")[0] in _NEVER_CAPTURED
    )


def _name_of(record: logging.LogRecord, fields: dict[str, Any]) -> object:
    """The message of *record* before any formatting; behind a QueueHandler what is left of it."""
    message: object = record.msg
    if record.args is not None or type(message) is not str or "message" not in record.__dict__:
        return message
    name, what = message.partition("\n")[0], fields.get("cio", "track")
    if "cio_event" not in fields and type(what) is str and what in _EVENTS:
        _say_once("queue", _NO_TEMPLATE, record, name)
    return name


def _time_of(record: logging.LogRecord) -> float | None:
    """When *record* was logged, which behind a queue is earlier than now."""
    created: object = record.created
    return created if type(created) is float and 0.0 <= created < 1e11 else None


def _mark(attributes: dict[str, Any], fields: dict[str, Any]) -> None:
    for mark in MARKS:
        if dict.__contains__(fields, mark):
            attributes[mark] = dict.__getitem__(fields, mark)
