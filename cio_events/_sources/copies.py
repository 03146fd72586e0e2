"""
Tell the copies that queues make of one record from several records.

A copy has what the record had, and comes another way: to another handler, or on another thread.
What comes the same way once more is another record, also where a clock stands still.
"""

from __future__ import annotations

import threading
from typing import Any

# More than wait in a queue, unless its listener has stopped.
_REMEMBERED = 10_000

Seen = dict[tuple[object, ...], object]

# Those of late, and those before them. Replaced both at once, and written to without a lock: a
# line may be logged by a signal handler, or by a finalizer, at any moment.
_seen: tuple[Seen, Seen] = ({}, {})


def is_original(record: Any, way: object) -> bool:
    """
    Whether no copy of *record* came before by another way, which has this one's event.

    Args:
        record: A record of logging.

        way: What tells the handler from others.
    """
    global _seen
    line = (record.created, record.thread, record.process, record.name, record.lineno)
    if type(line[0]) is not float or type(line[3]) is not str:
        return True  # an application's own, which could be equal to anything
    recent, older = _seen
    if len(recent) > _REMEMBERED:
        _seen = recent, older = {}, recent
    mine = way, threading.get_ident()
    turn: Any = recent.get((line, mine)) or older.get((line, mine), 0)
    recent[line, mine] = turn + 1
    first = older.get((line, turn)) or recent.setdefault((line, turn), mine)
    return first == mine
