"""
Moments: what may say when something happened, and the Unix seconds that Customer.io wants.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import TypeAlias

from cio_events.errors import ParamError

Timestamp: TypeAlias = "int | float | date"
"""Unix seconds, or a date or datetime (naive is UTC); milliseconds are recognised."""

# A moment in milliseconds is over this from 1973 on, and one in seconds not before the year 5138.
_MILLISECONDS_FROM = 100_000_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def unix_seconds(value: date) -> int:
    """
    A date or datetime as Unix seconds; a naive one, and a date's midnight, is taken as UTC.
    """
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
    elif value.tzinfo is None:
        value = value.replace(tzinfo=timezone.utc)
    # Not timestamp(): its float is off by a second for moments just before one.
    return (value - _EPOCH) // timedelta(seconds=1)


def valid_time(value: object, param: str) -> int | None:
    """
    *value* in Unix seconds; None stays None.

    Raises:
        ParamError: It is no time since 1970.
    """
    if value is None:
        return None
    if isinstance(value, date):
        try:
            value = unix_seconds(value)
        except Exception:  # noqa: BLE001 - whatever its time zone raises
            raise ParamError(param, "has a time zone that does not work") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ParamError(param, "must be Unix seconds, a date or a datetime")
    seconds = value / 1000 if _MILLISECONDS_FROM <= value < _MILLISECONDS_FROM * 1000 else value
    if not 0 <= seconds < _MILLISECONDS_FROM:
        raise ParamError(param, "must be a time in seconds since 1970")
    return int(seconds)
