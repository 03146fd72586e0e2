"""What an answer means for the calls that were sent: which are refused, and when to come again."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace
from email.utils import parsedate_to_datetime

from cio_events._http.endpoint import Answer
from cio_events._wire import answers as wire
from cio_events._wire.answers import Reading

# What Customer.io says of a call may be long; reports and dead letters keep this much of it.
DETAIL_CHARACTERS = 1_000

# Several values of one header, joined by commas; a date has a comma of its own.
_VALUES = re.compile(r"[A-Za-z]+,[^,]*|[^,]+")


def cut(body: bytes) -> str:
    """As much of *body* as is kept, as text."""
    return _cut(body.decode("utf-8", "replace"))


def read(answer: Answer) -> Reading:
    """Understand the body of *answer*."""
    reading = wire.read(answer.body, whole=not answer.broken)
    return replace(reading, words=_cut(reading.words))


def items(reading: Reading, count: int) -> tuple[dict[int, str], int]:
    """
    Read which of *count* calls were refused, and why.

    Returns:
        What was said of each, by its place; and how many errors name no call.

    Raises:
        ValueError: There is no list of errors.
    """
    errors = reading.value.get("errors") if isinstance(reading.value, dict) else None
    if not isinstance(errors, list):
        raise ValueError("there is no list of errors")  # noqa: TRY004
    refused: dict[int, str] = {}
    lost = 0
    for error in errors:
        index = wire.place_of(error, count)
        if index is None:
            lost += 1
            continue
        said = refused.get(index)
        if said is None or len(said) < DETAIL_CHARACTERS:
            refused[index] = _cut("; ".join(filter(None, (said, wire.words_of(error)))))
    return refused, lost


def retry_after(answer: Answer) -> float | None:
    """How many seconds the server asks to be left alone, the most if it says several."""
    delays = map(_seconds, _VALUES.findall(answer.headers.get("Retry-After") or ""))
    return max((delay for delay in delays if delay is not None), default=None)


def _seconds(text: str) -> float | None:
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            # Not timestamp(), which overflows for years that the platform does not know.
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError, OSError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _cut(text: str) -> str:
    return text[:DETAIL_CHARACTERS]
