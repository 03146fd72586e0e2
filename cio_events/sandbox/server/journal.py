"""The journal: the requests that arrived, in order, with what was answered."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from cio_events.sandbox.api.exchange import Body
from cio_events.sandbox.model import limits
from cio_events.sandbox.model.records import Item, ReceivedRequest
from cio_events.sandbox.model.ring import Ring

# Headers that carry credentials; the journal is shown to whoever asks.
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})


@dataclass(frozen=True, slots=True)
class News:
    """Answered requests in the order of their answers."""

    requests: list[ReceivedRequest]
    mark: str
    """Up to where they go."""
    after: str | None
    """After what they come; None: all before is to be forgotten."""
    more: bool
    """Whether there are more of them."""


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
        # Their numbers in the order of the answers, which is what a reader follows.
        self._answered: Ring[int] = Ring(limits.REQUESTS_KEPT)
        self._life = secrets.token_hex(4)
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

    def requests(self, workspace: str | None = None) -> list[ReceivedRequest]:
        """The last requests of a workspace or of all, those not yet answered too."""
        with self._lock:
            return [
                request
                for request in self._requests
                if workspace is None or request.workspace == workspace
            ]

    def clear(self, workspace: str | None = None) -> None:
        """Forget the requests of a workspace; everything without a name."""
        with self._lock:
            if workspace is None:
                self._requests = self._empty()
                self._answered = Ring(limits.REQUESTS_KEPT)
            else:
                self._requests.forget(lambda request: request.workspace == workspace)
                answered, self._answered = self._answered, Ring(limits.REQUESTS_KEPT)
                for number in answered:
                    if self._requests.get(number) is not None:
                        self._answered.add(number)
            # Who follows begins anew.
            self._life = secrets.token_hex(4)

    def get(self, number: int) -> ReceivedRequest | None:
        """The request of that number, unless it has gone."""
        with self._lock:
            return self._requests.get(number)

    def since(self, mark: str | None, most: int) -> News:
        """What was answered after that mark: the first of it, or all that is kept without one."""
        life, _, at = (mark or "").partition("-")
        with self._lock:
            known = life == self._life and at.isdecimal() and len(at) < 16
            start = max(int(at), self._answered.first) if known else self._answered.first
            fresh = self._answered.since(start)[:most]
            found = [self._requests.get(number) for number in fresh]
            end = min(start, self._answered.following) + len(fresh)
            return News(
                [request for request in found if request is not None],
                f"{self._life}-{end}",
                after=mark if known else None,
                more=end < self._answered.following,
            )

    def arrived(
        self,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: Body,
        workspace: str | None = None,
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
                workspace=workspace,
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
                self._answered.add(request.index)
        if self._on_answer is not None:
            self._on_answer(done)
