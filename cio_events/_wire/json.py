"""
Any Python value as JSON, in bounded time and memory: one walk with a budget, then the encoder.

Nothing here knows of calls, and no value makes it raise anything but `TooLarge`. What has not
been walked never reaches the encoder, which would follow tuples until the stack ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import orjson

from cio_events._calls import limits
from cio_events._wire.natural import TooLarge
from cio_events._wire.plain import cleaned, copied
from cio_events._wire.walk import AROUND, NOTHING, Unsaid, Walk

_FLAT_TEXT = limits.ATTRIBUTE_VALUE_BYTES

# Of what a walk has let through for what its type's own type says, nothing is written.
_EXACTLY = (
    orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)


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
    plain = copied(value, most_bytes + AROUND, finite=leave_out)
    if plain is None:
        plain = _walked(value, [] if unsaid is None else unsaid, leave_out, most_bytes)
    try:
        return orjson.dumps(plain, None, _EXACTLY)
    except TypeError:
        # orjson's word for lone surrogates and for integers beyond 64 bits.
        return orjson.dumps(cleaned(plain), None, _EXACTLY)


def _walked(value: object, unsaid: list[Unsaid], leave_out: bool, most_bytes: int) -> Any:  # noqa: FBT001
    try:
        plain = Walk(unsaid, most_bytes, leave_out=leave_out).plain(value, "", 0)
    except TooLarge:
        raise
    except Exception:  # noqa: BLE001 - a type's own type may have any hash or none
        unsaid.clear()
        walk = Walk(unsaid, most_bytes, leave_out=leave_out, each=True)
        plain = walk.plain(value, "", 0)
    return None if plain is NOTHING else plain


def inert(data: Mapping[Any, object]) -> dict[str, object] | None:
    """
    *data* in nothing but what JSON has, if that asks no code of an application's.

    None means that it has to be walked by `dumps`, once: a lazy value is asked for what it is,
    and another has nothing to say.
    """
    plain: dict[str, object] | None = copied(data, limits.DATA_BYTES + AROUND)
    if plain is not None:
        return plain
    unsaid: list[Unsaid] = []
    walk = Walk(unsaid, limits.DATA_BYTES, leave_out=False, inert=True)
    try:
        plain = walk.plain(data, "", 0)
    except Exception:  # noqa: BLE001 - whatever it is, dumps meets it again
        return None
    return None if unsaid else plain
