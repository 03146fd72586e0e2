"""How an option's value is read, from code or as text from the environment: by its kind."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import cast

from cio_events._calls.validation import printable_text
from cio_events._process.environment import SWITCHES
from cio_events.errors import ParamError

_MOST_SECONDS = 1_000_000_000
_MOST_THINGS = 1_000_000_000_000_000
_LONGEST_PREFIX = 100

Read = Callable[[str, object], object]
"""Turns the value of the named option, or its text in the environment, into what it means."""


def text(name: str, value: object) -> str:
    """One line of text that can be shown."""
    return printable_text(value, name)


def seconds(name: str, value: object) -> float:
    """A length of time, 0 or more; infinity is no limit."""
    number = math.nan
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        except OverflowError:  # an integer that no float can be
            number = float(_MOST_SECONDS * 10)
    if not number >= 0:
        raise ParamError(name, "must be a number of seconds, 0 or more")
    if _MOST_SECONDS < number < math.inf:
        words = f'must be at most {_MOST_SECONDS} seconds, or infinity ("inf") for no limit'
        raise ParamError(name, words, _MOST_SECONDS)
    return number


def some_seconds(name: str, value: object) -> float:
    """The same, but not 0."""
    number = seconds(name, value)
    if number == 0:
        raise ParamError(name, "must be a number of seconds over 0")
    return number


def count(name: str, value: object) -> int:
    """How many of something, over 0."""
    number = 0
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        with suppress(ValueError):
            number = int(value)
    if number < 1:
        raise ParamError(name, "must be an integer over 0")
    if number > _MOST_THINGS:
        raise ParamError(name, f"must be at most {_MOST_THINGS}", _MOST_THINGS)
    return number


def at_most(most: int, least: int) -> Read:
    """A reader of whole numbers between these two."""

    def read(name: str, value: object) -> int:
        number = least - 1
        if isinstance(value, (int, str)) and not isinstance(value, bool):
            with suppress(ValueError):
                number = int(value)
        if not least <= number <= most:
            raise ParamError(name, f"must be an integer from {least} to {most}", most)
        return number

    return read


def switch(name: str, value: object) -> bool:
    """True or False."""
    answer = SWITCHES.get(str(value).strip().lower()) if isinstance(value, (bool, str)) else None
    if answer is None:
        raise ParamError(name, "must be true or false")
    return answer


def one_of(*words: str) -> Read:
    """A reader of one of these *words*, in whatever case."""

    def read(name: str, value: object) -> str:
        if isinstance(value, str) and value.strip().lower() in words:
            return value.strip().lower()
        raise ParamError(name, "must be " + " or ".join(f'"{word}"' for word in words))

    return read


def directory(name: str, value: object) -> str:
    """A path."""
    return text(name, os.fspath(value) if isinstance(value, os.PathLike) else value)


def prefix(name: str, value: object) -> str:
    """What the names of keys in Redis may begin with."""
    told = text(name, value)
    if len(told) > _LONGEST_PREFIX or not told.isascii() or not told.isprintable():
        raise ParamError(
            name, f"must be printable ASCII of at most {_LONGEST_PREFIX} bytes", _LONGEST_PREFIX
        )
    if "{" in told or "}" in told:
        raise ParamError(name, "must not have braces, which are Redis Cluster's")
    return told


def names(name: str, value: object) -> tuple[str, ...]:
    """Names or patterns; in a text with commas between."""
    if isinstance(value, str):
        value = filter(None, (part.strip() for part in value.split(",")))
    told = tuple(value) if isinstance(value, Iterable) else (None,)
    if not all(isinstance(part, str) and part for part in told):
        raise ParamError(name, "must be names or patterns, as text")
    return cast("tuple[str, ...]", told)


def session(name: str, value: object) -> object:
    """What sends requests."""
    if not callable(getattr(value, "send", None)):
        raise ParamError(name, "must be a requests.Session")
    return value


def function(name: str, value: object) -> object:
    """Something that can be called."""
    if not callable(value):
        raise ParamError(name, "must be callable")
    return value
