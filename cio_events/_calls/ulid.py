"""ULIDs, by which Customer.io recognises an event that it has seen already."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from cio_events._calls.validation import is_a
from cio_events.errors import ParamError

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""What a ULID is written with."""

_CROCKFORD = LETTERS.encode()

# 256 is a multiple of 32, so that every letter is equally likely for a random byte.
_LETTER_OF_BYTE = _CROCKFORD * 8

RANDOM_LETTERS = 16
"""How many letters of a ULID, the last ones, are random: 80 bits."""

# A system call is as slow as all the rest of making an id; but whoever draws waits for all.
_DRAWN_AT_ONCE = 64

# All that two letters can say: a time is five of these.
_PAIRS = [first + second for first in LETTERS for second in LETTERS]

# 128 bits in 26 letters of 5 bits: the first has 3 only.
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")


def new_id(milliseconds: int) -> str:
    """A fresh ULID of that time (Unix milliseconds)."""
    return _time_letters(milliseconds) + _random_halves(1)[0]


class IdSource:
    """
    Makes ULIDs as `new_id` does, but asks the system for randomness only now and then.

    A forked child needs a source of its own: it would go on with its parent's randomness.

    Args:
        draw: Gives so many texts of `RANDOM_LETTERS`; None is the system's randomness.
    """

    def __init__(self, draw: Callable[[int], list[str]] | None = None) -> None:
        self._draw = draw or _random_halves
        self._drawn: list[str] = []
        # The letters of the millisecond in which the last id was made: most calls come in
        # bursts. One tuple, so that threads never see one half of it.
        self._last = (0, _time_letters(0))

    def new_id(self, milliseconds: int) -> str:
        """A fresh ULID of that time (Unix milliseconds)."""
        moment, letters = self._last
        if moment != milliseconds:
            letters = _time_letters(milliseconds)
            self._last = (milliseconds, letters)
        while True:
            try:
                # Atomic, so that no two threads get the same.
                return letters + self._drawn.pop()
            except IndexError:
                self._drawn += self._draw(_DRAWN_AT_ONCE)


def valid_id(value: object, param: str) -> str:
    """
    *value* as a ULID in capitals.

    Raises:
        ParamError: It is none; Customer.io would not deduplicate by it.
    """
    if is_a(value, str) and _ULID.match(ulid := str.upper(value)):
        return ulid
    raise ParamError(param, "must be a ULID of 26 letters")


def _random_halves(count: int) -> list[str]:
    # The system's randomness, since a generator may be seeded, and then repeats itself.
    width = RANDOM_LETTERS + 1
    letters = bytearray(os.urandom(width * count).translate(_LETTER_OF_BYTE))
    # To split a text takes half the time of cutting it.
    letters[RANDOM_LETTERS::width] = b" " * count
    return letters.decode("ascii").split()


def _time_letters(milliseconds: int) -> str:
    letters = ""
    for _ in range(5):
        milliseconds, pair = divmod(milliseconds, len(_PAIRS))
        letters = _PAIRS[pair] + letters
    return letters
