"""
The keys of a record: which of them are tags, which are payload, and which are neither.

Records of one line of code have the same keys, so that each set of keys is judged once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, TypeAlias

from cio_events._calls import limits
from cio_events._calls.validation import obviously_fits
from cio_events._interrupts import faults
from cio_events._process.diagnostics import warn_few
from cio_events._sources.instrumentation import written_by_instrumentation

TRIGGERS = frozenset({"cio_customer", "cio"})
"""The tags that make a call of a record."""

TAGS = TRIGGERS | {
    "cio_identity",
    "cio_id_type",
    "cio_anonymous",
    "cio_device",
    "cio_platform",
    "cio_event",
    "cio_data",
    "cio_timestamp",
}

MARKS = frozenset({"cio_event_id", "cio_refused"})
"""What a captured record shows; one that has either is not captured again."""

# Of a key that may be a misspelt tag.
_LONGEST = 40

# How like a tag one has to be: below it lie an application's own words, such as cio_office.
_LIKENESS = 0.75

# What a plain event has none of.
_TAGS_OF_OTHERS = TAGS - {"cio_customer", "cio_identity"}

# Customer.io's own attributes of a person, which begin as our tags do.
_OF_THE_VENDOR = frozenset({"cio_relationships", "cio_subscription_preferences"})
_PREFERENCE = "cio_subscription_preferences."

# What Customer.io itself reads among the attributes of a person.
_OF_THE_VENDOR_WITH_UNDERSCORE = frozenset({"_timestamp", "_update"})

CALL_SITE = frozenset(
    {
        *("pathname", "filename", "module", "qual_module", "func_name", "qual_name", "lineno"),
        *("thread", "thread_name", "process", "process_name"),
    }
)
"""The names of all parameters of structlog's `CallsiteParameterAdder`."""

# What processors put into an event that structlog makes.
_BY_PROCESSORS = CALL_SITE | {
    "level",
    "level_number",
    "logger",
    "timestamp",
    "exception",
    "stack",
}

# What they write there tells it from what a log call has given.
_TOLD_BY_VALUE = frozenset({"level", "logger", "timestamp"})

# And what is an argument of a log call.
_ABOUT_LOGGING = _BY_PROCESSORS | {"exc_info", "stack_info", "stacklevel", "positional_args"}

_LEVELS = frozenset(
    [
        "trace",
        "debug",
        "info",
        "success",
        "notice",
        "warn",
        "warning",
        "error",
        "err",
        "exception",
        "critical",
        "fatal",
        "notset",
    ]
)

OF_LOG_RECORDS = frozenset(
    {
        # Not from the current record factory, whose own attributes are looked up when needed.
        *logging.LogRecord("", 0, "", 0, "", (), None).__dict__,
        # Formatters set the last two; Python 3.12 has taskName, and records travel.
        "taskName",
        "message",
        "asctime",
    }
)
"""The attributes that each `logging.LogRecord` has."""

# More than an application has lines that log tagged records, unless it makes up names.
_SHAPES_REMEMBERED = 1_000

# More than are named in what is said of them.
_LOOKED_AT = 50

# The keys that a log call has given for certain; None if that cannot be told.
_Given: TypeAlias = Callable[[], "frozenset[Any] | None"]


@dataclass(slots=True)
class Shape:
    """
    What all records with the same keys have in common.

    Attributes:
        payload: Those of the keys that are payload.

        rest: The others, if they are the fewer ones.

        plain: Whether a tagged one asks for an event of ``cio_customer`` and says no more with
            tags, and its payload is within the limits of number and names.

        explicit: Keys that the log call or ``bind`` gave for certain, and no processor.

        meant: Keys that somebody has certainly meant to be sent, and are not.

        hidden: Other keys that are no payload because of their names, which a log call may have
            given too.

        told_by_value: Those of them whose value tells whether a processor has written it.

        asked: Whether the log call need not be asked, or no more, which of *hidden* it has given.
    """

    payload: tuple[Any, ...]
    rest: tuple[Any, ...] | None
    plain: bool
    explicit: frozenset[Any]
    meant: tuple[str, ...]
    hidden: tuple[str, ...]
    told_by_value: tuple[str, ...]
    asked: bool

    def is_usual(self, fields: Mapping[str, object]) -> bool:
        """Whether the hidden keys hold what processors write, at first sight."""
        for key in self.told_by_value:
            value = fields[key]
            if type(value) is not str or (key == "level" and value not in _LEVELS):
                return False
        return self.asked

    def misplaced(self, fields: Mapping[str, object], given: _Given) -> list[str]:
        """
        The keys of a record with what somebody has probably meant to be sent, and is not.

        That is a tag that is none, what has the name of something that is left out and was
        *given* by the log call, and what is hidden as being about logging and holds what no
        processor writes.
        """
        by_call: frozenset[Any] = frozenset()
        if not self.asked:
            # Once for a shape, since it takes time, and is said once.
            self.asked = True
            by_call = given() or by_call
        hidden = self.hidden
        return [
            *self.meant,
            *(key for key in hidden if key in by_call or not _is_about_logging(key, fields[key])),
        ]


class Shapes(dict[tuple[object, ...], Shape]):
    """
    The shape of each record, by its keys: a table that learns each when it first sees it.

    Args:
        hidden: More keys that are no payload.

        globs: Names or patterns of such keys, as the option ``hidden`` gives them.

        event_key: Where a structlog event has its message, if anywhere: what stands before it
            was given by the log call, what stands behind it was added by a processor.

        only_data: Whether nothing is payload but what ``cio_data`` holds.

        from_factory: Whether the records come from logging's record factory.
    """

    def __init__(
        self,
        *,
        hidden: frozenset[str] = frozenset(),
        globs: tuple[str, ...] = (),
        event_key: str | None = None,
        only_data: bool = False,
        from_factory: bool = False,
    ) -> None:
        self._event_key = event_key
        self._globs = globs
        self._only_data = only_data
        self._from_factory = from_factory
        self._hidden = TAGS | MARKS | _ABOUT_LOGGING | hidden
        if event_key is not None:
            self._hidden |= {event_key}

    def __missing__(self, keys: tuple[object, ...]) -> Shape:
        if len(keys) > limits.NODES:
            # No payload may have so many, and to judge each would take longer than all the rest.
            payload = [] if self._only_data else [key for key in keys if key not in self._hidden]
            return Shape(tuple(payload), None, False, frozenset(), (), (), (), asked=True)
        made = _attributes_of_factory() if self._from_factory else frozenset()
        payload = []
        rest: list[object] = []
        for key in keys:
            (payload if self._is_payload(key, made) else rest).append(key)
        if self._only_data:
            payload = []
        # EventRenamer puts the message last, so that its place tells nothing.
        explicit: frozenset[object] = frozenset()
        if self._event_key == "event" and "event" in keys:
            explicit = frozenset(keys[: keys.index("event")])
        names = [key for key in keys if isinstance(key, str)]
        left_out = [*islice(filter(self._may_be_meant, names), _LOOKED_AT)]
        hidden = tuple(key for key in left_out if key not in explicit)
        shape = Shape(
            payload=tuple(payload),
            rest=tuple(rest) if len(rest) < len(payload) else None,
            plain=_TAGS_OF_OTHERS.isdisjoint(keys) and obviously_fits(payload),
            explicit=explicit,
            meant=(
                *islice(filter(_is_misspelt, names), _LOOKED_AT),
                *(key for key in left_out if key in explicit),
            ),
            hidden=hidden,
            told_by_value=tuple(key for key in hidden if key in _TOLD_BY_VALUE),
            asked=not hidden or bool(explicit),
        )
        if len(keys) <= limits.ATTRIBUTES and all(map(_is_usual_key, keys)):
            if len(self) >= _SHAPES_REMEMBERED:
                self.clear()
            self[keys] = shape
        return shape

    def _may_be_meant(self, key: str) -> bool:
        if self._from_factory and key in OF_LOG_RECORDS:
            return False
        if not (key in _BY_PROCESSORS or written_by_instrumentation(key)):
            return False
        return not any(fnmatchcase(key, glob) for glob in self._globs)

    def _is_payload(self, key: object, made: frozenset[str]) -> bool:
        if not isinstance(key, str):
            return True
        if key in self._hidden or key in made or written_by_instrumentation(key):
            return False
        if key.startswith("_"):
            return key in _OF_THE_VENDOR_WITH_UNDERSCORE
        if _is_misspelt(key):
            return False
        return not any(fnmatchcase(key, glob) for glob in self._globs)


def likely_tag(key: str) -> str | None:
    """The tag that *key* was probably meant to be; None if it is one itself, or like none."""
    if key in TAGS or len(key) > _LONGEST:
        return None
    return next(iter(get_close_matches(key, TAGS, 1, _LIKENESS)), None)


def _is_misspelt(key: str) -> bool:
    return (
        key.startswith("cio_")
        and key not in TAGS
        and key not in MARKS
        and key not in _OF_THE_VENDOR
        and not key.startswith(_PREFERENCE)
    )


def _is_about_logging(key: str, value: object) -> bool:
    """Whether what a record has under such a *key* may be what a processor has written."""
    kind = type(value)
    if key == "level":
        return issubclass(kind, str) and str.lower(value) in _LEVELS  # type: ignore[arg-type]
    if key == "timestamp":
        return kind is str or issubclass(kind, (str, float))
    return key != "logger" or issubclass(kind, str)


def say_misplaced(key: str, where: Callable[[], str]) -> None:
    """Say once of a misplaced *key* how to send it; *where* tells of the record."""
    if _is_misspelt(key):
        likely = likely_tag(key)
        what, cure = f"is no tag (is it {likely}?)" if likely else "is no tag", ""
    else:
        what = "is about logging" if key in _BY_PROCESSORS else "is written by instrumentation"
        cure = f', and the option hidden=("{key}",) says that it is meant to be left out'
    warn_few(
        "misplaced",
        key,
        lambda: (
            f"{what} and is not sent; an attribute of that name can be sent in cio_data{cure} "
            f"({where()})"
        ),
    )


def _is_usual_key(key: object) -> bool:
    return type(key) is str and len(key) <= limits.ATTRIBUTE_NAME_BYTES


def _attributes_of_factory() -> frozenset[str]:
    """What logging's record factory gives to records by itself."""
    factory = logging.getLogRecordFactory()
    if factory is logging.LogRecord:
        return frozenset()
    try:
        return frozenset(factory("cio_events", logging.DEBUG, "", 0, "", (), None).__dict__)
    except faults(Exception):  # an application's own
        return frozenset()
