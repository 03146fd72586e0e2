"""The threads that pipelines have started: which there are, and where they are."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Collection

_NAMES = ("cio_events", "cio_events-single")

# Far more than one takes to end, also where others use the machine.
_PATIENCE = 20.0


def of_ours() -> list[threading.Thread]:
    """Those that have not ended."""
    return [thread for thread in threading.enumerate() if thread.name in _NAMES]


def all_ended(but: Collection[threading.Thread] = ()) -> bool:
    """Whether they end before long, *but* for some."""
    end = time.monotonic() + _PATIENCE
    while set(of_ours()) - set(but):
        if time.monotonic() > end:
            return False
        time.sleep(0.003)
    return True


def where_they_are() -> str:
    """Where they are, for the text of a test that waits for their end in vain."""
    frames = sys._current_frames()
    return "\n".join(
        f"{thread.name}\n{''.join(traceback.format_stack(frames[thread.ident]))}"
        for thread in of_ours()
        if thread.ident in frames
    )
