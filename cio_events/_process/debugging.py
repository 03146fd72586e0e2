"""
Whether anybody wants to hear of each record, as the option ``debug`` asks for.

Only a switch for the whole process, so that a record that is none of ours costs one look at it;
whether a pipeline wants it is said by its options.
"""

from __future__ import annotations

from cio_events._process.environment import switched_on

on: bool = False
"""Whether any pipeline may want it, or a test listens."""

listened: bool = False
"""Whether a test listens."""

_was_on = False  # before it did


def switch_on() -> None:
    """A pipeline wants it."""
    global on, _was_on
    on = _was_on = True


def listen(*, listens: bool) -> None:
    """A test listens, or does so no more."""
    global on, listened, _was_on
    if listens and not listened:
        on, _was_on = True, on
    elif listened and not listens:
        on = _was_on
    listened = listens


def look() -> None:
    """See whether the environment asks for it, before there is a pipeline that has read it."""
    if switched_on("CIO_DEBUG"):
        switch_on()
