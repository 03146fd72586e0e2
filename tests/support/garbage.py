"""Have all garbage collected, whatever other threads do."""

from __future__ import annotations

import gc
import threading
import time

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
