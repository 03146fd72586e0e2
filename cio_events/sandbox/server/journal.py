"""The journal: every request that arrived, in order, with what was answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from cio_events.sandbox.model.records import ReceivedRequest

# Headers that carry credentials; the journal is shown to whoever asks.
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})


class Journal:
    """
    The requests and their answers.

    `on_answer` is called, on the sandbox's thread, with each request that has been answered or
    whose connection has been dropped.
    """

    def __init__(self, on_answer: Callable[[ReceivedRequest], None] | None = None) -> None:
        self._lock = threading.Lock()  # guards the list, which is read from any thread
        self._requests: list[ReceivedRequest] = []
        self._on_answer = on_answer

    def requests(self) -> list[ReceivedRequest]:
        """All requests so far, those not yet answered too."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._requests = []

    def arrived(
        self, method: str, path: str, headers: Iterable[tuple[str, str]], body: Any
    ) -> ReceivedRequest:
        """Note a request; the answer is noted on what this returns."""
        shown = {name: value for name, value in headers if name.lower() not in SECRET_HEADERS}
        with self._lock:
            request = ReceivedRequest(
                index=len(self._requests),
                time=time.time(),
                method=method,
                path=path,
                headers=shown,
                body=body,
            )
            self._requests.append(request)
        return request

    def answered(self, request: ReceivedRequest, status: int | None, answer: Any) -> None:
        """Note the answer to a request; no status says that the connection was dropped."""
        done = replace(request, status=status, answer=answer)
        with self._lock:
            at = request.index
            # What was cleared meanwhile stays forgotten.
            if self._requests[at : at + 1] and self._requests[at] is request:
                self._requests[at] = done
        if self._on_answer is not None:
            self._on_answer(done)
