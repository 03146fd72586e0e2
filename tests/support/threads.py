"""The threads that pipelines have started: whether they end, and where they are."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterable

from cio_events import Pipeline

# Far more than one takes to end, also where others use the machine.
_PATIENCE = 20.0


def all_ended(pipelines: Iterable[Pipeline]) -> bool:
    """Whether those that deliver for *pipelines*, which are closed, end before long."""
    pipelines = list(pipelines)
    end, pause = time.monotonic() + _PATIENCE, 0.001
    while any(pipeline._worker._thread is not None for pipeline in pipelines):
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(1.2 * pause, 0.03)
    return True


def where_they_are(pipelines: Iterable[Pipeline]) -> str:
    """Where they are, for the text of a test that waits for their end in vain."""
    frames = sys._current_frames()
    found = [(each, each._worker._thread) for each in pipelines]
    return "\n".join(
        f"{pipeline}\n{''.join(traceback.format_stack(frames[thread.ident]))}"
        for pipeline, thread in found
        if thread is not None and thread.ident in frames
    )
