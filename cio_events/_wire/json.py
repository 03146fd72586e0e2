"""
Any Python value as JSON, in bounded time and memory: one walk with a budget, then the encoder.

Nothing here knows of calls, and no value makes it raise anything but `TooLarge`. What has not
been walked never reaches the encoder, which would follow tuples until the stack ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from math import isfinite
from typing import Any

import orjson

from cio_events._calls import limits
from cio_events._interrupts import faults, suppress_faults
from cio_events._wire.natural import TooLarge
from cio_events._wire.screen import is_plain
from cio_events._wire.walk import NotInertError, Unsaid, Walk

_FLAT_TEXT = limits.ATTRIBUTE_VALUE_BYTES

# It cannot be led so deep that the stack ends, writes a lone surrogate as it is, and takes nothing
# that JSON lacks.
_strict = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
)
_REPLACEMENT = "\ufffd".encode()


def is_flat(data: Mapping[Any, Any]) -> bool:
    """
    Whether *data* holds only short values of plain types, so that it can be encoded as it is.

    Names are not looked at.
    """
    # Each event goes through here, and a loop over few values is the quickest there is.
    for value in data.values():
        kind = type(value)
        if kind is str:
            if len(value) > _FLAT_TEXT:
                return False
        elif kind is not int and kind is not float and kind is not bool and value is not None:
            return False
    return True


def is_finite(data: Mapping[Any, Any]) -> bool:
    """Whether JSON has all numbers that flat *data* holds."""
    return all(isfinite(value) for value in data.values() if type(value) is float)


def dumps(
    value: object,
    unsaid: list[Unsaid] | None = None,
    *,
    leave_out: bool = False,
    most_bytes: int = limits.DATA_BYTES,
) -> bytes:
    """
    *value* as strict JSON in UTF-8.

    Dates and times become Unix seconds (naive ones are taken as UTC, those before 1970 become
    text), a `Decimal` a number where that is exact and otherwise text, bytes Base64, sets and
    tuples lists, NaN and infinities null. Anything unknown becomes ``<type name>``.

    Args:
        value: Anything.

        unsaid: Gets each value that has no form in JSON.

        leave_out: Leave such a value out, and NaN and infinities too.

        most_bytes: How long all its texts may be together.

    Raises:
        TooLarge: It is over the budget.
    """
    # An encoder follows: another thread may have changed the value meanwhile.
    with suppress_faults(Exception):
        if is_plain(value, most_bytes):
            return _utf8(_strict.encode(value))
    walk = Walk(most_bytes, leave_out=leave_out)
    plain = walk.plain(value)
    if unsaid is not None:
        unsaid.extend(walk.unsaid.values())
    try:
        return orjson.dumps(plain)
    except faults(TypeError):
        return _without_surrogates(plain)


def _without_surrogates(plain: object) -> bytes:
    try:
        return _utf8(_strict.encode(plain))
    except RecursionError:  # of a caller's, who has left little of the stack
        raise TooLarge("is nested deeper than the stack has room for", limits.DEPTH) from None


def _utf8(text: str) -> bytes:
    """*text* in UTF-8, with each lone surrogate replaced."""
    with suppress(UnicodeEncodeError):
        return text.encode()
    # Encoding makes a question mark of each. Those of the text step aside meanwhile, for a
    # character that JSON never has as it is.
    text = text.replace("?", "\0")
    return text.encode(errors="replace").replace(b"?", _REPLACEMENT).replace(b"\0", b"?")


def inert(data: Mapping[Any, object], most_bytes: int) -> dict[str, object] | None:
    """
    *data* in nothing but what JSON has, if that asks no code of an application's.

    None means that it has to be walked by `dumps`, once: a lazy value is asked for what it is,
    and another has nothing to say. So it does if *data* has over *most_bytes* for certain, which
    is found at once: each value has two, with what is between it and the next.
    """
    walk = Walk(most_bytes, inert=True, most_nodes=most_bytes // 2)
    try:
        plain: dict[str, object] = walk.plain(data)
    except (TooLarge, NotInertError):
        return None
    except faults(Exception):  # whatever it is, dumps meets it again
        return None
    return None if walk.unsaid else plain
