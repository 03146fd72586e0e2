"""Garbage: all of it collected, whatever other threads do, or amid our own code by this one."""

from __future__ import annotations

import gc
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cio_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_OURS = str(Path(cio_events.__file__).parent)

# Far more than another thread's collection takes.
_PATIENCE = 20.0


def collect() -> None:
    """
    Collect what is garbage by now, and return when it is gone.

    `gc.collect` does nothing while another thread collects, which one that an earlier test has
    left may do at any time.
    """
    here, ended = threading.get_ident(), set[int]()

    def note(phase: str, _: object) -> None:
        if phase == "stop":
            ended.add(threading.get_ident())

    end = time.monotonic() + _PATIENCE
    # An automatic one would count as well.
    enabled = gc.isenabled()
    gc.disable()
    gc.callbacks.append(note)
    try:
        gc.collect()
        while here not in ended:
            assert time.monotonic() < end, "another thread collects without an end"
            time.sleep(0.001)
            gc.collect()
    finally:
        gc.callbacks.remove(note)
        if enabled:
            gc.enable()


@contextmanager
def collecting(every: int) -> Iterator[None]:
    """
    Collect the latest garbage before each so many lines of the library's.

    With more than what follows has between two pieces of garbage, each line of it has its turn.
    What Python collects by itself, any thread does that allocates just then: here none does.
    """
    lines = 0

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        del event, argument
        return line if frame.f_code.co_filename.startswith(_OURS) else None

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        del frame, event, argument
        lines += 1
        if lines % every == 0:
            gc.collect(0)
        return line

    before = sys.gettrace()
    gc.disable()
    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(before)
        gc.enable()
    collect()
