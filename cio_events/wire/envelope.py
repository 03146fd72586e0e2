"""
The form in which an accepted call waits, in memory or in a spool: one run of bytes.

What a route's body means is known to the wire that wrote it.
"""

from __future__ import annotations

from enum import Enum

_ROUTE = slice(0, 1)
_ACCEPTED = slice(1, 7)
_ID = slice(7, 33)

HEADER_BYTES = 33


class Route(bytes, Enum):
    """
    Which way an envelope goes: its first byte, also in spools.
    """

    BATCH = b"2"
    """A Track v2 operation, sent in a batch."""

    SINGLE = b"1"
    """A Track v2 operation that is sent alone: v2 does not have it, or not in that size."""

    APP = b"A"
    """A transactional message for the App API."""


# The first byte of an envelope, as indexing gives it.
BATCH_BYTE = Route.BATCH[0]


class Envelope(bytes):
    """
    One call, encoded once: a header of 33 bytes (route, time of acceptance, ULID) and the body.

    A single bytes object, because a hundred thousand of them may wait: it has the least memory
    that there is, the garbage collector need not look at it, and a spool stores it as it is.
    """

    __slots__ = ()

    @property
    def route(self) -> Route:
        """
        Which way it goes.
        """
        return Route(self[_ROUTE])

    @property
    def accepted(self) -> int:
        """
        When the call was accepted, in Unix milliseconds.
        """
        return int.from_bytes(self[_ACCEPTED], "big")

    @property
    def id(self) -> str:
        """
        The call's ULID.
        """
        return self[_ID].decode("ascii")

    @property
    def body(self) -> bytes:
        """
        The call as its route's wire wrote it.
        """
        return self[HEADER_BYTES:]

    def __repr__(self) -> str:
        return f"<Envelope {self.id}>"

    __str__ = __repr__


def seal(route: Route, accepted: int, id_: str, body: bytes) -> Envelope:
    """
    An envelope of these.
    """
    # Joining them also makes a copy of just the right size: orjson's own results keep
    # kilobytes of spare room, which a hundred thousand waiting calls would hold on to.
    return Envelope(b"".join((route, accepted.to_bytes(6, "big"), id_.encode("ascii"), body)))
