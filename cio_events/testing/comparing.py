"""What pytest shows where calls were compared with ``==``, since their reprs hold no payload."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeGuard

from cio_events._calls.call import Call
from cio_events._process.diagnostics import calls
from cio_events.testing.expectations import differences, params_of
from cio_events.testing.texts import summary

# A recorded call has them, and one that a test makes has not.
_MADE = ("id", "timestamp")
_ADVICE = "{} differ; cio.tracked(), cio.called() and cio.in_order() compare without them"

# As with all our texts, fifteen lines are enough.
_MOST = 12


def compared(left: object, right: object) -> list[str] | None:
    """In what *left* and *right*, calls or sequences of calls, differ; None of anything else."""
    if isinstance(left, Call) and isinstance(right, Call):
        pairs = [("", left, right)]
        lines = [f"{summary(left)} == {summary(right)}"]
    elif _are_calls(left) and _are_calls(right) and (left or right):
        pairs = [(f"[{at}] ", *pair) for at, pair in enumerate(zip(left, right, strict=False))]
        lines = [f"{calls(len(left))} == {calls(len(right))}"]
    else:
        return None
    for where, one, other in pairs:
        lines += _lines(where, one, other)
    if isinstance(left, Sequence) and isinstance(right, Sequence):
        lines += [f"only left: {summary(one, whole=True)}" for one in left[len(right) :]]
        lines += [f"only right: {summary(one, whole=True)}" for one in right[len(left) :]]
    if len(lines) > _MOST:
        lines[_MOST:] = [f"… and {len(lines) - _MOST} more"]
    made = [name for name in _MADE if any(_differ(name, one, other) for _, one, other in pairs)]
    return [*lines, *([_ADVICE.format(" and ".join(made))] if made else [])]


def _lines(where: str, one: Call, other: Call) -> Iterator[str]:
    if type(one) is not type(other):
        yield f"{where}{summary(one)} != {summary(other)}"
        return
    # Who expects is on either side.
    expected, actual = (one, other) if getattr(one, "id", "") is None else (other, one)
    for name in params_of(type(one)):
        if name not in _MADE:
            for line in differences(name, getattr(expected, name), getattr(actual, name)):
                yield f"{where}{line}"


def _differ(name: str, one: Call, other: Call) -> bool:
    return type(one) is type(other) and getattr(one, name, 0) != getattr(other, name, 0)


def _are_calls(value: object) -> TypeGuard[Sequence[Call]]:
    return isinstance(value, (list, tuple)) and all(isinstance(one, Call) for one in value)
