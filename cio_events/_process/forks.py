"""
What happens when the process forks: locks are held over it, and the child starts afresh.

The hooks are registered when they are first needed, since an import has to be silent, and only
once, since they cannot be taken back.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """What has to begin anew in a forked child, such as a pipeline."""

    def start_afresh(self) -> None:
        """Begin anew in a forked child: what is pending stays the parent's."""


class Interruptible(Protocol):
    """What must not be forked in the midst of its work, such as a spool."""

    def before_fork(self) -> None:
        """Come to rest, and stay so."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def abandon(self) -> None:
        """In the child: leave everything to the parent, and start afresh."""


class Lock(Protocol):
    """A lock of `threading`."""

    def acquire(self, *, timeout: float = -1) -> bool:
        """Wait for it, so many seconds at most; returns whether it is taken."""

    def release(self) -> None:
        """Let others have it."""


_guard = threading.RLock()  # guards the registries below, and is held over each fork
_forkable: WeakSet[Forkable] = WeakSet()
_interruptible: WeakSet[Interruptible] = WeakSet()
_renewals: list[Callable[[], None]] = []
_held: list[Lock] = []
_held_now: list[Lock] = []  # this and the next are changed only by who holds all of them
_interrupted: list[Interruptible] = []
_hooked = False

forks_without_hooks: bool = "uwsgi" in sys.modules
"""Whether `detect_fork` has to be asked: uWSGI forks its workers behind Python's back."""

# logging's own lock while a fork is made, over which logging holds it too: it is taken with ours,
# as a dictConfig that makes a handler holds it and needs ours.
_of_logging: threading.RLock | None = None

# In seconds; an import or a dictConfig takes longer, most others do not.
_PATIENCE = 0.05

_process = os.getpid()
_renewing = threading.RLock()  # held while a child that was forked without hooks starts afresh


def watch(thing: Forkable) -> None:
    """Have *thing* start afresh in each forked child."""
    _forkable.add(thing)
    _hook_forks()


def watched() -> list[Forkable]:
    """All that is watched, in no order."""
    return list(_forkable)


def rest_over_forks(thing: Interruptible) -> None:
    """Have *thing* come to rest before each fork."""
    with _guard:
        _interruptible.add(thing)
    _hook_forks()


def in_child(renew: Callable[[], None], *, hook: bool = True) -> None:
    """
    Have *renew* called in each forked child, before anything starts afresh there.

    It is for what belongs to a module, such as a lock, which is copied as it is held. Without
    *hook*, it is only called if something else has forks hooked.
    """
    if renew not in _renewals:
        _renewals.append(renew)
    if hook:
        _hook_forks()


def hold_over_forks(lock: Lock) -> None:
    """Have forks wait for *lock*, so that what it guards is whole in the child."""
    if lock not in _held:
        _held.append(lock)
    _hook_forks()


_importing = threading.RLock()


def late_imports() -> threading.RLock:
    """
    What is to be held while a module of ours is imported that was not needed before.

    A child that was forked meanwhile would wait forever for the thread that imports it.
    """
    hold_over_forks(_importing)
    return _importing


def detect_fork() -> None:
    """Start afresh if this process is a child that was forked without hooks."""
    if _process != os.getpid():
        with _renewing:
            if _process != os.getpid():
                _start_afresh()


def _hook_forks() -> None:
    global _hooked
    if _hooked or not hasattr(os, "register_at_fork"):
        return
    with _guard:
        if not _hooked:
            _hooked = True
            os.register_at_fork(
                before=_before_fork,
                after_in_parent=_after_fork_in_parent,
                after_in_child=_after_fork_in_child,
            )


def _before_fork() -> None:
    global _of_logging
    lock: threading.RLock = logging._lock  # type: ignore[attr-defined] # noqa: SLF001
    while True:
        kept = _come_to_rest()
        if kept is None:
            if lock.acquire(timeout=_PATIENCE):
                _of_logging = lock
                return
            _go_on()
            kept = lock
        # Whoever keeps it for so long may wait for one that this thread had.
        kept.acquire()
        kept.release()


def _after_fork_in_parent() -> None:
    _go_on()
    _let_logging_go_on()


def _come_to_rest() -> Lock | None:
    """Return the lock that another thread keeps, with none taken; None once all is at rest."""
    # The guard last, as an interrupt of whoever holds another may need it.
    locks = [*_held, _guard]
    for place, lock in enumerate(locks):
        if not lock.acquire(timeout=_PATIENCE):
            _release(locks[:place])
            return lock
    _held_now[:] = locks
    _interrupted[:] = _interruptible
    for thing in _interrupted:
        thing.before_fork()
    return None


def _go_on() -> None:
    for thing in _interrupted:
        thing.after_fork_in_parent()
    _interrupted.clear()
    _release(_held_now[:])


def _after_fork_in_child() -> None:
    global _renewing
    _renewing = threading.RLock()
    for thing in _interrupted:
        thing.abandon()
    _interrupted.clear()
    _release(_held_now[:])
    _let_logging_go_on()
    _start_afresh()


def _let_logging_go_on() -> None:
    global _of_logging
    lock, _of_logging = _of_logging, None
    if lock is not None:
        with suppress(RuntimeError):  # in a child, logging has made it anew
            lock.release()


def _release(locks: list[Lock]) -> None:
    for lock in reversed(locks):
        lock.release()


def _start_afresh() -> None:
    global _process
    for renew in _renewals:
        renew()
    for thing in list(_forkable):
        thing.start_afresh()
    _process = os.getpid()
