"""
The neutral sink: an HTTP server on loopback, in a process of its own, that counts events.

It answers whatever comes with 200. An event is one occurrence of the benchmark event's name in
quotes, which every side's body has once an event, whatever its form (gzip is undone first); a
search for bytes reads some gigabytes a second, so that the sink is no bottleneck for any side.
It knows no side and treats all alike. ``python -m tests.benchmarks.sink`` runs it and prints its
port; `tests.benchmarks.sink_control` is how the others talk to it.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
import zlib
from typing import Any

from tests.benchmarks.event import NAME
from tests.benchmarks.lifeline import end_with_standard_input

CONTROL = b"/-/"
"""Requests under this path are about the sink itself; they are neither counted nor delayed."""

_EVENT = json.dumps(NAME).encode()
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_GZIP = re.compile(rb"\r\ncontent-encoding: *gzip", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)

# Larger than the largest batch of any side, so that a buffer grows seldom.
_BUFFER_BYTES = 1 << 20

_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class Sink:
    """What arrived so far, and how answers are given."""

    def __init__(self) -> None:
        # Guards the counts; connections have a thread each.
        self._lock = threading.Lock()
        self._round_trip = 0.0
        self._resets = 0
        self._open = threading.Event()
        self._open.set()
        self._reset()

    def _reset(self) -> None:
        with self._lock:
            self._events = self._requests = self._bytes = 0
            self._first_ns = self._last_ns = 0

    def serve(self, listener: socket.socket) -> None:
        """Serve until the process ends."""
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        try:
            with connection:
                self._serve_requests(connection)
        except OSError:  # the side has ended; what it sent is counted
            return

    def _serve_requests(self, connection: socket.socket) -> None:
        buffer, filled, fresh = bytearray(_BUFFER_BYTES), 0, True
        while True:
            while (head_end := buffer.find(b"\r\n\r\n", 0, filled)) < 0:
                if not (read := connection.recv_into(memoryview(buffer)[filled:])):
                    return
                filled += read
            start = head_end + 4
            head = bytes(buffer[:start])
            resets = self._resets
            path = head.split(b" ", 2)[1]
            control = path.startswith(CONTROL)
            if fresh and not control:
                time.sleep(self._round_trip)  # what connecting costs
            if _CHUNKED.search(head):
                connection.sendall(b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\n\r\n")
                return
            length = _LENGTH.search(head)
            end = start + (int(length[1]) if length else 0)
            if end > len(buffer):
                buffer.extend(bytes(end - len(buffer)))
            while filled < end:
                if not (read := connection.recv_into(memoryview(buffer)[filled:end])):
                    return
                filled += read
            if control:
                answer = self._control(path[len(CONTROL) :].decode())
            else:
                # Only now: a connection that was stuck halfway through a body is slow ever after.
                self._open.wait()
                # What a side that has ended sent before the last reset is not the next one's.
                if resets == self._resets:
                    self._count(head, buffer, start, end)
                fresh = False
                time.sleep(self._round_trip)
                answer = {}
            connection.sendall(_response(answer))
            buffer[: filled - end] = buffer[end:filled]
            filled -= end

    def _count(self, head: bytes, buffer: bytearray, start: int, end: int) -> None:
        if _GZIP.search(head):
            events = zlib.decompress(buffer[start:end], _GZIP_WINDOW).count(_EVENT)
        else:
            events = buffer.count(_EVENT, start, end)
        with self._lock:
            self._requests += 1
            self._bytes += end - start
            if events:
                self._events += events
                self._last_ns = time.monotonic_ns()
                self._first_ns = self._first_ns or self._last_ns

    def _control(self, order: str) -> dict[str, Any]:
        word, _, value = order.partition("/")
        if word == "reset":
            self._resets += 1
            self._open.set()
            self._round_trip = float(value or 0)
            self._reset()
        elif word == "hold":
            self._open.clear()
        elif word == "release":
            self._open.set()
        with self._lock:
            return {
                "events": self._events,
                "requests": self._requests,
                "bytes": self._bytes,
                "first_ns": self._first_ns,
                "last_ns": self._last_ns,
            }


def _response(answer: dict[str, Any]) -> bytes:
    body = json.dumps(answer).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def main() -> None:
    """
    Serve on a free port of the loopback interface, say which, and end with the standard input.
    """
    end_with_standard_input()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    Sink().serve(listener)


if __name__ == "__main__":
    main()
