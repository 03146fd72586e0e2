"""Switches in the environment: which words turn one on, and which off."""

from __future__ import annotations

import os

SWITCHES: dict[str, bool] = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
"""The words, in lower case."""


def switched_on(name: str) -> bool:
    """Whether the variable *name* is set, to anything but a word for off."""
    word = os.environ.get(name, "").strip().lower()
    return bool(word) and SWITCHES.get(word, True)
