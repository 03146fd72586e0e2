"""What was heard, while a test records, of records that made no call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cio_events._calls.call import Call
from cio_events._process.callers import calling_line
from cio_events._sources.fields import MARKS, TAGS, TRIGGERS, likely_tag
from cio_events.errors import ParamError
from cio_events.signals import DroppedReason
from cio_events.testing.texts import label

# The kinds of diagnostics that tell of records.
_ABOUT_RECORDS = (
    "before_send",
    "bound",
    "detached",
    "foreign",
    "lost",
    "no mark",
    "no tag",
    "position",
    "positional",
    "queue",
    "rendered",
    "unused tag",
)

# What they say of a call that is refused, and what a record's outcome then is.
_REFUSED = ("invalid ", "too_large ")
_REFUSED_OUTCOMES = ("not captured (invalid)", "not captured (too_large)")

_MOST = 50


class Notes:
    """
    Reasons, each once, in the order in which they were heard.

    Args:
        told: Whether pipelines tell of what they refuse and drop, as they tell a recorder; else
            it is gathered from what is said to everybody.

    Attributes:
        reasons: A line each.

        arrived: Whether any tagged record has come as far as us.
    """

    def __init__(self, *, told: bool = True) -> None:
        self._told = told
        self.reasons: dict[str, None] = {}
        self.arrived: bool = False

    def refused(self, call: Call | None, error: ParamError) -> None:
        """No call could be made of something."""
        self.arrived = True
        what = "a record" if call is None else label(call)
        self.add(f"{what} was refused: {error}", where=True)

    def dropped(self, call: Call, reason: DroppedReason) -> None:
        """A pipeline has not accepted *call*."""
        self.arrived = True
        why = {
            "before_send": "before_send let it not through",
            "closed": "its pipeline was closed before",
        }.get(reason, f"it was dropped as {reason}")
        self.add(f"{label(call)} was not taken: {why}", where=True)

    def heard(self, kind: str, message: str) -> None:
        """The package has said something."""
        if kind in _ABOUT_RECORDS or (not self._told and kind.startswith(_REFUSED)):
            self.add(message, where=kind != "detached" and "(record " not in message)

    def outcome(self, fields: Mapping[Any, Any], event: object, outcome: str) -> None:
        """Hear what became of a record that has any key like a tag."""
        tagged = not TRIGGERS.isdisjoint(fields)
        self.arrived |= tagged
        # What was refused is told otherwise, and to a recorder what was dropped as well.
        others = ("not captured (",) if self._told else _REFUSED_OUTCOMES
        if outcome.startswith(("captured as", *others)):
            return
        name = f'"{event}"' if isinstance(event, str) else f"<{type(event).__name__}>"
        self.add(
            f"the record {name} was {outcome}{'' if tagged else _misspelt(fields)}", where=True
        )

    def add(self, reason: str, *, where: bool = False) -> None:
        """Keep a *reason*, with the line that runs now if that tells *where*."""
        line = calling_line() if where else None
        if len(self.reasons) < _MOST:
            self.reasons[f"{reason} (at {line})" if line else reason] = None


def _misspelt(fields: Mapping[Any, Any]) -> str:
    for key in fields:
        if isinstance(key, str) and key.startswith("cio") and key not in TAGS | MARKS:
            likely = likely_tag(key)
            return f"; is {key!a} {likely}?" if likely else f"; {key!a} is no tag"
    return ""
