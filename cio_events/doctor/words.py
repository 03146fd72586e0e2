"""Times and sizes in words."""

from __future__ import annotations

import math
import time

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_KILO = 1000.0


def span(seconds: float) -> str:
    """A length of time, such as ``3 minutes``."""
    if math.isinf(seconds):
        return "no limit"
    for unit, name in ((_DAY, "days"), (_HOUR, "hours"), (_MINUTE, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    count = f"{seconds:.0f}"
    return "1 second" if count == "1" else f"{count} seconds"


def since(milliseconds: int) -> str:
    """How long ago that was (Unix milliseconds), and when: ``since 12:31 UTC (5 minutes)``."""
    moment = milliseconds / 1000
    age = max(time.time() - moment, 0.0)
    pattern = "%H:%M UTC" if age < _DAY else "%Y-%m-%d"
    return f"since {time.strftime(pattern, time.gmtime(moment))} ({span(age)})"


def size(count: float) -> str:
    """So many bytes, such as ``3.2 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < _KILO:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= _KILO
    return f"{count:.1f} TB"
