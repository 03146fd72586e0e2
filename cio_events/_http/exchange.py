"""One request on its way, and the answer to it: until when it may last, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

from cio_events._process.clock import monotonic

# poll() counts milliseconds in a C int, which is 24 days.
_LONGEST_WAIT = 86_400.0


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a destination answered, whatever its status. Redirects are not followed.

    Attributes:
        status: The HTTP status.

        headers: By their names in whatever case.

        body: As it was before compression; as much of it as could be read.

        broken: Why the body is not whole; None if it is.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    broken: str | None = None


@dataclass(slots=True, eq=False)
class Exchange:
    """
    What the sockets of a request are told, and what they tell.

    Attributes:
        ends: When the answer must be there, on the monotonic clock.

        longest_idle: How many seconds a kept connection may have been idle to be used for it.

        observed: Whether the rest of this is known: no byte leaves without being noticed here.

        connected: Whether a connection was made for it; otherwise a kept one was used.

        sending: Whether a first byte of it may have left.

        answering: Whether a first byte of the answer has come.

        status: That of the answer, once all of its headers have come.

        headers: The answer's, then.

        tunnel_status: What a proxy answered that was asked for a tunnel.
    """

    ends: float
    longest_idle: float = math.inf
    observed: bool = False
    connected: bool = False
    sending: bool = False
    answering: bool = False
    status: int | None = None
    headers: Mapping[str, str] | None = None
    tunnel_status: int | None = None

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return monotonic() >= self.ends

    @property
    def stale(self) -> bool:
        """
        Whether it broke as it does on a kept connection that the server has closed meanwhile.
        """
        return self.sending and not self.connected and not self.answering

    def left(self) -> float:
        """
        The seconds that a socket may still wait.

        Raises:
            TimeoutError: There are none left.
        """
        left = self.ends - monotonic()
        if left <= 0:
            raise TimeoutError("the time for the request is up")
        return min(left, _LONGEST_WAIT)


current: ContextVar[Exchange | None] = ContextVar("cio_events_exchange", default=None)
"""The exchange that this code is part of. Connections of other code find None here."""
