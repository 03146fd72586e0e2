"""
What happens when the process forks, or comes to its end: whoever is concerned is told.

The hooks are registered when they are first needed, since an import has to be silent; none of
them can be taken back, so each is registered once.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet


class Living(Protocol):
    """
    A pipeline, as far as its life is concerned.
    """

    def start_afresh(self) -> None:
        """
        Begin anew in a forked child: what is pending stays the parent's.
        """

    def wake(self) -> None:
        """
        Begin to deliver what is pending, without waiting for it.
        """

    def flush_in_time(self, started: float, timeout: float | None) -> bool:
        """
        Deliver what is pending within *timeout* seconds from *started*; whether it succeeded.
        """

    def deliver_before_exit(self, started: float, timeout: float | None) -> None:
        """
        Do the same for the last time, and give up the rest.
        """


class Lock(Protocol):
    """
    A lock of `threading`.
    """

    def acquire(self) -> object:
        """
        Wait for it.
        """

    def release(self) -> None:
        """
        Let others have it.
        """


# Forks.

_living: WeakSet[Living] = WeakSet()
_renewals: list[Callable[[], None]] = []
_held: list[Lock] = []
_held_now: list[Lock] = []  # changed only by the thread that holds all of them
_hooked = False

forks_without_hooks: bool = "uwsgi" in sys.modules
"""Whether `detect_fork` has to be asked: uWSGI forks its workers behind Python's back."""

_process = os.getpid()
_renewing = threading.RLock()  # held while a child that was forked without hooks starts afresh


def watch(pipeline: Living) -> None:
    """
    Have *pipeline* start afresh in each forked child.
    """
    _living.add(pipeline)
    _hook_forks()


def in_child(renew: Callable[[], None]) -> None:
    """
    Have *renew* called in each forked child, before pipelines start afresh there.

    It is for what belongs to a module, such as a lock, which is copied as it is held.
    """
    if renew not in _renewals:
        _renewals.append(renew)
    _hook_forks()


def hold_over_forks(lock: Lock) -> None:
    """
    Have forks wait for *lock*, so that what it guards is whole in the child.
    """
    if lock not in _held:
        _held.append(lock)
    _hook_forks()


class _LateImports:
    """
    Held while a module of ours is imported that was not needed before.

    A child that was forked meanwhile would wait forever for the thread that imports it.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        hold_over_forks(self._lock)
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


late_imports: _LateImports = _LateImports()


def detect_fork() -> None:
    """
    Start afresh if this process is a child that was forked without hooks.
    """
    if _process != os.getpid():
        with _renewing:
            if _process != os.getpid():
                _start_afresh()


def _hook_forks() -> None:
    global _hooked
    if not _hooked and hasattr(os, "register_at_fork"):
        _hooked = True
        os.register_at_fork(
            before=_before_fork,
            after_in_parent=_after_fork,
            after_in_child=_after_fork_in_child,
        )


def _before_fork() -> None:
    locks = _held[:]
    for lock in locks:
        lock.acquire()
    _held_now[:] = locks


def _after_fork() -> None:
    locks = _held_now[:]
    for lock in reversed(locks):
        lock.release()


def _after_fork_in_child() -> None:
    global _renewing
    _renewing = threading.RLock()
    _after_fork()
    _start_afresh()


def _start_afresh() -> None:
    global _ending, _process
    _ending = False
    _pipelines_with_calls.clear()
    for renew in _renewals:
        renew()
    for pipeline in list(_living):
        pipeline.start_afresh()
    _process = os.getpid()


# The end.

# From its first call on, the process's end concerns a pipeline, also if nobody else keeps it.
_pipelines_with_calls: dict[Living, None] = {}
_exit_hooks_of: int | None = None  # the process that has them
_ending = False


def expect_exit(pipeline: Living) -> None:
    """
    See to it that *pipeline* delivers before this process ends.
    """
    global _exit_hooks_of
    _pipelines_with_calls[pipeline] = None
    if _exit_hooks_of == os.getpid():
        return
    if _exit_hooks_of is None:
        atexit.register(end)
    _exit_hooks_of = os.getpid()
    _expect_exit_without_atexit()


def forget(pipeline: Living) -> None:
    """
    The end does not concern *pipeline* any more.
    """
    _pipelines_with_calls.pop(pipeline, None)


def exiting() -> bool:
    """
    Whether the end has come: no thread can be started, and no hook of ours will run any more.
    """
    if _ending:
        return True
    if threading.main_thread().is_alive():
        return False
    # The main thread may have ended long before the others that the interpreter waits for.
    return all(thread.daemon for thread in threading.enumerate() if thread.is_alive())


def end(timeout: float | None = None) -> None:
    """
    Have all pipelines deliver what is pending, and give up the rest.

    Args:
        timeout: Seconds for all of them together; None is each one's own ``exit_timeout``.
    """
    global _ending
    _ending = True
    started = time.monotonic()
    for pipeline in _hurried():
        pipeline.deliver_before_exit(started, timeout)


def flush(timeout: float | None = None) -> None:
    """
    Have all pipelines deliver what is pending, in as much time as `end` would take.
    """
    started = time.monotonic()
    for pipeline in _hurried():
        pipeline.flush_in_time(started, timeout)


def _hurried() -> list[Living]:
    """
    All pipelines, at work side by side, before each of them is waited for in turn.
    """
    pipelines = list(_pipelines_with_calls)
    for pipeline in pipelines:
        pipeline.wake()
    return pipelines


def _expect_exit_without_atexit() -> None:
    """
    Children that leave by os._exit() have hooks of their own; what makes them is imported there.
    """
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, end, exitpriority=100)
    celery = sys.modules.get("celery.signals")
    if celery is not None:
        celery.worker_process_shutdown.connect(_end_of_celery_worker, weak=False)


def _end_of_celery_worker(**_: object) -> None:
    end()
