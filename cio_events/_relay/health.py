"""``/health`` on loopback, for whatever watches over a relay."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from cio_events._redis.connection import problem_of
from cio_events._relay.link import ERRORS

if TYPE_CHECKING:
    from cio_events._relay.status import Status

_SECONDS = 5.0


class Health:
    """
    Answers 200 while somebody leads each partition and nothing waits for too long, else 503.

    Args:
        port: On 127.0.0.1; 0 is any that is free.

        look: Asks how the partitions are.

        max_lag: After how many seconds something waits for too long; None is never.

    Raises:
        OSError: The port cannot be had.
    """

    def __init__(
        self, port: int, look: Callable[[], Sequence[Status]], max_lag: float | None
    ) -> None:
        self._look = look
        self._max_lag = max_lag
        health = self

        class Handler(BaseHTTPRequestHandler):
            timeout = _SECONDS

            def do_GET(self) -> None:
                """Answer."""
                if self.path.partition("?")[0] != "/health":
                    self.send_error(HTTPStatus.NOT_FOUND)
                    return
                status, answer = health.answer()
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
                """Say nothing of each request."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def start(self) -> None:
        """Begin to answer."""
        threading.Thread(
            target=self._server.serve_forever, name="cio_events-health", daemon=True
        ).start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self) -> tuple[HTTPStatus, dict[str, object]]:
        """What is answered now."""
        try:
            seen = self._look()
        except ERRORS as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, {
                "well": False,
                "problem": problem_of(error).detail,
            }
        well = all(one.is_well(self._max_lag) for one in seen)
        return (
            HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE,
            {"well": well, "partitions": [one.as_json() for one in seen]},
        )
