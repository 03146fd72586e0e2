"""
Whether the code that runs now is this package's own, whose log records are never taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# A context variable and not a thread's local: greenlets of one thread have one each, also when
# gevent patches the process after this module was imported.
_ours: ContextVar[bool] = ContextVar("cio_events_ours", default=False)

ours: Callable[[], bool] = _ours.get
"""True on the flushing thread, inside a signal's receiver and inside ``before_send``."""


@contextmanager
def marked_as_ours() -> Iterator[None]:
    """
    What is logged inside is not taken.
    """
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


def renew() -> None:
    """
    In a forked child: what it logs is its own, also if a receiver or ``before_send`` has forked.
    """
    _ours.set(False)
