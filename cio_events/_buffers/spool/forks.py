"""
Spools across a fork: nobody uses SQLite while it is made, and the child leaves the parent's alone.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet


class Forking(Protocol):
    """
    A spool, as far as forks concern it.
    """

    def before_fork(self) -> None:
        """
        Wait until SQLite is not in use, and keep it so.
        """

    def after_fork_in_parent(self) -> None:
        """
        Go on.
        """

    def abandon(self) -> None:
        """
        In the child: leave everything to the parent, and start afresh.
        """


_spools: WeakSet[Forking] = WeakSet()
_lock = threading.RLock()  # guards all of these, and is held across a fork
_forking: list[Forking] = []
_watching = False


def watch(spool: Forking) -> None:
    """
    Have *spool* told of forks.
    """
    global _watching
    with _lock:
        _spools.add(spool)
        if not _watching and hasattr(os, "register_at_fork"):
            # Only now, as there is no way to take them back.
            _watching = True
            os.register_at_fork(
                before=_before,
                after_in_parent=_after_in_parent,
                after_in_child=_after_in_child,
            )


def _before() -> None:
    _lock.acquire()
    _forking[:] = _spools
    for spool in _forking:
        spool.before_fork()


def _after_in_parent() -> None:
    for spool in _forking:
        spool.after_fork_in_parent()
    _forking.clear()
    _lock.release()


def _after_in_child() -> None:
    global _lock
    _lock = threading.RLock()
    for spool in _forking:
        spool.abandon()
    _forking.clear()
