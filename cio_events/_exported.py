"""
Mark what users import from `cio_events`, so that tracebacks, help and pickles name it like that.
"""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def exported(thing: T) -> T:
    """Have *thing*, a class or a function, say that its module is ``cio_events``."""
    thing.__module__ = "cio_events"
    return thing
