"""Payloads within the budget that cost the most for what they are as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_NODES = 9_000
_DEPTH = 120


def nests(made_of: Callable[..., Any], count: int = _NODES) -> list[Any]:
    """About *count* containers, each in another, as deep as may be."""
    nested = []
    for _ in range(count // _DEPTH):
        value = made_of()
        for _ in range(_DEPTH - 1):
            value = made_of(value)
        nested.append(value)
    return nested


def _list(*values: object) -> list[object]:
    return list(values)


def _dict(*values: object) -> dict[str, object]:
    return dict(zip("a", values, strict=False))


def payloads(count: int = _NODES) -> dict[str, Any]:
    """All of them by their names, each of about *count* values."""
    return {
        "nested_lists": nests(_list, count),
        "nested_dicts": nests(_dict, count),
        "nested_tuples": nests(lambda *values: values, count),
        "empty_lists": [[] for _ in range(count)],
        "empty_dicts": [{} for _ in range(count)],
        "pairs": [[number, number] for number in range(count // 3)],
        "large_integers": [2**64 + number for number in range(count // 3)],
        "integer_keys": {number: number for number in range(count // 2)},
        "booleans": [True] * count,
        "surrogates": ["\ud800"] * count,
        "nested_surrogates": [["\ud800"] for _ in range(count // 2)],
    }


def figure_of(name: str) -> str:
    """What the figure of the payload of that *name* is called."""
    return f"us_{name}"


def has_surrogates(name: str) -> bool:
    """Whether the payload of that *name* has text that UTF-8 lacks."""
    return "surrogates" in name


NAMES = tuple(payloads(_DEPTH))
"""What they are called."""
