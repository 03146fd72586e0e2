"""Moments: what may say when something happened, and the Unix seconds that Customer.io wants."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from numbers import Real
from operator import index
from typing import Any, TypeAlias, cast

from cio_events._calls.validation import is_a
from cio_events._interrupts import faults
from cio_events.errors import ParamError

Timestamp: TypeAlias = "int | float | date | str"
"""
Unix seconds, a date or datetime (naive is UTC), or either as text: digits, or ISO 8601.

Milliseconds are recognised. So are what numpy has for such numbers and times, and a `Decimal`.
"""

# A moment in milliseconds is over this from 1973 on, and one in seconds not before the year 5138.
_MILLISECONDS_FROM = 100_000_000_000

_TEXT = 40

_FRACTION = re.compile(r"[.,](\d+)")

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)


def unix_seconds(value: date) -> int:
    """A date or datetime as Unix seconds; a naive one, and a date's midnight, is taken as UTC."""
    if not issubclass(type(value), datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
    # The base class's subtraction: that of others (pendulum) has other results. Not timestamp(),
    # whose float is off by a second for moments just before one.
    moment = cast("datetime", value)
    epoch = _EPOCH if moment.tzinfo is not None else _NAIVE_EPOCH
    return datetime.__sub__(moment, epoch) // timedelta(seconds=1)


def json_time(value: date) -> int | str:
    """A date or datetime as Customer.io wants it: Unix seconds, or ISO 8601 text before 1970."""
    seconds = unix_seconds(value)
    return seconds if seconds >= 0 else value.isoformat()


def valid_time(value: object, param: str) -> int | None:
    """
    *value* in Unix seconds; None stays None.

    Raises:
        ParamError: It is no time since 1970.
    """
    if value is None:
        return None
    if is_a(value, str):
        value = _from_text(str.__str__(value), param)
    elif not is_a(value, (int, float, date)):
        value = _of_another_kind(value)
    if is_a(value, date):
        try:
            value = unix_seconds(value)
        except faults(Exception):  # whatever its time zone raises
            raise ParamError(param, "has a time zone that does not work") from None
    if is_a(value, bool) or not is_a(value, (int, float)):
        raise ParamError(param, "must be Unix seconds, a date, a datetime or text of one")
    value = int.__int__(value) if is_a(value, int) else float.__float__(value)
    seconds = value / 1000 if _MILLISECONDS_FROM <= value < _MILLISECONDS_FROM * 1000 else value
    if not 0 <= seconds < _MILLISECONDS_FROM:
        raise ParamError(param, "must be a time in seconds since 1970")
    return int(seconds)


def _of_another_kind(value: Any) -> object:
    """What numpy or `decimal` has for a number or a moment, as Python's own; else *value*."""
    kind = type(value)
    try:
        if hasattr(kind, "__index__"):
            return index(value)
        if issubclass(kind, (Real, Decimal)):
            return float(value)
        if (kind.__module__, kind.__qualname__) == ("numpy", "datetime64"):
            return value.astype("datetime64[us]").item()
    except faults(Exception):  # whatever an application's own type raises
        pass
    return value


def _from_text(text: str, param: str) -> float | datetime:
    # A moment is short; int() of long text takes long.
    text = text.strip()[:_TEXT]
    try:
        return float(text)
    except faults(ValueError):
        pass
    try:
        # Python before 3.11 reads neither a Z, nor fractions but of 3 or 6 digits.
        iso = _FRACTION.sub(lambda found: f".{found[1]:0<6.6}", re.sub("[Zz]$", "+00:00", text))
        return datetime.fromisoformat(iso)
    except faults(ValueError):
        raise ParamError(
            param, 'must be Unix seconds, or ISO 8601 as "2026-11-27T09:30:00Z"'
        ) from None
