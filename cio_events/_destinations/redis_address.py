"""Where a relay's Redis is: what the option ``relay`` says, and the connection that is open."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cio_events._http.loopback import is_loopback
from cio_events._interrupts import faults, interrupt_behind
from cio_events._process.clock import monotonic
from cio_events._process.tracebacks import without_locals
from cio_events._redis import connection
from cio_events.errors import ParamError

if TYPE_CHECKING:
    import redis

# Routers and load balancers forget an idle connection without telling.
_IDLE_SECONDS = 30.0


@dataclass(slots=True)
class _Kept:
    """A connection, and where it leads to; *timeout* is what it was made with."""

    client: redis.Redis
    server: connection.Server
    timeout: float
    used: float


@dataclass(slots=True)
class _Own:
    """What one process has: no child finds the lock held by a thread that it does not have."""

    # Held for moments; by a signal handler once more, which may close what it has interrupted.
    lock: threading.RLock = field(default_factory=threading.RLock)
    kept: _Kept | None = None
    closings: int = 0


class RedisAddress:
    """
    A Redis, and one connection to it, which is made anew where it cannot be trusted any more.

    Attributes:
        base_url: The URL without user, password and settings.

    Args:
        url: From the option ``relay``.

    Raises:
        ParamError: It is none for Redis, or redis-py is missing.
    """

    @without_locals
    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except faults(ValueError):
            raise ParamError("relay", "must be a URL") from None
        local = parts.scheme == "unix"
        if parts.scheme not in ("redis", "rediss", "unix") or port == 0:
            raise ParamError(
                "relay", 'must be a URL that begins with "redis://", "rediss://" or "unix://"'
            )
        if not (parts.path if local else parts.hostname):
            raise ParamError("relay", "must say where Redis is")
        if not connection.is_installed():
            raise ParamError("relay", connection.MISSING)
        self._url = url
        self._host = None if local else parts.hostname
        host = "" if local else f"{parts.hostname}:{port or 6379}"
        self.base_url = f"{parts.scheme}://{host}{parts.path}"
        # By process; the parent's is left alone, and not collected, which might close it.
        self._own: dict[int, _Own] = {}

    def __repr__(self) -> str:
        return f"<RedisAddress {self.base_url}>"

    def outside(self) -> str | None:
        """The host that is not this machine, if Redis is on another."""
        return None if self._host is None or is_loopback(self._host) else self._host

    def open(self, timeout: float) -> tuple[redis.Redis, connection.Server]:
        """
        A connection that works, as far as can be known, and where it leads to.

        Args:
            timeout: Seconds for connecting, and for each wait for the socket.

        Raises:
            ParamError: redis-py cannot read the URL.

            redis.RedisError, OSError: There is no connection.
        """
        own = self._of_this_process()
        kept, closings = own.kept, own.closings
        if kept is not None:
            if _is_usable(kept, timeout):
                kept.used = monotonic()
                return kept.client, kept.server
            _swap(own, None, closings)
        # Without the lock, as it may take long: whoever closes does not wait for that.
        client = connection.connect(self._url, timeout)
        try:
            server = connection.look_at(client)
            if not _swap(own, _Kept(client, server, timeout, monotonic()), closings):
                raise ConnectionAbortedError("it was closed meanwhile")
        except BaseException:
            connection.close(client)
            raise
        return client, server

    def close(self) -> None:
        """
        Close the connection; the next request makes another.

        It waits for nothing. A connection that is being made is closed when it is there.
        """
        own = self._of_this_process()
        with own.lock:
            own.closings += 1
        _swap(own, None, own.closings)

    def _of_this_process(self) -> _Own:
        return self._own.setdefault(os.getpid(), _Own())


def _is_usable(kept: _Kept, timeout: float) -> bool:
    if kept.client.connection is None or kept.timeout > 2 * timeout:
        return False
    if monotonic() - kept.used > _IDLE_SECONDS:
        return False
    handled = sys.exc_info()[1]
    try:
        # What can be read now is the end of the connection.
        return not kept.client.connection.can_read(timeout=0)
    except Exception as error:  # of redis-py's or the system's
        if interrupt_behind(error, handled) is not None:
            raise
        return False


def _swap(own: _Own, kept: _Kept | None, closings: int) -> bool:
    """Keep *kept* from now on, unless there have been more *closings*; returns whether it does."""
    with own.lock:
        if own.closings != closings:
            return False
        old, own.kept = own.kept, kept
    if old is not None:
        connection.close(old.client)
    return True
