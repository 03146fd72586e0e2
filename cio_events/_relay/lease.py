"""Leading a partition: a lease in Redis, with a generation, that has to be renewed."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cio_events._process.clock import monotonic
from cio_events._relay import scripts

if TYPE_CHECKING:
    from cio_events._relay.link import Link

SECONDS = 15.0
"""How long a lease lasts unless it is renewed."""

RENEWALS = 3
"""How often it is renewed within that time."""

# Of a lease's time, what is left over for a request that ends late and a clock that is slow.
_MARGIN = 1 / 15


def _steady() -> Callable[[], float]:
    if hasattr(time, "CLOCK_BOOTTIME"):
        # It goes on while the machine is suspended, as Redis's does.
        return lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    return monotonic


_steady_clock = _steady()


def own_name() -> str:
    """What this process calls itself in Redis: host, process and a word, another each time."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class Lease:
    """
    The right to deliver a partition's calls, as long as nobody else can have it.

    By which process it is held is part of its token, which every script checks.

    Args:
        link: Where it is.

        seconds: How long it lasts unless it is renewed.
    """

    def __init__(self, link: Link, seconds: float) -> None:
        self._link = link
        self.seconds = seconds
        self._owner = own_name()
        self.token = b""
        self.generation = 0
        self._began = 0.0, 0.0  # before it was renewed last, by two clocks

    def take(self) -> bool:
        """Begin to lead, if nobody does."""
        keys, began = self._link.keys, self._now()
        token = self._link.run(
            scripts.LEAD, [keys.lease, keys.leader], [self._owner, int(self.seconds * 1000)]
        )
        if not token:
            return False
        self.token, self._began = bytes(token), began
        self.generation = int(self.token.partition(b":")[0])
        return True

    def renew(self) -> bool:
        """Go on leading; returns False where another has led since."""
        keys, began = self._link.keys, self._now()
        renewed = self._link.run(
            scripts.RENEW,
            [keys.lease, keys.leader],
            [self.token, int(self.seconds * 1000), self.generation],
        )
        if renewed:
            self._began = began
        else:
            self.end()
        return bool(renewed)

    def release(self) -> None:
        """Let another lead at once."""
        token, self.token = self.token, b""
        self.end()
        self._link.run(scripts.RELEASE, [self._link.keys.lease], [token])

    def end(self) -> None:
        """Send nothing more."""
        self._began = float("-inf"), float("-inf")

    def left(self) -> float:
        """For how many seconds nobody else can lead; a request has to end within them."""
        steady, wall = self._now()
        # A clock that was set back must not make it longer.
        gone = max(steady - self._began[0], wall - self._began[1])
        return self.seconds * (1 - _MARGIN) - gone

    @property
    def longest_request(self) -> float:
        """How long a request may last that begins just before it is renewed, in seconds."""
        return self.seconds * (1 - _MARGIN - 1 / RENEWALS)

    @staticmethod
    def _now() -> tuple[float, float]:
        return _steady_clock(), time.time()
