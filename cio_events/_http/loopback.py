"""Which hosts are this machine itself, and whether this process may reach no others."""

from __future__ import annotations

import ipaddress
import sys
from collections import deque
from typing import NamedTuple

from cio_events._process.callers import calling_line
from cio_events._process.environment import switched_on

VARIABLE = "CIO_ONLY_LOOPBACK"
"""The environment variable that binds a process, and those that it starts."""

# More than one test makes, and few enough to keep.
_MOST_NOTED = 1000

# pytest's plugin cannot import this package before a test does, and so keeps it for us.
_bound: bool = getattr(sys.modules.get("pytest_cio_events"), "only_loopback", False)


class Blocked(NamedTuple):
    """
    A call that was not let out.

    Attributes:
        host: Where it was to go.

        what: Which call it was, without its payload.

        line: The application's line that made it, as file and number; None if there is none.
    """

    host: str
    what: str
    line: str | None

    def __str__(self) -> str:
        return (
            f"{self.what} was not sent to {self.host}: this process may reach loopback alone "
            f"({VARIABLE}); made {f'at {self.line}' if self.line else 'at an unknown line'}"
        )


noted: deque[Blocked] = deque(maxlen=_MOST_NOTED)
"""What pipelines were kept from sending, for whoever asks about it and empties it."""


def bind(*, only_loopback: bool = True) -> None:
    """Let this process reach loopback alone, or no longer; forked children inherit it."""
    global _bound
    _bound = only_loopback


def bound() -> bool:
    """Whether this process may reach loopback alone."""
    return _bound or switched_on(VARIABLE)


def blocked(host: str, what: str) -> Blocked:
    """A call to *host* that is not let out, made by the line that runs now."""
    return Blocked(host, what, calling_line())


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address without brackets, is this machine by its very form."""
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback
