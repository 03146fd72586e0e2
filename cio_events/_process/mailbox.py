"""
A queue between threads whose timeouts hold.

`queue.SimpleQueue.get` in C waits forever when its timeout passes at the wrong moment (seen with
Python 3.10), and `queue.Queue` must not be put to from a signal handler or a ``__del__``.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from queue import Empty
from typing import Generic, TypeVar

from cio_events._process.clock import monotonic

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """A queue without a bound. Any thread may put and get, and an interrupt of either may put."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        # Free while there may be something that nobody was woken for.
        self._news = threading.Lock()
        self._news.acquire()

    def put(self, item: Item) -> None:
        """Add *item*, and wake whoever waits."""
        self._items.append(item)
        self._tell()

    def get(self, timeout: float) -> Item:
        """
        Return the oldest item, and wait for it for at most *timeout* seconds.

        Raises:
            Empty: There was none.
        """
        end = monotonic() + timeout
        while True:
            with suppress(IndexError):
                item = self._items.popleft()
                if self._items:
                    self._tell()
                return item
            if not self._news.acquire(timeout=max(end - monotonic(), 0.0)):
                return self.get_nowait()

    def get_nowait(self) -> Item:
        """
        Return the oldest item.

        Raises:
            Empty: There is none.
        """
        try:
            return self._items.popleft()
        except IndexError:
            raise Empty from None

    def made_before(self) -> bool:
        """Whether threads had other locks then: gevent has patched the process since."""
        return type(self._news) is not type(threading.Lock())

    def _tell(self) -> None:
        with suppress(RuntimeError):  # it is free: somebody will look
            self._news.release()
