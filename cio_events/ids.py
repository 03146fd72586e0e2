"""
ULIDs, by which Customer.io recognises an event that it has seen already.
"""

from __future__ import annotations

import os
import re

from cio_events.errors import ParamError

_CROCKFORD = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"

# 256 is a multiple of 32, so that every letter is equally likely for a random byte.
_LETTER_OF_BYTE = _CROCKFORD * 8

# 128 bits in 26 letters of 5 bits: the first has 3 only.
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")


def new_id(milliseconds: int) -> str:
    """
    A fresh ULID of that time (Unix milliseconds).
    """
    # The system's randomness, since a seeded or forked generator would repeat itself.
    return _time_letters(milliseconds) + os.urandom(16).translate(_LETTER_OF_BYTE).decode("ascii")


def valid_id(value: object, param: str) -> str:
    """
    *value* as a ULID in capitals.

    Raises:
        ParamError: It is none; Customer.io would not deduplicate by it.

    """
    if isinstance(value, str) and _ULID.match(ulid := value.upper()):
        return ulid
    raise ParamError(param, "must be a ULID of 26 letters")


# The letters of the millisecond in which the last id was made: most calls come in bursts.
# One tuple, so that threads never see one half of it.
_last: tuple[int, str] = (0, "0" * 10)


def _time_letters(milliseconds: int) -> str:
    global _last
    known, letters = _last
    if known != milliseconds:
        rest, reversed_letters = milliseconds, []
        for _ in range(10):
            rest, digit = divmod(rest, 32)
            reversed_letters.append(_CROCKFORD[digit])
        letters = bytes(reversed(reversed_letters)).decode("ascii")
        _last = (milliseconds, letters)
    return letters
