"""
Tell the copies that queues make of one record from several records.

A copy has what the record had, and comes another way: to another handler, or on another thread.
What comes the same way once more is another record, and so is what comes while a clock stands
still.
"""

from __future__ import annotations

import threading
import time
from typing import Any, NamedTuple

from cio_events._process.clock import monotonic

# More than wait in a queue, unless its listener has stopped.
_REMEMBERED = 10_000


class _Seen(NamedTuple):
    """
    A record that was captured.

    Attributes:
        way: By which handler and thread.

        created: Its time, the very object, which a copy has too unless it was pickled.

        queued: Whether it had come through a queue.

        at: When it was seen, by a clock that never stands still.
    """

    way: tuple[object, int]
    created: float
    queued: bool
    at: float


# Those of late, and those before them. Replaced both at once, and written to without a lock: a
# line may be logged by a signal handler, or by a finalizer, at any moment.
_seen: tuple[dict[object, Any], dict[object, Any]] = ({}, {})


def is_original(record: Any, handler: object) -> bool:
    """
    Whether no copy of *record* came before by another way, which has this one's event.

    Args:
        record: A record of logging.

        handler: What tells its handler from others.
    """
    global _seen
    created, thread = record.created, threading.get_ident()
    if type(created) is not float or type(record.name) is not str:
        return True  # an application's own, which could be equal to anything
    recent, older = _seen
    if len(recent) > _REMEMBERED:
        _seen = recent, older = {}, recent
    line = (created, record.thread, record.process, record.name, record.lineno)
    way = handler, thread
    turn = recent.get((line, way)) or older.get((line, way), 0)
    recent[line, way] = turn + 1
    queued = record.thread != thread or (record.args is None and "message" in record.__dict__)
    mine = _Seen(way, created, queued, monotonic())
    first = older.get((line, turn)) or recent.setdefault((line, turn), mine)
    return first is mine or not _is_of_one(first, mine)


def _is_of_one(first: _Seen, second: _Seen) -> bool:
    """Whether both are one record."""
    if first.way == second.way:
        return False
    if first.created is second.created:
        return True
    # A clock that stands still gives other records the same time.
    return (first.queued or second.queued) and (
        time.time() - second.created >= second.at - first.at
    )
