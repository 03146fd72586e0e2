"""Real Redis servers, each in a directory of its own, and a proxy that loses answers."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis
    from typing_extensions import Self

    from cio_events._relay.link import Link

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")

_START_SECONDS = 30.0


class RedisServer:
    """
    One server. As a context manager it is killed at the end, and its directory deleted.

    Args:
        settings: Of its configuration, with ``_`` for ``-``; ``appendonly="yes"`` has it keep its
            data when it is killed.

        tcp: Whether it listens on a port of loopback; otherwise on a socket's path alone.

    Attributes:
        url: Where it is, for the option ``relay``.

        port: Its port; 0 without.
    """

    def __init__(self, *, tcp: bool = False, **settings: object) -> None:
        # Not pytest's: a socket's path may have a hundred letters.
        self.directory = Path(tempfile.mkdtemp(prefix="redis-"))
        self.path = str(self.directory / "s")
        self.port = free_port() if tcp else 0
        self.url = f"redis://127.0.0.1:{self.port}/0" if tcp else f"unix://{self.path}"
        self._settings = {"appendonly": "no", "appendfsync": "always", **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self._client: redis.Redis | None = None
        self._link: Link | None = None
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def client(self) -> redis.Redis:
        """A client for the test to look with, which waits as long as it takes."""
        if self._client is None:
            import redis

            self._client = redis.Redis(unix_socket_path=self.path)
        return self._client

    @property
    def link(self) -> Link:
        """What a command of ours would look with."""
        if self._link is None:
            # Not imported above: redis-py may be missing, and the tests that need it skip.
            from cio_events._redis.keys import Keys
            from cio_events._relay.link import Link

            self._link = Link(self.url, Keys())
        return self._link

    def do(self, *command: object) -> Any:
        """Have a command executed, for its answer."""
        return self.client.execute_command(*command)

    def start(self) -> None:
        """Start it, with the data that it has kept, and wait until it answers."""
        assert PROGRAM is not None
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "unixsocket": self.path,
            "dir": self.directory,
            "save": "",
            "logfile": self.directory / "log",
            **self._settings,
        }
        arguments = [
            part
            for name, value in options.items()
            for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        self._process = subprocess.Popen(
            [PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        end = time.monotonic() + _START_SECONDS
        while True:
            with suppress(Exception):
                if self.do("PING"):
                    return
            log = self.directory / "log"
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(log.read_text() if log.exists() else "it does not start")
            time.sleep(0.005)

    def kill(self) -> None:
        """End it at once, as a power failure would (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as its administrator would (SIGTERM)."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Have it do nothing until `thaw` (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self.thaw()
            self._process.wait(_START_SECONDS)
            self._process = None
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._link is not None:
            self._link.close()
            self._link = None
        with suppress(OSError):
            Path(self.path).unlink()


class Proxy:
    """
    Stands on a port of loopback before a server and can lose what it answers.

    Attributes:
        url: Where it is, for the option ``relay``.

        lost: How many answers were lost.
    """

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._lose: bytes | None = None
        self._times = 0
        self._then: Callable[[], object] | None = None
        self.lost = 0
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._socks: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Break all connections."""
        for sock in self._socks:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._socks.clear()

    def lose_answers(
        self, command: bytes, times: int = 1, then: Callable[[], object] | None = None
    ) -> None:
        """
        Break the connection instead of passing on the next answers to that *command*.

        Before it is broken, *then* is called.
        """
        self._lose, self._times, self._then = command.upper(), times, then

    def _accept(self) -> None:
        while not self._closed:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            beyond = socket.socket(socket.AF_UNIX)
            try:
                beyond.connect(self._server.path)
            except OSError:
                sock.close()
                beyond.close()
                continue
            self._socks += [sock, beyond]
            threading.Thread(target=self._serve, args=(sock, beyond), daemon=True).start()

    def _serve(self, sock: socket.socket, beyond: socket.socket) -> None:
        doomed = threading.Event()
        answers = threading.Thread(
            target=self._pump, args=(beyond, sock, doomed, False), daemon=True
        )
        answers.start()
        self._pump(sock, beyond, doomed, True)
        answers.join()
        sock.close()
        beyond.close()

    def _pump(
        self, source: socket.socket, target: socket.socket, doomed: threading.Event, asks: bool
    ) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 20):
                if asks and self._lose is not None and self._lose in data[:200].upper():
                    if self._times:
                        self._times -= 1
                        doomed.set()
                elif not asks and doomed.is_set():
                    if self._then is not None:
                        self._then()
                    self.lost += 1
                    break
                target.sendall(data)
        for sock in (source, target):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
