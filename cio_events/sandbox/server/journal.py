"""The journal: the requests that arrived, in order, with what was answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from cio_events.sandbox.api.exchange import Body
from cio_events.sandbox.model import limits
from cio_events.sandbox.model.records import Item, ReceivedRequest
from cio_events.sandbox.model.ring import Ring

# Headers that carry credentials; the journal is shown to whoever asks.
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})


class Journal:
    """
    The requests and their answers, the last of them, or all if it is not bounded.

    `on_answer` is called, on the sandbox's thread, with each request that has been answered or
    whose connection has been dropped.
    """

    def __init__(
        self,
        on_answer: Callable[[ReceivedRequest], None] | None = None,
        *,
        bounded: bool = True,
    ) -> None:
        self._lock = threading.Lock()  # guards the list, which is read from any thread
        self._bounded = bounded
        self._requests = self._empty()
        self._on_answer = on_answer

    def _empty(self) -> Ring[ReceivedRequest]:
        if not self._bounded:
            return Ring()
        return Ring(limits.REQUESTS_KEPT, limits.REQUEST_BYTES_KEPT)

    @property
    def left(self) -> int:
        """How many have gone to make room."""
        with self._lock:
            return self._requests.left

    def requests(self) -> list[ReceivedRequest]:
        """The last requests, those not yet answered too."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._requests = self._empty()

    def arrived(
        self, method: str, path: str, headers: Iterable[tuple[str, str]], body: Body
    ) -> ReceivedRequest:
        """Note a request; the answer is noted on what this returns."""
        shown = {name: value for name, value in headers if name.lower() not in SECRET_HEADERS}
        with self._lock:
            request = ReceivedRequest(
                index=self._requests.following,
                time=time.time(),
                method=method,
                path=path,
                headers=shown,
                body=body.parsed,
                size=body.size,
            )
            self._requests.add(request, body.size)
        return request

    def answered(
        self, request: ReceivedRequest, status: int | None, answer: Any, items: Iterable[Item]
    ) -> None:
        """Note the answer to a request; no status says that the connection was dropped."""
        seconds = time.time() - request.time
        done = replace(request, status=status, answer=answer, items=tuple(items), seconds=seconds)
        with self._lock:
            # What was cleared meanwhile stays forgotten.
            if self._requests.get(request.index) is request:
                self._requests.replace(request.index, done)
        if self._on_answer is not None:
            self._on_answer(done)
