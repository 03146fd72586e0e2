"""
What happens to pipelines when their process forks or ends.

The hooks are registered when the first pipeline is made or has its first call, since an import
has to be silent; none of them can be taken back, so each is registered once.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
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

    def deliver_before_exit(self, started: float) -> None:
        """
        Deliver within the exit budget, which began at *started* (`time.monotonic`).
        """


_living: WeakSet[Living] = WeakSet()
_fork_hook = False
_exit_hooks_of: int | None = None  # the process that has them


def watch(pipeline: Living) -> None:
    """
    Have *pipeline* told of forks and of the end.
    """
    global _fork_hook
    _living.add(pipeline)
    if not _fork_hook and hasattr(os, "register_at_fork"):
        _fork_hook = True
        os.register_at_fork(after_in_child=_after_fork)


def expect_exit() -> None:
    """
    See to it that this process delivers before it ends.
    """
    global _exit_hooks_of
    if _exit_hooks_of == os.getpid():
        return
    if _exit_hooks_of is None:
        atexit.register(_before_exit)
    _exit_hooks_of = os.getpid()
    # A child of multiprocessing leaves by os._exit(), after these and without atexit. The module
    # is there already in every such child.
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, _before_exit, exitpriority=100)


def exiting() -> bool:
    """
    Whether the interpreter is about to end: no thread can be started, no later hook will run.
    """
    return not threading.main_thread().is_alive()


def _after_fork() -> None:
    for pipeline in list(_living):
        pipeline.start_afresh()


def _before_exit() -> None:
    started = time.monotonic()
    for pipeline in list(_living):
        pipeline.deliver_before_exit(started)
