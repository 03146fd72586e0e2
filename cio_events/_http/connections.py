"""
Connections of urllib3's that keep a deadline over a whole exchange, and tell how far it is.

requests' own ``timeout`` starts anew with every byte that comes. Here the sockets are told
before each wait how much time is left.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from contextlib import suppress
from traceback import walk_tb
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    InsecureRequestWarning,
    NewConnectionError,
)
from urllib3.util import connection

from cio_events._http.exchange import Exchange, current
from cio_events._interrupts import faults
from cio_events._process.clock import monotonic

_LINE_BYTES = 65536


class _TimedReader(io.RawIOBase):
    """Reads an answer from a socket that waits no longer than what is left."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, exchange: Exchange) -> None:
        self._raw = raw
        self._sock = sock
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._exchange.left())
        read = self._raw.readinto(buffer)
        self._exchange.answering |= bool(read)
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        exchange = current.get()
        if exchange is not None:
            self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, exchange))

    def begin(self) -> None:
        super().begin()
        exchange = current.get()
        if exchange is not None:
            exchange.status, exchange.headers = self.status, self.headers  # type: ignore[assignment]

    def _read_status(self) -> tuple[str, int, str]:
        # http.client passes over 100 alone, and takes 103 for the answer.
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200:
                return version, status, reason
            while self.fp.readline(_LINE_BYTES).rstrip(b"\r\n"):
                pass


class _Timed(HTTPConnection):
    """What connections of both schemes add to urllib3's."""

    response_class = _TimedResponse

    connecting = False
    idle_since = 0.0
    _made: socket.socket | None = None  # while it is being connected

    def connect(self) -> None:
        self.connecting, self._made = True, None
        try:
            super().connect()
        except BaseException as error:
            # urllib3 1.26 forgets one with which TLS could not begin.
            if self._made is not None:
                self._made.close()
            # Before 3.13, Python forgets the one that has taken its place, if an interrupt comes.
            for frame, _ in walk_tb(error.__traceback__):
                taken = frame.f_locals.get("self")
                if isinstance(taken, ssl.SSLSocket):
                    taken.close()
            raise
        finally:
            self.connecting, self._made = False, None
        exchange = current.get()
        if exchange is not None:
            exchange.connected = True

    def _new_conn(self) -> socket.socket:
        exchange = current.get()
        if exchange is None:
            return super()._new_conn()
        try:
            found = socket.getaddrinfo(
                self._dns_host,
                self.port,
                connection.allowed_gai_family(),
                socket.SOCK_STREAM,
            )
        except faults(OSError, UnicodeError) as error:
            raise NewConnectionError(self, "name resolution failed") from error
        failure: OSError = OSError("the name has no address")
        for index, address in enumerate(found):
            try:
                # Each address gets its share, so that one that swallows packets (broken IPv6,
                # most often) does not take the time of those that would answer.
                share = exchange.left() / (len(found) - index)
                sock = self._connect_to(address, share)
                # For the TLS handshake, which comes next.
                sock.settimeout(exchange.left())
            except faults(OSError) as error:
                failure = error
            else:
                self._made = sock
                return sock
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "connecting timed out") from failure
        raise NewConnectionError(self, "connecting failed") from failure

    def _connect_to(self, address: tuple[Any, ...], timeout: float) -> socket.socket:
        family, kind, protocol, _, where = address
        sock = socket.socket(family, kind, protocol)
        try:
            for option in self.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(timeout)
            if self.source_address:
                sock.bind(self.source_address)
            sock.connect(where)
        except BaseException:
            sock.close()
            raise
        return sock

    def _tunnel(self) -> None:
        exchange = current.get()
        try:
            super()._tunnel()
        except OSError as error:
            if exchange is not None:
                exchange.tunnel_status = _tunnel_status(error)
            raise
        if exchange is not None:
            self.sock.settimeout(exchange.left())

    def send(self, data: Any) -> None:
        exchange = current.get()
        if exchange is None:
            super().send(data)
            return
        if self.sock is None:
            self.connect()
        sock: Any = self.sock
        sock.settimeout(exchange.left())
        if not self.connecting:
            exchange.sending = True
        super().send(data)


def _tunnel_status(error: OSError) -> int | None:
    """The status in the text by which http.client refuses a proxy's answer."""
    _, told, rest = str(error).partition("Tunnel connection failed: ")
    status = rest.partition(" ")[0]
    return int(status) if told and status.isdecimal() else None


class _TimedHTTPS(_Timed, HTTPSConnection):
    pass


class _TimedPool(HTTPConnectionPool):
    ConnectionCls: Any = _Timed

    def _get_conn(self, timeout: float | None = None) -> Any:
        exchange = current.get()
        if exchange is None:
            return super()._get_conn(timeout)
        exchange.observed = True
        conn: Any = super()._get_conn(exchange.left())
        if conn.sock is not None and (
            monotonic() - conn.idle_since > exchange.longest_idle or _has_more(conn.sock)
        ):
            conn.close()
        return conn

    def urlopen(self, *args: Any, **kwargs: Any) -> Any:
        # The default of urllib3 2 only: with 1.26 an answer that breaks off would pass for whole.
        kwargs.setdefault("enforce_content_length", True)
        return super().urlopen(*args, **kwargs)

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = monotonic()
        super()._put_conn(conn)


def _has_more(sock: Any) -> bool:
    """
    Whether TLS has read more than the last answer, which is none to the next request.

    What the system has is seen by urllib3.
    """
    pending = getattr(sock, "pending", None)
    return pending is not None and pending() > 0


class _TimedHTTPSPool(_TimedPool, HTTPSConnectionPool):
    ConnectionCls = _TimedHTTPS

    def _validate_conn(self, conn: Any) -> None:
        # It comes when all is done, and is an error where all warnings are.
        with suppress(InsecureRequestWarning):
            super()._validate_conn(conn)


THEIRS = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}
"""urllib3's own pools, by the scheme of a URL."""

OURS = {"http": _TimedPool, "https": _TimedHTTPSPool}
"""Pools whose connections keep the deadline of the `current` exchange."""
