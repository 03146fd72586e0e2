"""
Tell the copies that queues make of one record from several records.

A copy has what the record had, and comes another way: to another handler, or on another thread.
What comes the same way once more is another record, and so is what comes while a clock stands
still.
"""

from __future__ import annotations

import threading
import time
from typing import Any, TypeAlias

# More than wait in a queue, unless its listener has stopped.
_REMEMBERED = 10_000


# Which line has made a record; by which handler and thread it came; its time (the very object,
# which a copy has too unless it was pickled); and whether it had come through a queue.
_Seen: TypeAlias = "tuple[tuple[object, ...], tuple[object, int], float, bool]"

# The first of each time, and of each line at a time of which there were several: those of late,
# and those before them. Replaced both at once, and written to without a lock: a line may be logged
# by a signal handler, or by a finalizer, at any moment.
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
    line = record.thread, record.process, record.name, record.lineno
    way = handler, thread
    queued = line[0] != thread or (record.args is None and "message" in record.__dict__)
    mine = line, way, created, queued
    first = older.get(created) or recent.setdefault(created, mine)
    if first is mine:
        return True
    this = created, line
    same = first if first[0] == line else mine
    first = older.get(this) or recent.setdefault(this, same)
    if first is mine:
        return True
    # The clock stands still, or has long steps: the second line by one way is another's second.
    _, earlier_way, *_ = first
    turn = recent.get((this, way)) or older.get((this, way)) or int(earlier_way == way)
    recent[this, way] = turn + 1
    if turn:
        first = older.get((this, turn)) or recent.setdefault((this, turn), mine)
    return first is mine or not _is_of_one(first, mine)


def _is_of_one(first: _Seen, second: _Seen) -> bool:
    """Whether both are one record."""
    _, way, created, queued = second
    _, earlier_way, earlier_created, earlier_queued = first
    if earlier_way == way:
        return False
    if earlier_created is created:
        return True
    # A clock that stands still gives other records the same time.
    return (earlier_queued or queued) and time.time() > created
