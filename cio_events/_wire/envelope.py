"""
The form in which an accepted call waits, in memory or in a spool: one run of bytes.

What a route's body means is known to the wire that wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import TypeAlias, TypeGuard

Envelope: TypeAlias = bytes
"""
One call, encoded once: a header of 33 bytes (route, time of acceptance, ULID) and the body.

Plain bytes, because a hundred thousand of them may wait: nothing is made in less time or takes
less memory, the garbage collector need not look at it, and a spool stores it as it is. It holds
personal data, so that no ``repr`` may show one.
"""

_ROUTE = slice(0, 1)
_ACCEPTED = slice(1, 7)
_ULID = slice(7, 33)

HEADER_BYTES = 33

HEADER_FORM = b"%b%b%b"
"""The header for who writes it together with a body: route, time in six bytes, and ULID."""


class Route(bytes, Enum):
    """Which way an envelope goes: its first byte, also in spools."""

    BATCH = b"2"
    """A Track v2 operation, sent in a batch."""

    SINGLE = b"1"
    """A Track v2 operation that is sent alone: v2 does not have it, or not in that size."""

    APP = b"A"
    """A transactional message for the App API."""


ULID_BYTES = 26

ULID_LETTERS = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_FORM = re.compile(b"[%b].{6}[0-7][%b]{25}." % (b"".join(Route), ULID_LETTERS), re.DOTALL)

# The first byte of an envelope, as indexing gives it.
BATCH_BYTE = Route.BATCH[0]


def seal(route: bytes, accepted: int, ulid: str, body: bytes) -> Envelope:
    """An envelope of these: *route* is one of `Route`, and *accepted* is in Unix milliseconds."""
    # Joining them also makes a copy of just the right size: orjson's own results keep kilobytes
    # of spare room, which a hundred thousand waiting calls would hold on to.
    return b"".join((route, accepted.to_bytes(6, "big"), ulid.encode(), body))


def route_of(envelope: Envelope) -> Route:
    """Which way it goes."""
    return Route(envelope[_ROUTE])


def accepted_at(envelope: Envelope) -> int:
    """When the call was accepted, in Unix milliseconds."""
    return int.from_bytes(envelope[_ACCEPTED], "big")


def ulid_of(envelope: Envelope) -> str:
    """The call's ULID."""
    return envelope[_ULID].decode("ascii")


def accepted_anew(envelope: Envelope, accepted: int) -> Envelope:
    """The same call, as if it had been accepted at another time (Unix milliseconds)."""
    return b"".join((envelope[_ROUTE], accepted.to_bytes(6, "big"), envelope[_ACCEPTED.stop :]))


def is_envelope(value: object) -> TypeGuard[Envelope]:
    """Whether *value* has the form of an envelope."""
    return isinstance(value, bytes) and _FORM.match(value) is not None


def are_envelopes(values: Sequence[object]) -> TypeGuard[Sequence[Envelope]]:
    """Whether each of *values* has: as quickly as a backlog is read."""
    return {*map(type, values)} <= {bytes} and all(map(_FORM.match, values))  # type: ignore[arg-type]


def body_of(envelope: Envelope) -> bytes:
    """The call as its route's wire wrote it."""
    return envelope[HEADER_BYTES:]
