"""
Take a Python value that JSON lacks one step towards one that JSON has.

Which step is found by the value's type alone. No object is asked what class it pretends to be,
nor for its ``repr``, which may run code of the application's (a database query, say).
"""

from __future__ import annotations

import base64
import math
import numbers
import uuid
from collections import UserDict, UserList, UserString, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from itertools import islice
from types import MappingProxyType
from typing import Any, NoReturn, TypeAlias

from cio_events._calls import limits
from cio_events._calls.times import json_time

Step: TypeAlias = Callable[[Any, int], object]
"""Makes a simpler value of one; of what holds others, so many and one more at the most."""

# An application has fewer, unless it makes up types.
_TYPES_REMEMBERED = 1_000

INT_MIN, INT_MAX = -(2**63), 2**64 - 1

# As the largest float; writing much longer ones takes time by the square of their length.
HUGE = 2**1_024

# What the class statement wrote, whatever a metaclass says.
mro_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
_module_of: Callable[[type], object] = type.__dict__["__module__"].__get__


class TooLarge(Exception):  # noqa: N818 - nobody outside sees it raised
    """
    Raised for a value over the budget.

    Attributes:
        message: What it is over, as a sentence goes on.

        limit: By which number.
    """

    def __init__(self, message: str, limit: int) -> None:
        super().__init__(message)
        self.message = message
        self.limit = limit


class Unsayable(Exception):  # noqa: N818 - nobody outside sees it raised
    """Raised for a value that has no form in JSON."""


def step_for(kind: type) -> Step:
    """The step for all values of that type."""
    step = _STEPS.get(kind)
    if step is None:
        step = _found(kind)
        if len(_STEPS) >= _TYPES_REMEMBERED:
            _STEPS.clear()
        _STEPS[kind] = step
    return step


_STEPS: dict[type, Step] = {}


def integer(value: int) -> object:
    """An integer of any size."""
    if INT_MIN <= value <= INT_MAX:
        return value
    return str(value) if -HUGE < value < HUGE else "<int>"


def _found(kind: type) -> Step:
    mro = mro_of(kind)
    if Enum in mro:
        return _enum
    if any(_full_name(base) == "numpy.generic" for base in mro):
        return _numpy_scalar
    for base in mro:
        step = _OF_TYPES.get(base) or _OF_LIBRARIES.get(_full_name(base))
        if step is not None:
            return step
    for mark, step in _OF_MARKS.items():
        if any(mark in vars(base) for base in mro):
            return step
    for general, step in _OF_ABSTRACT_TYPES:
        if issubclass(kind, general):
            return step
    return _unsayable


def _full_name(kind: type) -> str:
    return f"{_module_of(kind)}.{name_of(kind)}"


def _unsayable(_value: object, _room: int) -> NoReturn:
    raise Unsayable


def _enum(value: Any, _room: int) -> object:
    return value._value_


def _text(value: Any, _room: int) -> object:
    return str.__str__(value)


def _written(value: Any, _room: int) -> object:
    return str.__str__(str(value))


def _integer(value: Any, _room: int) -> object:
    return int.__int__(value)


def _float(value: Any, _room: int) -> object:
    return float.__float__(value)


def _iso(value: Any, _room: int) -> object:
    return value.isoformat()


def _base64(value: Any, _room: int) -> object:
    size = value.nbytes if isinstance(value, memoryview) else len(value)
    if size > limits.MESSAGE_BYTES:
        raise TooLarge(f"is over {limits.MESSAGE_BYTES} bytes", limits.MESSAGE_BYTES)
    return base64.b64encode(bytes(value)).decode("ascii")


def _decimal(value: Decimal, _room: int) -> object:
    if not value.is_finite():
        return math.nan
    # adjusted() first: int() of Decimal("1E+999999") would take minutes.
    if value.adjusted() < 19 and value == value.to_integral_value():
        return int(value)
    number = float(value)
    return number if math.isfinite(number) and Decimal(repr(number)) == value else str(value)


def _dict(value: Any, room: int) -> object:
    return _some_items(dict.items(value), room)


def _mapping(value: Any, room: int) -> object:
    return _some_items(value.items(), room)


def _some_items(items: Iterable[tuple[object, object]], room: int) -> dict[object, object]:
    return dict(islice(items, room + 1))


def _by(iterate: Callable[[Any], Iterator[object]]) -> Step:
    return lambda value, room: list(islice(iterate(value), room + 1))


def _array(value: Any, room: int) -> object:
    # Empty rows are values too.
    if math.prod(max(length, 1) for length in value.shape) > room:
        raise TooLarge(f"holds over {limits.NODES} values", limits.NODES)
    return value.tolist()


def _numpy_scalar(value: Any, _room: int) -> object:
    name = name_of(type(value))
    if name in ("datetime64", "timedelta64"):
        # Nanoseconds are more than datetime has, and would come as an integer.
        value = value.astype(f"{name}[us]")
    plain = value.item()
    if type(plain) is type(value):  # a long double, say
        return float(plain)
    return plain


def _dataclass(value: Any, room: int) -> object:
    return _attributes(value, type(value).__dataclass_fields__, room)


def _attrs(value: Any, room: int) -> object:
    return _attributes(value, [field.name for field in type(value).__attrs_attrs__], room)


def _msgspec(value: Any, room: int) -> object:
    return _attributes(value, type(value).__struct_fields__, room)


def _pydantic(value: Any, room: int) -> object:
    kind = type(value)
    names = [name for name, field in kind.__pydantic_fields__.items() if field.exclude is not True]
    if names == ["root"] and getattr(kind, "__pydantic_root_model__", False):
        return value.root
    told = _attributes(value, names, room)
    told.update(_some_items((value.__pydantic_extra__ or {}).items(), room))
    return told


def _attributes(value: object, names: Iterable[str], room: int) -> dict[object, object]:
    """What is not private."""
    return {
        name: getattr(value, name, None)
        for name in islice(names, room + 1)
        if not name.startswith("_")
    }


_OF_TYPES: dict[type, Step] = {
    str: _text,
    int: _integer,
    float: _float,
    dict: _dict,
    list: _by(list.__iter__),
    tuple: _by(tuple.__iter__),
    set: _by(set.__iter__),
    frozenset: _by(frozenset.__iter__),
    deque: _by(deque.__iter__),
    range: _by(iter),
    type({}.keys()): _by(iter),
    type({}.values()): _by(iter),
    type({}.items()): _by(iter),
    UserList: _by(iter),
    UserDict: _mapping,
    MappingProxyType: _mapping,
    UserString: _written,
    bytes: _base64,
    bytearray: _base64,
    memoryview: _base64,
    date: lambda value, _room: json_time(value),
    time: _iso,
    timedelta: lambda value, _room: value.total_seconds(),
    timezone: _written,
    uuid.UUID: _written,
    Decimal: _decimal,
}

# By name: who has such a value has imported its library, and this package need not.
_OF_LIBRARIES: dict[str, Step] = {
    "pathlib.PurePath": _written,
    "pathlib._local.PurePath": _written,
    "ipaddress._IPAddressBase": _written,
    "zoneinfo.ZoneInfo": _written,
    "numpy.ndarray": _array,
    # Lazy translations, whose text is what the application means.
    "django.utils.functional.Promise": _written,
    "babel.support.LazyProxy": _written,
    "flask_babel.speaklater.LazyString": _written,
    "speaklater._LazyString": _written,
}

_OF_MARKS: dict[str, Step] = {
    "__pydantic_fields__": _pydantic,
    "__struct_fields__": _msgspec,
    "__attrs_attrs__": _attrs,
    "__dataclass_fields__": _dataclass,
}

# Not everything that can be iterated or has a length: an iterator would be used up.
_OF_ABSTRACT_TYPES: tuple[tuple[type, Step], ...] = (
    (Mapping, _mapping),
    (Sequence, _by(iter)),
    (AbstractSet, _by(iter)),
    (numbers.Integral, lambda value, _room: int(value)),
    (numbers.Real, lambda value, _room: float(value)),
)
