"""Find out at a glance whether a value holds nothing but what JSON has, within a budget."""

from __future__ import annotations

from itertools import chain, islice
from typing import Any

from cio_events._calls import limits
from cio_events._wire.natural import INT_MAX, INT_MIN

_SEQUENCES = frozenset({list, tuple})
_CONTAINERS = _SEQUENCES | {dict}
_NAMES = frozenset({str})
_PLAIN = _CONTAINERS | {str, int, float, bool, type(None)}


def is_plain(value: object, most_bytes: int) -> bool:
    """
    Whether *value* holds only plain types, is within the budget, and its numbers within 64 bits.

    Whole levels are looked at, each by a few calls of Python's own functions, which takes a
    fraction of the time of a loop. NaN and infinities, and lone surrogates, are not looked for.
    A type of an application's may say that it equals one of Python's: what comes next has to
    look by itself.

    Args:
        value: Anything.

        most_bytes: How long all texts may be together.

    Raises:
        Exception: What the class of an application's type raises when it is looked at.
    """
    nodes = limits.NODES
    level: list[Any] = [value]
    for _ in range(limits.DEPTH + 1):
        if not level:
            return True
        one = level[-1]  # which most often tells of all
        if type(one) not in _PLAIN or (type(one) is int and one > INT_MAX):
            return False
        kinds = set(map(type, level))
        if not kinds <= _PLAIN:
            return False
        if str in kinds:
            most_bytes -= sum(map(len, _of(str, level, kinds)))
        if int in kinds:
            numbers = _of(int, level, kinds)
            if max(numbers) > INT_MAX or min(numbers) < INT_MIN:
                return False
        if most_bytes < 0:
            return False
        if kinds.isdisjoint(_CONTAINERS):
            return True
        if kinds <= _CONTAINERS:
            level = list(filter(None, level))
        mappings = _of(dict, level, kinds) if dict in kinds else []
        if kinds <= _SEQUENCES:
            held: Any = level
        else:
            held = [one for one in level if type(one) is list or type(one) is tuple]
        values = chain.from_iterable(chain(held, map(dict.values, mappings)))
        level = list(islice(values, nodes + 1))
        nodes -= len(level)
        if nodes < 0:
            return False
        if mappings:
            names = list(chain.from_iterable(mappings))
            if not set(map(type, names)) <= _NAMES:
                return False
            most_bytes -= sum(map(len, names))
    return not level


def _of(kind: type, level: list[Any], kinds: set[type]) -> list[Any]:
    """Those of a *level* with values of these *kinds* that are of one kind."""
    return level if len(kinds) == 1 else [one for one in level if type(one) is kind]
