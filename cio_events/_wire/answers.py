"""Read an answer's body: what Customer.io said in it, or that somebody else has answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson

# Of what an answer says, in all its errors together; and how many of its values are looked at.
_MOST_CHARACTERS = 10_000
_MOST_LOOKS = 10_000

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What a body says.

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
        """Whether it has a form that Customer.io's errors have."""
        return isinstance(self.value, dict) and bool({"errors", "meta"} & self.value.keys())

    @property
    def is_list(self) -> bool:
        """Whether it has a list of errors, as those of v2 do."""
        return isinstance(self.value, dict) and isinstance(self.value.get("errors"), list)


def read(body: bytes, *, whole: bool = True) -> Reading:
    """Understand *body*; unless it is *whole*, it may have been meant to be JSON."""
    body = body.removeprefix(_BOM).strip()
    try:
        value = orjson.loads(body)
    except ValueError:
        text = body.decode("utf-8", "replace")
        # What is no text at all was meant to be something else; so may be what is cut off.
        page = body.startswith(b"<") or (whole and not body.startswith((b"{", b"[")))
        is_text = bool(body) and page and "\ufffd" not in text
        return Reading(None, is_json=False, is_text=is_text, words=text)
    words = _words_in(value) or body.decode("utf-8", "replace")
    return Reading(value, is_json=True, is_text=False, words=words)


def place_of(error: object, count: int) -> int | None:
    """Which of *count* calls one error is about; None where that cannot be read."""
    index = error.get("batch_index") if isinstance(error, dict) else None
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
        return None
    return index


def words_of(error: Mapping[str, Any]) -> str:
    """What one error says: its reason, its field and its message, as far as they are there."""
    parts = map(error.get, ("reason", "field", "message", "detail", "error"))
    return " ".join(text_of(part) for part in parts if part)


# An answer may be as deep and as large as whoever gives it likes: no walk here recurses, and
# none looks at more than there is to show.


def _words_in(value: object) -> str:
    said: list[str] = []
    waiting, looks, room = [value], _MOST_LOOKS, _MOST_CHARACTERS
    while waiting and looks > 0 and room > 0:
        looks -= 1
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(reversed(one[:looks]))
            continue
        words = one if isinstance(one, str) else ""
        if isinstance(one, dict):
            meta = one.get("meta")
            if isinstance(meta, dict) and ("errors" in meta or "error" in meta):
                waiting.append(meta.get("errors", meta.get("error")))
            elif "errors" in one:
                waiting.append(one["errors"])
            else:
                words = words_of(one) or "; ".join(
                    f"{key}: {text_of(word)}" for key, word in islice(one.items(), looks)
                )
        if words:
            said.append(words)
            room -= len(words)
    return "; ".join(said)[:_MOST_CHARACTERS]


def text_of(part: object) -> str:
    """What *part* of an error says: its texts and numbers, however deep they are."""
    if not isinstance(part, (list, dict)):
        return str(part)
    said: list[str] = []
    waiting, looks = [part], _MOST_LOOKS
    while waiting and looks > 0:
        looks -= 1
        one = waiting.pop()
        if isinstance(one, dict):
            one = [each for pair in islice(one.items(), looks) for each in pair]
        if isinstance(one, list):
            waiting.extend(reversed(one[:looks]))
        else:
            said.append(str(one))
    return " ".join(said)[:_MOST_CHARACTERS]
