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


# By which handler and thread a record came; its time (the very object, which a copy has too unless
# it was pickled) and the rest of what tells its line; and whether it was formatted, as queues do.
_Seen: TypeAlias = "tuple[object, int, float, int, int, str, int, bool]"

_WAY, _LINE = slice(0, 2), slice(2, 7)

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
    created = record.created
    if type(created) is not float or type(record.name) is not str:
        return True  # an application's own, which could be equal to anything
    recent, older = _seen
    if len(recent) > _REMEMBERED:
        _seen = recent, older = {}, recent
    mine = (
        handler,
        threading.get_ident(),
        created,
        record.thread,
        record.process,
        record.name,
        record.lineno,
        record.args is None and "message" in record.__dict__,
    )
    first = older.get(created) or recent.setdefault(created, mine)
    return first is mine or _is_another(mine, first, recent, older)


def _is_another(
    mine: _Seen, first: _Seen, recent: dict[object, Any], older: dict[object, Any]
) -> bool:
    """Whether a record is no copy of the *first* of its time, nor of a later one."""
    line, way = mine[_LINE], mine[_WAY]
    first = older.get(line) or recent.setdefault(line, first if first[_LINE] == line else mine)
    if first is mine:
        return True
    # The clock stands still, or has long steps: the second line by one way is another's second.
    turn = recent.get((line, way)) or older.get((line, way)) or int(first[_WAY] == way)
    recent[line, way] = turn + 1
    if turn:
        first = older.get((line, turn)) or recent.setdefault((line, turn), mine)
    return first is mine or not _is_of_one(first, mine)


def _is_of_one(first: _Seen, second: _Seen) -> bool:
    """Whether both, of one line at one time, are one record."""
    if first[_WAY] == second[_WAY]:
        return False
    created = second[2]
    if first[2] is created:
        return True
    # A clock that stands still gives other records the same time.
    return (_was_queued(first) or _was_queued(second)) and time.time() > created


def _was_queued(seen: _Seen) -> bool:
    _, thread, _, made_on, _, _, _, formatted = seen
    return made_on != thread or formatted
