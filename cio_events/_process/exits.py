"""
What happens when the process comes to its end: pipelines that have calls deliver them.

The hooks are registered when they are first needed, since an import has to be silent, and only
once, since they cannot be taken back.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import Protocol

from cio_events._process import forks
from cio_events._process.clock import monotonic


class Delivering(Protocol):
    """A pipeline, as far as the end of its process is concerned."""

    def wake(self) -> None:
        """Begin to deliver what is pending, without waiting for it."""

    def flush_in_time(self, started: float, timeout: float | None) -> bool:
        """
        Deliver what is pending within *timeout* seconds from *started*; whether it succeeded.
        """

    def say_pending(self) -> None:
        """Say how much could not be delivered in time."""

    def forget_pending(self) -> None:
        """Give up what is pending, and go on with what comes later."""

    def deliver_before_exit(self, started: float, timeout: float | None) -> None:
        """Do the same for the last time, and give up the rest."""


# From its first call on, the process's end concerns a pipeline, also if nobody else keeps it.
_pipelines_with_calls: dict[Delivering, None] = {}
_exit_hooks_of: int | None = None  # the process that has them
_ending = False

at_once: bool = False
"""
Whether calls leave without waiting for company: this process was told to end, or is a forked
child, of which nobody knows how it will end.
"""


def expect_exit(pipeline: Delivering) -> None:
    """See to it that *pipeline* delivers before this process ends."""
    global _exit_hooks_of
    forks.in_child(_renew)
    _pipelines_with_calls[pipeline] = None
    if _exit_hooks_of == os.getpid():
        return
    if _exit_hooks_of is None:
        atexit.register(end)
    _exit_hooks_of = os.getpid()
    _expect_exit_without_atexit()


def _renew() -> None:
    global _ending, at_once
    _ending = False
    at_once = True
    _pipelines_with_calls.clear()


# Without hooking forks, which whoever makes a pipeline does.
forks.in_child(_renew, hook=False)


def forget(pipeline: Delivering) -> None:
    """The end does not concern *pipeline* any more."""
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
    forks.in_child(_renew)
    _ending = True
    started = monotonic()
    for pipeline in _hurried():
        pipeline.deliver_before_exit(started, timeout)


def wake() -> None:
    """Have all pipelines begin to deliver what is pending."""
    _hurried()


def forget_pending() -> None:
    """Have all pipelines give up what is pending, and go on."""
    for pipeline in list(_pipelines_with_calls):
        pipeline.forget_pending()


def flush(timeout: float | None = None) -> None:
    """
    Have all pipelines deliver what is pending, in as much time as `end` would take.

    It is for a process that was told to end: what is still logged from now on leaves at once.
    What cannot be delivered is said, since no hook of ours may run later.
    """
    global at_once
    at_once = True
    started = monotonic()
    for pipeline in _hurried():
        if not pipeline.flush_in_time(started, timeout):
            pipeline.say_pending()


def _hurried() -> list[Delivering]:
    """All pipelines, at work side by side, before each of them is waited for in turn."""
    pipelines = list(_pipelines_with_calls)
    for pipeline in pipelines:
        pipeline.wake()
    return pipelines


def _expect_exit_without_atexit() -> None:
    """
    See to those who have hooks of their own, or none; what makes them is imported there.

    Children that leave by os._exit() have some, and uvicorn ends itself by a signal.
    """
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, end, exitpriority=100)
    celery = sys.modules.get("celery.signals")
    if celery is not None:
        celery.worker_process_shutdown.connect(_end_of_celery_worker, weak=False)
    expect_end_of_uvicorn()


def expect_end_of_uvicorn() -> None:
    """
    See to it that uvicorn's end delivers too, where that is imported.

    Asked when there may be calls later: the first of them may come amid the end.
    """
    if "uvicorn.server" in sys.modules:
        # Not imported above: it imports asyncio, which most processes do not need.
        from cio_events._process import servers

        servers.deliver_before_uvicorn_ends(flush)


def _end_of_celery_worker(**_: object) -> None:
    end()
