"""
How much a test tries, unless all is asked for.

Of what chance decides, it is a quarter; of many combinations, so many that any two choices meet.
"""

from __future__ import annotations

import os
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# Set by .ci/run on one Python; the others show what depends on the version.
THOROUGH = bool(os.environ.get("THOROUGH"))


def times(thorough: int) -> int:
    """So many examples or rounds, or a quarter of them in a usual run."""
    return thorough if THOROUGH else max(1, thorough // 4)


def combined(*choices: Sequence[Any]) -> list[tuple[Any, ...]]:
    """
    Every combination of one of each, or, in a usual run, so many that any two of them meet in one.
    """
    every = list(product(*(range(len(one)) for one in choices)))
    chosen = every if THOROUGH else []
    unmet = set() if THOROUGH else set().union(*map(_met, every))
    while unmet:
        chosen.append(max(every, key=lambda one: len(unmet & _met(one))))
        unmet -= _met(chosen[-1])
    return [tuple(choices[which][one] for which, one in enumerate(row)) for row in chosen]


def _met(row: tuple[int, ...]) -> set[tuple[tuple[int, int], ...]]:
    return set(combinations(enumerate(row), 2))
