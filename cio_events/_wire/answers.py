"""Read an answer's body: what Customer.io said in it, or that somebody else has answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

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


def words_of(error: Mapping[str, Any]) -> str:
    """What one error says: its reason, its field and its message, as far as they are there."""
    parts = map(error.get, ("reason", "field", "message", "detail", "error"))
    return " ".join(str(part) for part in parts if part)


def _words_in(value: object) -> str:
    if isinstance(value, dict):
        meta = value.get("meta")
        if isinstance(meta, dict) and ("errors" in meta or "error" in meta):
            return _words_in(meta.get("errors", meta.get("error")))
        if "errors" in value:
            return _words_in(value["errors"])
        return words_of(value) or "; ".join(f"{key}: {word}" for key, word in value.items())
    if isinstance(value, list):
        return "; ".join(filter(None, map(_words_in, value)))
    return value if isinstance(value, str) else ""
