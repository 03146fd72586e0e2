"""Alarms that interrupt a test on its own thread, as time limits do."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def handled(handler: Callable[..., object]) -> Iterator[None]:
    """Have *handler* called at an alarm."""
    before = signal.signal(signal.SIGALRM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)
