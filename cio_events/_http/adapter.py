"""
The transport adapter by which requests keeps a deadline over the whole of an exchange.

requests' own ``timeout`` starts anew with every byte that comes. Here the sockets are told
before each wait how much time is left.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections import OrderedDict
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import urllib3
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util import connection

from cio_events._http.exchange import Exchange, current

if TYPE_CHECKING:
    import requests


class _TimedReader(io.RawIOBase):
    """
    Reads an answer from a socket that waits no longer than what is left.
    """

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


class _Timed(HTTPConnection):
    """
    What connections of both schemes add to urllib3's.
    """

    response_class = _TimedResponse

    connecting = False
    idle_since = 0.0

    def connect(self) -> None:
        self.connecting = True
        try:
            super().connect()
        finally:
            self.connecting = False
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
        except (OSError, UnicodeError) as error:
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
            except OSError as error:
                failure = error
            else:
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
        super()._tunnel()
        exchange = current.get()
        if exchange is not None:
            self.sock.settimeout(exchange.left())

    def send(self, data: Any) -> None:
        exchange = current.get()
        if exchange is None:
            super().send(data)
            return
        if self.sock is None:
            self.connect()
        if not self.connecting:
            exchange.sending = True
        sock: Any = self.sock
        sock.settimeout(exchange.left())
        super().send(data)


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
        if conn.sock is not None and monotonic() - conn.idle_since > exchange.longest_idle:
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


class _TimedHTTPSPool(_TimedPool, HTTPSConnectionPool):
    ConnectionCls = _TimedHTTPS


_POOLS = {"http": _TimedPool, "https": _TimedHTTPSPool}


class DeadlineAdapter(HTTPAdapter):
    """
    requests' adapter, whose connections keep the deadline of the `current` exchange.

    A SOCKS proxy's connections are urllib3's own and keep it for each wait only.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """
        Have the pools make our connections.
        """
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """
        Have the proxy's pools make our connections.
        """
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


def keep_deadlines(session: requests.Session, url: str) -> None:
    """
    Have an application's session keep deadlines below *url*, if no adapter of its own is there.
    """
    theirs = session.get_adapter(url)
    if type(theirs) is not HTTPAdapter:
        return
    # The size of the pools is as they chose it; retries there are elsewhere, and not twice.
    chosen = vars(theirs)
    ours = DeadlineAdapter(
        pool_connections=chosen["_pool_connections"],
        pool_maxsize=chosen["_pool_maxsize"],
        pool_block=chosen["_pool_block"],
    )
    session.mount(url, ours)


def clone_session(session: requests.Session) -> requests.Session:
    """
    A session like this one that shares no connection with it.

    For a forked child, where the connections of the original are the parent's. Not by `copy`,
    which forgets what subclasses of sessions and adapters have of their own.
    """
    adapters = OrderedDict(
        (prefix, _twin_adapter(adapter) if isinstance(adapter, HTTPAdapter) else adapter)
        for prefix, adapter in session.adapters.items()
    )
    # The jar's lock may have been held when the process forked.
    cookies = RequestsCookieJar()
    cookies.update(session.cookies)
    return _like(session, adapters=adapters, cookies=cookies)


def _twin_adapter(adapter: HTTPAdapter) -> HTTPAdapter:
    manager = _like(adapter.poolmanager, pools=urllib3.PoolManager().pools)
    return _like(adapter, poolmanager=manager, proxy_manager={})


_T = TypeVar("_T")


def _like(thing: _T, **changed: object) -> _T:
    other: _T = object.__new__(type(thing))
    other.__dict__.update(thing.__dict__, **changed)
    return other
