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

from cio_events._process.clock import monotonic

# More than wait in a queue, unless its listener has stopped.
_REMEMBERED = 10_000


# By which handler and thread a record came; its time (the very object, which a copy has too unless
# it was pickled); whether it had come through a queue; and when, by a clock that never stops.
_Seen: TypeAlias = "tuple[tuple[object, int], float, bool, float]"

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
    queued = record.thread != thread or (record.args is None and "message" in record.__dict__)
    mine = way, created, queued, monotonic()
    first = older.get(line) or recent.setdefault(line, mine)
    if first is mine:
        return True
    # The clock stands still, or has long steps: the second line by one way is another's second.
    earlier_way, *_ = first
    turn = recent.get((line, way)) or older.get((line, way)) or int(earlier_way == way)
    recent[line, way] = turn + 1
    if turn:
        first = older.get((line, turn)) or recent.setdefault((line, turn), mine)
    return first is mine or not _is_of_one(first, mine)


def _is_of_one(first: _Seen, second: _Seen) -> bool:
    """Whether both are one record."""
    way, created, queued, at = second
    earlier_way, earlier_created, earlier_queued, earlier_at = first
    if earlier_way == way:
        return False
    if earlier_created is created:
        return True
    # A clock that stands still gives other records the same time.
    return (earlier_queued or queued) and time.time() - created >= at - earlier_at
