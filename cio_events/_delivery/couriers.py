"""Threads that make requests side by side; all but the requests themselves happens elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty
from typing import Generic, TypeVar

from cio_events._process.mailbox import Mailbox
from cio_events._process.suppression import without_capture

# One without work for so long ends.
_IDLE_SECONDS = 0.3

Task = TypeVar("Task")
Result = TypeVar("Result")


class Couriers(Generic[Task, Result]):
    """
    Some threads that do *work*, each begun when it is needed.

    Args:
        work: Done on any of them; what it raises is part of the result.

        most: How many there may be.
    """

    def __init__(self, work: Callable[[Task], Result], most: int) -> None:
        self._work = work
        self._most = most
        self._tasks: Mailbox[Task] = Mailbox()
        self._done: Mailbox[tuple[Task, Result | BaseException] | None] = Mailbox()
        self._lock = threading.Lock()  # guards the counts
        self._threads = 0
        self._open = 0  # tasks that no thread has finished

    def take(self, task: Task) -> bool:
        """Have *task* done; returns False where there is no thread for it and none can be had."""
        with self._lock:
            self._open += 1
            enough = self._threads >= min(self._open, self._most)
            if not enough:
                self._threads += 1
        if not enough:
            try:
                threading.Thread(target=self._run, name="cio_events-single", daemon=True).start()
            except BaseException as error:
                with self._lock:
                    self._threads -= 1
                    left_to_others = isinstance(error, RuntimeError) and self._threads > 0
                    if not left_to_others:
                        self._open -= 1
                if not isinstance(error, RuntimeError):
                    raise
                if not left_to_others:
                    return False
        self._tasks.put(task)
        return True

    def result(self, timeout: float) -> tuple[Task, Result | BaseException] | None:
        """
        Return the next result; None if there was none in *timeout* seconds, or `wake` was called.
        """
        try:
            return self._done.get(timeout=timeout)
        except Empty:
            return None

    def wake(self) -> None:
        """Have whoever waits for a result look again."""
        self._done.put(None)

    def _run(self) -> None:
        without_capture(self._work_on)

    def _work_on(self) -> None:
        while True:
            try:
                task = self._tasks.get(timeout=_IDLE_SECONDS)
            except Empty:
                with self._lock:
                    if self._open >= self._threads:
                        continue  # a task is on its way to this thread
                    self._threads -= 1
                    return
            result: Result | BaseException
            try:
                result = self._work(task)
            except BaseException as error:  # noqa: BLE001 - raised again by who waits
                result = error
            with self._lock:
                self._open -= 1
            self._done.put((task, result))
