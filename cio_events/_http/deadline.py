"""How long calls may last: deadlines that bound every request made inside them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from cio_events._exported import exported
from cio_events._process.clock import monotonic
from cio_events.errors import ParamError

# When the nearest deadline ends, on the monotonic clock.
_ends: ContextVar[float] = ContextVar("cio_events_deadline", default=math.inf)


@exported
@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """
    Bound all that the direct clients do inside this ``with`` block.

    A request takes what is left until the deadline, or its own ``timeout`` if that is shorter.
    When nothing is left it is not sent at all, and `AnswerTimeoutError` is raised. Of several
    deadlines inside each other, the one that ends first counts.

    The deadline follows context variables: one that a web framework's middleware opens covers
    the calls that the request's handler makes. Calls that wait in a pipeline are not bound.

    Args:
        seconds: From now on; zero and less is no time at all.

    Raises:
        ParamError: *seconds* is no number.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise ParamError("seconds", "must be a number")
    try:
        ends = monotonic() + seconds
    except OverflowError:  # of an integer that no float can hold
        ends = math.inf if seconds > 0 else -math.inf
    if math.isnan(ends):
        raise ParamError("seconds", "must be a number")
    with until(ends):
        yield


@contextmanager
def until(ends: float) -> Iterator[None]:
    """Bound all requests inside this ``with`` block by *ends*, on the monotonic clock."""
    token = _ends.set(min(_ends.get(), ends))
    try:
        yield
    finally:
        _ends.reset(token)


def next_end() -> float:
    """When the nearest deadline ends, on the monotonic clock; infinity if there is none."""
    return _ends.get()
