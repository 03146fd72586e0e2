"""Real servers under load: requests that are open while a signal ends the server."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.nursery import Child
from tests.support.programs import program
from tests.support.scripts import SECONDS, environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from cio_events.sandbox import Sandbox

# How servers say where they listen.
ADDRESS = re.compile(
    r"(?:running on http://|listening at: http://|server at http://|address )"
    r"(?:127\.0\.0\.1|localhost):(\d+)",
    re.IGNORECASE,
)

# An event waits for the end, which may take a while on a loaded machine.
PATIENT = {"CIO_FLUSH_INTERVAL": "3600", "CIO_EXIT_TIMEOUT": "20", "PYTHONUNBUFFERED": "1"}

# For the server to notice the signal while requests are open. Were it slower, the test would
# show less, and fail no more often.
NOTICE_SECONDS = 0.3


class Server:
    """
    A command that serves HTTP on loopback, in a process group of its own.

    Attributes:
        lines: What it has printed so far.

        port: Where it listens; None until it has said so.
    """

    def __init__(
        self,
        command: list[str],
        sandbox: Sandbox,
        *,
        cwd: Path,
        imported: Sequence[str] = (),
        **environ: str,
    ) -> None:
        """
        Start a command.

        If it is one of Python's, without that word, it begins with modules of others *imported*.
        """
        self.lines: list[str] = []
        self.port: int | None = None
        self._listens = threading.Event()
        env = environment(sandbox, **PATIENT, **environ)
        self._process: subprocess.Popen[str] | Child
        if imported:
            self._process = program(*command, env=env, cwd=cwd, imported=imported)
        else:
            self._process = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(SECONDS)
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                self.lines.append(line.rstrip("\n"))
                found = ADDRESS.search(line)
                if found and self.port is None:
                    self.port = int(found[1])
                    self._listens.set()
        self._listens.set()

    def request(self, method: str, path: str, body: object = None, customer: str = "5") -> Request:
        """Open a request; its body is not sent yet."""
        self._listens.wait(SECONDS)
        assert self.port is not None, self.lines
        return Request(self.port, method, path, body, customer)

    def ask(self, method: str, path: str, body: object = None, customer: str = "5") -> object:
        """What it answers, as soon as it serves."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return self.request(method, path, body, customer).finish()
            except (OSError, ValueError, http.client.HTTPException):
                assert time.monotonic() < deadline, self.lines
                assert self._process.poll() is None, self.lines
                time.sleep(0.05)

    def end(self, number: int = signal.SIGTERM, *, group: bool = False) -> list[str]:
        """End it by a signal, and wait until nothing of it runs; returns what it has printed."""
        self.send(number, group=group)
        return self.wait()

    def send(self, number: int, *, group: bool = False) -> None:
        """Send it a signal, or to its whole *group*, as a terminal does."""
        if group:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)

    def wait(self) -> list[str]:
        """Wait until nothing of it runs; returns what it has printed."""
        self._process.wait(SECONDS)
        self._reader.join(SECONDS)  # until the last of its children has closed its output
        assert not self._reader.is_alive(), self.lines
        return self.lines

    def end_under_load(
        self, opened: list[Request], number: int = signal.SIGTERM, *, group: bool = False
    ) -> list[object]:
        """End it while requests are open, and finish them; returns their answers."""
        self.send(number, group=group)
        time.sleep(NOTICE_SECONDS)
        answers = []
        for request in opened:
            with suppress(OSError, ValueError, http.client.HTTPException):
                answers.append(request.finish())
        self.wait()
        return answers


class Request:
    """A request whose body waits, so that it is open for as long as the test wants."""

    def __init__(self, port: int, method: str, path: str, body: object, customer: str) -> None:
        self._body = b"" if body is None else json.dumps(body).encode()
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        head = [
            f"{method} {path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"X-Customer: {customer}",
            "Content-Type: application/json",
            f"Content-Length: {len(self._body)}",
            "Connection: close",
        ]
        if self._body:
            head.append("Expect: 100-continue")
        try:
            self._sock.sendall("\r\n".join([*head, "", ""]).encode())
        except OSError:
            self._sock.close()
            raise

    def reaches_the_application(self) -> Self:
        """Wait until the application asks for the body."""
        answer = b""
        while b"\r\n\r\n" not in answer:
            more = self._sock.recv(1)
            if not more:
                raise ConnectionError("the server has closed the connection")
            answer += more
        if b" 100 " not in answer.partition(b"\r\n")[0]:
            raise ConnectionError(answer.decode("latin-1"))
        return self

    def close(self) -> None:
        """Give it up."""
        self._sock.close()

    def finish(self) -> Any:
        """
        Send the body; returns what is answered.

        Raises:
            OSError: The server broke the connection.
            HTTPException: It answered no HTTP.
            ValueError: It answered no JSON.
        """
        with self._sock:
            self._sock.sendall(self._body)
            response = http.client.HTTPResponse(self._sock)
            response.begin()  # reads beyond a 100 Continue
            with response:
                return json.loads(response.read())


def logged_ids(lines: list[str]) -> list[str]:
    """The ids of all events that a server's JSON lines show, as it has logged them."""
    return re.findall(r'"cio_event_id": ?"(\w{26})"', "\n".join(lines))


def lost(lines: list[str], sandbox: Sandbox) -> set[str]:
    """The ids of events that a server has logged and that have not arrived."""
    return {*logged_ids(lines)} - {event.id for event in sandbox.events}
