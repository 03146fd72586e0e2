"""One thing that keeps tagged records from us, and the sentence that says so."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal[
    "nothing of ours",
    "captured logs",
    "no processor",
    "no parentheses",
    "handler's parentheses",
    "no handler",
    "filtering wrapper",
    "behind a renderer",
    "bound before",
    "logging disabled",
    "handler's level",
    "sink's level",
    "logger's level",
    "own logger's level",
    "logger disabled",
    "island",
]

_TEXTS: dict[Kind, str] = {
    "nothing of ours": (
        "neither is CustomerIOProcessor in structlog's chain{value}, nor is a CustomerIOHandler "
        "on any logger"
    ),
    "captured logs": (
        "something that captures logs has taken CustomerIOProcessor out of structlog's chain: "
        "capture_logs(processors=[CustomerIOProcessor()]) keeps it, and so does pytest-"
        "structlog's ini structlog_keep = CustomerIOProcessor"
    ),
    "no processor": (
        "structlog's chain has no CustomerIOProcessor, and renders its events before a handler "
        "sees them, so that tagged events of structlog are not captured"
    ),
    "no parentheses": (
        "structlog's chain has CustomerIOProcessor without parentheses, and each log call fails: "
        "CustomerIOProcessor() is meant"
    ),
    "handler's parentheses": (
        "{subject} has CustomerIOHandler without parentheses, and each log call there fails: "
        "CustomerIOHandler() is meant"
    ),
    "no handler": (
        "no CustomerIOHandler is on any logger, so that tagged records of logging are not captured"
    ),
    "filtering wrapper": (
        "structlog's wrapper class filters info: it lets {value} through and what is above"
    ),
    "behind a renderer": "CustomerIOProcessor stands behind {subject} in structlog's chain",
    "bound before": (
        "the logger {subject} was bound or cached before structlog was configured: "
        "CustomerIOProcessor is not in its chain"
    ),
    "logging disabled": "logging.disable({value}) filters info",
    "handler's level": (
        "the CustomerIOHandler on {subject} has level {value}, which filters info"
    ),
    "sink's level": (
        "the CustomerIOHandler that is a sink of loguru has level {value}, which filters info"
    ),
    "logger's level": "{subject} has level {value}, which filters info",
    "own logger's level": "{subject} has level {value}, which filters info",
    "logger disabled": (
        "{subject} is disabled, most often by a dictConfig without disable_existing_loggers=False"
    ),
    "island": "{subject} does not propagate to where a CustomerIOHandler is",
}


class Obstacle(NamedTuple):
    """
    What keeps records from us.

    Attributes:
        kind: What it is.

        subject: Of which logger or processor, in words; ``""`` where there is but one.

        value: Its level, or what else there is to say.

        at: The loggers for which to change it, in words; ``""`` where that is the subject.

        partial: Whether records of the other source, structlog or logging, are captured.
    """

    kind: Kind
    subject: str = ""
    value: str = ""
    at: str = ""
    partial: bool = False

    @property
    def text(self) -> str:
        """The sentence, without a full stop."""
        return _TEXTS[self.kind].format(subject=self.subject, value=self.value)
