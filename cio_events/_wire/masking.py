"""
Make text from outside safe to show: mask what came from a call, escape control characters.

What Customer.io says of a call may quote it. Its words are shown in log lines and exceptions, and
no personal data may be there.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote

import orjson

from cio_events._calls.call import Call
from cio_events._wire.request import Request

MASK = "***"
"""What stands for what was masked. It is shorter than any value that is looked for."""

WORDS = 500
"""How many characters of somebody's words are shown, if nobody says otherwise."""

# Of an event's name. Customer.io takes no more bytes either.
_EVENT_NAME = 100

# Shorter values mask too much of what is said, and tell too little to be personal.
_SHORTEST = 4

# A value may be quoted in part, cut off most often. Runs of this length are looked for; longer
# ones leave more of it, shorter ones are found in everybody's words.
_RUN = 12

# As long as a telephone number, with what is written between its digits.
_LONG_NUMBER = re.compile(r"\+?\d(?:[ ().\-/]{0,2}\d){6,}")

_AT = re.compile(r"@|%40")

# The longest name that an address may have, and what is between its parts.
_LOCAL_PART = 64
_SEPARATORS = re.compile(r"[._+\-]")

_ENDS_AN_ADDRESS = frozenset(" \t\r\n\v\f\"'`<>()[]{},;:=&|\\/?@")

# What the wire itself writes into an operation: no one's data.
_OWN_WORDS = frozenset({"type", "action"})
_V2 = "/api/v2/"


def shown(text: str, limit: int = WORDS) -> str:
    """*text* as `ascii` would show it, without quotes, in at most *limit* characters."""
    more = len(text) > limit
    return _cut(_escaped(text[:limit]), limit, more=more)


def named(call: Call) -> str:
    """A call as the log and errors name it: its kind, and an event's name."""
    name = getattr(call, "name", None)
    return f'{call.tag} "{shown(name, _EVENT_NAME)}"' if isinstance(name, str) else call.tag


def masked(words: str | bytes, values: Iterable[str], limit: int = WORDS) -> str:
    """
    What somebody said of a call, with everything masked that came from the call.

    That is its values from four characters on, in whatever case and in the usual encodings,
    longer ones in parts too; e-mail addresses; and numbers as long as a telephone's. What is left
    is shown as by `shown`.

    Args:
        words: What was said. Of bytes that are no UTF-8 the rest is read.

        values: From `values_of` or `values_in`.

        limit: How many characters of it may be shown.
    """
    room = 4 * limit
    if isinstance(words, bytes):
        words = words[: 4 * room].decode("utf-8", "replace")
    more = len(words) > room
    text = words[:room]
    find = _Finder(values)
    marks = find.in_text(text)
    _mark_addresses(text, marks)
    for match in _LONG_NUMBER.finditer(text):
        _mark(marks, *match.span())
    end = len(text)
    if more:
        # A value that begins where the text was cut is found by its first run, or not shown.
        end -= _RUN
        _mark(marks, _start_of_word(text, end), end)
    said = _cut("".join(_masked_and_escaped(text, marks, end)), limit, more=more)
    # The mask and the escapes may by chance make what a value is.
    for _ in range(3):
        marks = find.in_text(said)
        if 1 not in marks:
            return said
        said = "".join(_masked_and_escaped(said, marks, len(said), escape=False))
    return MASK


def values_of(request: Request) -> set[str]:
    """The values of all calls that *request* carries."""
    values = {unquote(part) for part in request.path.split("/")[4:]}
    if request.body is None:
        return values
    # The attributes of a person are all of v1's body, whatever their names.
    return values | _values(request.body, own=_OWN_WORDS if _V2 in request.path else frozenset())


def values_in(body: bytes) -> set[str]:
    """The values in an envelope's body."""
    # A message that waits has a line of its own before its JSON.
    return _values(body[body.find(b"\n") + 1 :], own=_OWN_WORDS)


def _values(body: bytes, *, own: frozenset[str]) -> set[str]:
    try:
        waiting = [_without(own, orjson.loads(body))]
    except ValueError:
        return {body.decode("utf-8", "replace")}
    values = set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str):
            values.add(value)
        elif value is not None and not isinstance(value, bool):
            values.add(str(value))
    return values


def _without(own: frozenset[str], body: object) -> object:
    if not own or not isinstance(body, dict):
        return body
    if list(body) == ["batch"] and isinstance(body["batch"], list):
        return [_without(own, operation) for operation in body["batch"]]
    return {name: value for name, value in body.items() if name not in own}


class _Finder:
    """Finds values in a text, in time linear in both."""

    def __init__(self, values: Iterable[str]) -> None:
        self._short: dict[int, set[str]] = {}
        self._long: set[str] = set()
        for value in values:
            for form in _forms(value):
                if len(form) >= _RUN:
                    self._long.add(_folded(form))
                elif len(form) >= _SHORTEST:
                    self._short.setdefault(len(form), set()).add(_folded(form))

    def in_text(self, text: str) -> bytearray:
        """A byte for each character: 1 where it is part of a value."""
        marks = bytearray(len(text))
        folded = _folded(text)
        for length, forms in self._short.items():
            for start in range(len(folded) - length + 1):
                if folded[start : start + length] in forms:
                    _mark(marks, start, start + length)
        if self._long:
            runs: dict[str, list[int]] = {}
            for start in range(len(folded) - _RUN + 1):
                runs.setdefault(folded[start : start + _RUN], []).append(start)
            found = {
                run
                for form in self._long
                for start in range(len(form) - _RUN + 1)
                if (run := form[start : start + _RUN]) in runs
            }
            for run in found:
                for start in runs[run]:
                    _mark(marks, start, start + _RUN)
        return marks


def _forms(value: str) -> set[str]:
    """*value* as it may be quoted."""
    if value.isascii() and value.isalnum():
        return {value}
    whole = {value, value.strip()}
    if 0 < value.find("@") <= _LOCAL_PART:
        # Before the @ is a person's name, most often, which may be said alone.
        name = value.partition("@")[0].strip()
        whole.update([name], _SEPARATORS.split(name))
    return whole.union(
        *(
            (
                json.dumps(one)[1:-1],
                json.dumps(one, ensure_ascii=False)[1:-1],
                quote(one, safe="", errors="replace"),
                html.escape(one),
                _escaped(one),
            )
            for one in whole
        )
    )


def _folded(text: str) -> str:
    """*text* in lower case, each character for itself."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def _mark(marks: bytearray, start: int, end: int) -> None:
    marks[start:end] = b"\1" * (end - start)


def _mark_addresses(text: str, marks: bytearray) -> None:
    # Not by one expression, which would look from each character to the end of its word.
    for at in _AT.finditer(text):
        start, end = at.span()
        while end < len(text) and text[end] not in _ENDS_AN_ADDRESS:
            end += 1
        _mark(marks, _start_of_word(text, start), end)


def _start_of_word(text: str, place: int) -> int:
    while place and text[place - 1] not in _ENDS_AN_ADDRESS:
        place -= 1
    return place


def _masked_and_escaped(
    text: str, marks: bytearray, end: int, *, escape: bool = True
) -> Iterator[str]:
    place = 0
    while place < end:
        following = marks.find(1 - marks[place], place, end)
        following = end if following < 0 else following
        if marks[place]:
            yield MASK
        else:
            part = text[place:following]
            yield _escaped(part) if escape else part
        place = following


def _escaped(text: str) -> str:
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return "".join(
        char if " " <= char <= "~" and char != "\\" else ascii(char)[1:-1] for char in text
    )


def _cut(text: str, limit: int, *, more: bool) -> str:
    return text[: limit - 3] + "..." if more or len(text) > limit else text
