"""A plain HTTP client of the sandbox for its tests: raw requests, no code of the package's own."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from cio_events.sandbox import Sandbox

# Far more than anything here takes, far less than the suite's own guard.
TIMEOUT_SECONDS = 30


class Api(requests.Session):
    """Paths in, answers out; Basic credentials unless others are given."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self.sandbox = sandbox
        self.trust_env = False
        self.auth = ("site", "key")

    def request(  # type: ignore[override]
        self, method: str, url: str, *args: Any, **options: Any
    ) -> requests.Response:
        """Send a request to a path of the sandbox, and never follow a redirect."""
        options = {"timeout": TIMEOUT_SECONDS, **options, "allow_redirects": False}
        return super().request(method, self.sandbox.url + url, *args, **options)

    def entity(self, **operation: Any) -> requests.Response:
        """Send one v2 operation."""
        return self.post("/api/v2/entity", json=operation)

    def batch(self, *operations: Any) -> requests.Response:
        """Send v2 operations."""
        return self.post("/api/v2/batch", json={"batch": operations})

    def message(self, kind: str, **fields: Any) -> requests.Response:
        """Send a transactional message."""
        bearer = {"Authorization": "Bearer app-key"}
        return self.post(f"/v1/send/{kind}", json=fields, headers=bearer, auth=_no_auth)


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def raw(
    sandbox: Sandbox, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    """A request with exactly this path and these headers, by the standard library."""
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def eventually(condition: Callable[[], bool], every: float = 0.005) -> bool:
    """Whether it comes true before long."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
