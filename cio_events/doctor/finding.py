"""A finding: what one check has found, in words that hold no value of a secret setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

Level: TypeAlias = Literal["ok", "warning", "error", "skipped"]
"""
How bad a finding is.

- ``ok``: all is well
- ``warning``: events may be lost, or differ from what was meant
- ``error``: events are lost
- ``skipped``: it could not be looked at, or there is nothing to look at
"""

_LEVELS: dict[str, Level] = {"I": "ok", "W": "warning", "E": "error", "S": "skipped"}


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What a check has found.

    Attributes:
        id: Such as ``E101``: documented, and never used for anything else. Its letter says the
            level, its first digit the area.

        level: A `Level`.

        title: What it is, in one sentence.

        why: What comes of it; ``""`` where all is well.

        fix: What to change; ``""`` where nothing has to be.

        where: The place: a setting, a logger, or a chain with an arrow at the fault, in several
            lines. ``""`` where there is none.
    """

    id: str
    level: Level
    title: str
    why: str
    fix: str
    where: str = ""


class Row(NamedTuple):
    """
    What is said of all findings with one id; words in braces are filled in.

    Attributes:
        area: The check that has it.

        title: As in `Finding`.

        why: As in `Finding`.

        fix: As in `Finding`.
    """

    area: str
    title: str
    why: str = ""
    fix: str = ""


def level_of(id_: str) -> Level:
    """The level that an id says."""
    return _LEVELS[id_[0]]
