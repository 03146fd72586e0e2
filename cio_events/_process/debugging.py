"""
Whether anybody wants to hear of each record, as the option ``debug`` asks for.

Only a switch for the whole process, so that a record that is none of ours costs one look at it;
whether a pipeline wants it is said by its options.
"""

from __future__ import annotations

import os

on: bool = False
"""Whether any pipeline may want it."""


def switch_on() -> None:
    """
    A pipeline wants it.
    """
    global on
    on = True


def look() -> None:
    """
    See whether the environment asks for it, before there is a pipeline that has read it.
    """
    if os.environ.get("CIO_DEBUG"):
        switch_on()
