"""
A server that plays a script: for what a well-behaved server, such as the sandbox, never does.

``ScriptedServer([answer(), reset(), answer(503)])`` answers the first request, breaks the
connection of the second and answers the third; after the end of the script it answers 200.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

if TYPE_CHECKING:
    from typing_extensions import Self

# Slow enough that each byte comes alone, quick enough to outlast any socket timeout in a test.
DRIP_SECONDS = 0.02


@dataclass(frozen=True)
class Received:
    """
    A request as it came.

    Attributes:
        method: The HTTP method.

        target: What stands in the request line: the path as it was encoded.

        headers: Their names in lower case.

        body: All of it.

        connection: The number of the connection it came on, from 0.

        port: The client's port.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    port: int

    @property
    def json(self) -> Any:
        """The body's meaning."""
        return orjson.loads(self.body)


Step: TypeAlias = "Callable[[Peer], bool]"
"""Plays one request's part; says whether the connection is still good for another."""


@dataclass
class Peer:
    """One connection, as a step of the script sees it."""

    server: ScriptedServer
    sock: socket.socket
    number: int
    port: int
    buffer: bytes = field(default=b"", repr=False)

    def read(self) -> Received:
        """Read a whole request and write it into the journal."""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        length = int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            self._more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        received = Received(method, target, headers, body, self.number, self.port)
        self.server.requests.append(received)
        return received

    def send(self, data: bytes) -> None:
        """Send *data* at once."""
        self.sock.sendall(data)

    def end(self, data: bytes) -> None:
        """Send *data* and the end of the connection at once: no client takes it for a kept one."""
        if hasattr(socket, "TCP_CORK"):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        self.sock.sendall(data)
        self.sock.shutdown(socket.SHUT_WR)

    def drip(self, data: bytes) -> None:
        """Send *data* byte by byte, slowly."""
        for byte in data:
            self.sock.sendall(bytes((byte,)))
            if self.server.closing.wait(DRIP_SECONDS):
                return

    def stall(self) -> None:
        """Do nothing until the server is closed."""
        self.server.closing.wait()

    def reset(self) -> None:
        """Break the connection as a crashed host does, with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the client has gone")
        self.buffer += data


def head(status: int, length: int, headers: Mapping[str, str] | None = None) -> bytes:
    """The first lines of an answer."""
    phrase = HTTPStatus(status).phrase
    lines = {"Content-Type": "application/json", "Content-Length": str(length), **(headers or {})}
    return "".join(
        [f"HTTP/1.1 {status} {phrase}\r\n", *(f"{k}: {v}\r\n" for k, v in lines.items()), "\r\n"]
    ).encode("latin-1")


def answer(
    status: int = 200, body: bytes = b"{}", headers: Mapping[str, str] | None = None
) -> Step:
    """Read the request and answer it."""

    def step(peer: Peer) -> bool:
        peer.read()
        peer.send(head(status, len(body), headers) + body)
        return True

    return step


def redirect(location: str, status: int = 301) -> Step:
    """Read the request and send the client elsewhere."""
    return answer(status, b"moved", {"Location": location})


def stall(*, read: bool = True) -> Step:
    """Never answer; with ``read=False`` not even read."""

    def step(peer: Peer) -> bool:
        if read:
            peer.read()
        peer.stall()
        return False

    return step


def reset(*, read: bool = True) -> Step:
    """Break the connection without an answer; with ``read=False`` before anything was read."""

    def step(peer: Peer) -> bool:
        if read:
            peer.read()
        peer.reset()
        return False

    return step


def hang_up(*, read: bool = True) -> Step:
    """Close the connection in good order, but without an answer."""

    def step(peer: Peer) -> bool:
        if read:
            peer.read()
        return False

    return step


def drip_headers() -> Step:
    """Send the headers byte by byte, and never come to their end."""

    def step(peer: Peer) -> bool:
        peer.read()
        peer.drip(b"HTTP/1.1 200 OK\r\n")
        while not peer.server.closing.is_set():
            peer.drip(b"X-More: yes\r\n")
        return False

    return step


def drip_body() -> Step:
    """Send an endless body byte by byte."""

    def step(peer: Peer) -> bool:
        peer.read()
        peer.send(head(200, 1_000_000))
        while not peer.server.closing.is_set():
            peer.drip(b" ")
        return False

    return step


def truncated(body: bytes = b'{"errors":[]}') -> Step:
    """Close the connection in the middle of the answer."""

    def step(peer: Peer) -> bool:
        peer.read()
        peer.send(head(200, len(body) * 2) + body)
        return False

    return step


def raw(data: bytes) -> Step:
    """Read the request and send *data* as it is, then close."""

    def step(peer: Peer) -> bool:
        peer.read()
        peer.end(data)
        return False

    return step


def stall_handshake() -> Step:
    """Take the connection, and never begin with TLS. On a server with TLS only."""
    return _stall_handshake


def _stall_handshake(peer: Peer) -> bool:
    peer.stall()
    return False


def tunnel(port: int) -> Step:
    """As a proxy, take a CONNECT and pass on what comes to *port* on loopback."""

    def step(peer: Peer) -> bool:
        peer.read()
        with socket.create_connection(("127.0.0.1", port)) as beyond:
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(beyond, peer.sock), daemon=True)
            back.start()
            _pump(peer.sock, beyond)
            back.join()
        return False

    return step


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class ScriptedServer:
    """
    Plays *script*, one step for each request, in the order in which they arrive.

    A step is taken when the first byte of a request is there, so a connection that is kept and
    idle takes none. As a context manager it is closed at the end.

    Args:
        script: The steps; afterwards every request is answered with 200.

        tls: A server's context, for TLS.

        port: Where to listen; 0 takes a free one.

    Attributes:
        requests: What was read, oldest first.

        connections: How many were accepted.

        url: The base URL, without a slash at its end.

        closing: Set when the server is told to close.

    """

    def __init__(
        self, script: Iterable[Step] = (), *, tls: ssl.SSLContext | None = None, port: int = 0
    ) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.closing = threading.Event()
        self._script = list(script)
        self._lock = threading.Lock()  # guards _script and _socks
        self._socks: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        # By name over TLS, since that is what certificates are for.
        self.url = f"https://localhost:{self.port}" if tls else f"http://127.0.0.1:{self.port}"
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def then(self, *steps: Step) -> None:
        """Add to the script."""
        with self._lock:
            self._script += steps

    def forgive(self) -> None:
        """Forget the script: from here on every request is answered with 200."""
        with self._lock:
            self._script.clear()

    def close(self) -> None:
        """Close all connections and stop."""
        self.closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            socks, self._socks = self._socks, []
        for sock in socks:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, address = self._listener.accept()
            except OSError:  # closed
                return
            with self._lock:
                self._socks.append(sock)
            self.connections += 1  # before the first answer, at which a test may look
            self._start(self._serve, sock, address[1], self.connections - 1)

    def _serve(self, sock: socket.socket, port: int, number: int) -> None:
        # A client that leaves in the middle is what many of the tests are about.
        with suppress(OSError, ValueError), sock:
            if self._tls is not None:
                if not sock.recv(1, socket.MSG_PEEK):
                    return
                if self._next(peek=True) is _stall_handshake:
                    self._next()(Peer(self, sock, number, port))
                    return
                with self._tls.wrap_socket(sock, server_side=True) as wrapped:
                    with self._lock:
                        self._socks.append(wrapped)  # the one before has no descriptor any more
                    self._converse(Peer(self, wrapped, number, port))
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._converse(Peer(self, sock, number, port))

    def _converse(self, peer: Peer) -> None:
        while not self.closing.is_set():
            if not peer.buffer:
                if isinstance(peer.sock, ssl.SSLSocket):
                    peer.buffer = peer.sock.recv(1)
                    if not peer.buffer:
                        return
                elif not peer.sock.recv(1, socket.MSG_PEEK):
                    return
            if not self._next()(peer):
                return

    def _next(self, *, peek: bool = False) -> Step:
        with self._lock:
            if not self._script:
                return answer()
            return self._script[0] if peek else self._script.pop(0)


@contextmanager
def unanswered_port() -> Iterator[int]:
    """A port on loopback at which connecting takes forever, since its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        try:
            while True:
                sock = socket.socket()
                waiting.append(sock)
                sock.settimeout(0.2)
                try:
                    sock.connect(listener.getsockname())
                except TimeoutError:
                    break
            yield listener.getsockname()[1]
        finally:
            for sock in waiting:
                sock.close()
