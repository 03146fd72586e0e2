"""
Any Python value as JSON: what Customer.io is told of values that JSON has no word for.

Nothing here knows of calls. No value makes it raise, and no unknown object is asked for its
``repr`` or ``str``, which may run code of the application's (a database query, say).
"""

from __future__ import annotations

import base64
import math
import numbers
import sys
import uuid
from collections import UserDict, UserList, UserString, deque
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any

import orjson

from cio_events._calls.times import unix_seconds

# Deeper nests become a placeholder. orjson itself stops at 254 levels; the frames of our own
# recursion must fit into what is left of the caller's stack.
_MAX_DEPTH = 128

# What JSON writes as a list. Not everything that can be iterated: an iterator would be used up,
# and a lazy sequence would run its query.
_LISTS: tuple[type[Iterable[object]], ...] = (
    tuple,
    set,
    frozenset,
    deque,
    range,
    UserList,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
)

# Looked up for each call.
_dumps, _OPTIONS = orjson.dumps, orjson.OPT_PASSTHROUGH_DATETIME

_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


def dumps(value: object) -> bytes:
    """
    *value* as strict JSON in UTF-8.

    Dates and times become Unix seconds (naive ones are taken as UTC), a `Decimal` a number where
    that is exact and otherwise text, bytes Base64, sets and tuples lists, NaN and infinities
    null. Anything unknown becomes ``<type name>``.
    """
    try:
        return _dumps(value, _plain, _OPTIONS)
    except TypeError:
        # orjson's word for all that it cannot write: keys that are no text, lone surrogates,
        # integers beyond 64 bits, cycles, deep nests.
        return _dumps(_reduce(value, (), 0))


def _plain(value: object) -> object:
    """
    One step towards JSON, for a value that orjson does not write itself.
    """
    try:
        return _natural(value)
    except Exception:  # noqa: BLE001 - what an application's own types may raise
        return _named(value)


def _natural(value: Any) -> object:
    if isinstance(value, date):
        return unix_seconds(value)
    if isinstance(value, Decimal):
        return _number_or_text(value)
    if isinstance(value, _LISTS):
        return list(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, UserString) or _is_path(value):
        return str(value)
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (MappingProxyType, UserDict)):
        return dict(value)
    # Those of numpy and fractions, among others.
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    return _named(value)


def _is_path(value: object) -> bool:
    # Whoever has a path has pathlib, which takes as long to import as an eighth of this package.
    pathlib = sys.modules.get("pathlib")
    return pathlib is not None and isinstance(value, pathlib.PurePath)


def _named(value: object) -> str:
    return f"<{type(value).__name__}>"


def _number_or_text(value: Decimal) -> object:
    if not value.is_finite():
        return None
    # as_tuple() first: int() of Decimal("1E+999999") would take minutes.
    if value == value.to_integral_value() and value.adjusted() < 19:
        return int(value)
    number = float(value)
    return number if math.isfinite(number) and Decimal(repr(number)) == value else str(value)


def _reduce(value: Any, above: tuple[int, ...], depth: int) -> object:
    """
    *value* in nothing but what JSON has; the slow way, for what orjson refuses.

    *above* are the identities of the containers around it, which tell a cycle.
    """
    try:
        if value is None or value is True or value is False:
            return value
        if isinstance(value, Enum):
            return _reduce(value.value, above, depth + 1)
        if isinstance(value, str):
            return value.encode("utf-8", "replace").decode("utf-8")
        if isinstance(value, int):
            return _integer(int(value))
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else None
        if isinstance(value, uuid.UUID):
            return str(value)
        if depth >= _MAX_DEPTH or id(value) in above:
            return _named(value)
        above = (*above, id(value))
        if isinstance(value, dict):
            # The copy is atomic: another thread may be writing to the original.
            items = dict(value).items()
            return {_key(key): _reduce(item, above, depth + 1) for key, item in items}
        if isinstance(value, list):
            return [_reduce(item, above, depth + 1) for item in list(value)]
        if is_dataclass(value) and not isinstance(value, type):
            return {
                field.name: _reduce(getattr(value, field.name, None), above, depth + 1)
                for field in fields(value)
                if not field.name.startswith("_")
            }
        return _reduce(_natural(value), above, depth + 1)
    except Exception:  # noqa: BLE001 - as in _plain; also where the caller's stack ends
        return _named(value)


def _integer(value: int) -> object:
    if _INT_MIN <= value <= _INT_MAX:
        return value
    try:
        return str(value)
    except ValueError:  # over sys.get_int_max_str_digits()
        return "<int>"


def _key(key: object) -> str:
    if isinstance(key, (date, time)):
        return key.isoformat()
    value = _reduce(key, (), 0)
    if isinstance(value, str):
        return value
    # A tuple, say, has a form in JSON, but none that could be a name.
    return _named(key) if isinstance(value, (list, dict)) else orjson.dumps(value).decode("ascii")
