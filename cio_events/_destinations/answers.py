"""
What is read from an answer of Customer.io's, or of somebody who answers in its place.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from cio_events._http.endpoint import Answer

# What Customer.io says of a call may be long; reports and dead letters keep this much of it.
DETAIL_CHARACTERS = 1_000

_BOM = b"\xef\xbb\xbf"

# Several values of one header, joined by commas; a date has a comma of its own.
_VALUES = re.compile(r"[A-Za-z]+,[^,]*|[^,]+")


@dataclass(frozen=True, slots=True)
class Reading:
    """
    An answer's body, understood.

    Attributes:
        value: What it is as JSON; None where it is none.

        is_json: Whether it is JSON.

        is_text: Whether it is whole and something else: a page of HTML, most often.

        words: What Customer.io said in it, in whichever form.
    """

    value: Any = field(repr=False)
    is_json: bool
    is_text: bool
    words: str = field(repr=False)

    @property
    def is_customerios(self) -> bool:
        """
        Whether the answer has a form that Customer.io's errors have.
        """
        return isinstance(self.value, dict) and bool({"errors", "meta"} & self.value.keys())

    @property
    def is_list(self) -> bool:
        """
        Whether it has a list of errors, as those of v2 do.
        """
        return isinstance(self.value, dict) and isinstance(self.value.get("errors"), list)


def cut(body: bytes) -> str:
    """
    As much of *body* as is kept, as text.
    """
    return _cut(body.decode("utf-8", "replace"))


def read(answer: Answer) -> Reading:
    """
    Understand the body of *answer*.
    """
    body = answer.body.removeprefix(_BOM).strip()
    try:
        value = orjson.loads(body)
    except ValueError:
        text = body.decode("utf-8", "replace")
        # What is cut off, or no text at all, was meant to be something else.
        whole = not answer.broken and "\ufffd" not in text and not body.startswith((b"{", b"["))
        return Reading(None, is_json=False, is_text=bool(body) and whole, words=_cut(text))
    return Reading(
        value, is_json=True, is_text=False, words=_cut(_words_in(value) or body.decode())
    )


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
        index = error.get("batch_index") if isinstance(error, dict) else None
        if isinstance(index, float) and index.is_integer():
            index = int(index)
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
            lost += 1
            continue
        refused[index] = _cut("; ".join(filter(None, (refused.get(index), _words_of(error)))))
    return refused, lost


def retry_after(answer: Answer) -> float | None:
    """
    How many seconds the server asks to be left alone, the most if it says several.
    """
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


def _words_in(value: object) -> str:
    if isinstance(value, dict):
        meta = value.get("meta")
        if isinstance(meta, dict) and ("errors" in meta or "error" in meta):
            return _words_in(meta.get("errors", meta.get("error")))
        if "errors" in value:
            return _words_in(value["errors"])
        return _words_of(value) or "; ".join(f"{key}: {word}" for key, word in value.items())
    if isinstance(value, list):
        return "; ".join(filter(None, map(_words_in, value)))
    return value if isinstance(value, str) else ""


def _words_of(error: Mapping[str, Any]) -> str:
    parts = map(error.get, ("reason", "field", "message", "detail", "error"))
    return " ".join(str(part) for part in parts if part)


def _cut(text: str) -> str:
    return text[:DETAIL_CHARACTERS]
