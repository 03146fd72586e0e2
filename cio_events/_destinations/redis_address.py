"""Where a relay's Redis is: what the option ``relay`` says, and the connection that is open."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cio_events._http.loopback import is_loopback
from cio_events._process.clock import monotonic
from cio_events._process.tracebacks import without_locals
from cio_events._redis import connection
from cio_events.errors import ParamError

if TYPE_CHECKING:
    import redis

# Routers and load balancers forget an idle connection without telling.
_IDLE_SECONDS = 30.0


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
        except ValueError:
            raise ParamError("relay", "must be a URL") from None
        local = parts.scheme == "unix"
        if parts.scheme not in ("redis", "rediss", "unix") or port == 0:
            raise ParamError(
                "relay", 'must be a URL that begins with "redis://", "rediss://" or "unix://"'
            )
        if not (parts.path if local else parts.hostname):
            raise ParamError("relay", "must say where Redis is")
        if find_spec("redis") is None:
            raise ParamError("relay", connection.MISSING)
        self._url = url
        self._host = None if local else parts.hostname
        host = "" if local else f"{parts.hostname}:{port or 6379}"
        self.base_url = f"{parts.scheme}://{host}{parts.path}"
        self._lock = threading.Lock()  # guards all that follows
        self._renew()

    def _renew(self) -> None:
        self._client: redis.Redis | None = None
        self._server: connection.Server | None = None
        self._timeout = 0.0
        self._used = 0.0
        self._process = os.getpid()

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
        with self._lock:
            if self._process != os.getpid():
                self._renew()  # the parent's goes on
            if not self._usable(timeout):
                self._drop()
                client = connection.connect(self._url, timeout)
                try:
                    self._server = connection.look_at(client)
                except BaseException:
                    client.close()
                    raise
                self._client, self._timeout = client, timeout
            self._used = monotonic()
            assert self._client is not None  # noqa: S101 - made above
            assert self._server is not None  # noqa: S101
            return self._client, self._server

    def _usable(self, timeout: float) -> bool:
        client = self._client
        if client is None or client.connection is None or self._timeout > 2 * timeout:
            return False
        if monotonic() - self._used > _IDLE_SECONDS:
            return False
        try:
            # What can be read now is the end of the connection.
            return not client.connection.can_read(timeout=0)
        except Exception:  # noqa: BLE001 - of redis-py's or the system's
            return False

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                client.close()
                client.connection_pool.disconnect()

    def close(self) -> None:
        """Close the connection; the next request makes another."""
        with self._lock:
            if self._process == os.getpid():
                self._drop()
