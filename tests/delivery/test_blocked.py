"""Callers that wait for room: first come, first served, and nobody is woken for nothing."""

from __future__ import annotations

from queue import Empty

import pytest

from cio_events._delivery.blocked import Blocked, Caller

COUNT = 500


class Room:
    """A place for so many calls, which counts how often somebody looks for one."""

    def __init__(self) -> None:
        self.free = 0
        self.looks = 0
        self.entered: list[bytes] = []

    def caller(self, call: bytes) -> Caller:
        """Who waits for a place in it."""
        entering = iter([call])

        def admit() -> bool:
            self.looks += 1
            if not self.free:
                return False
            self.free -= 1
            self.entered.extend(entering)
            return True

        return Caller(entering, admit)


def test_each_is_admitted_in_its_turn_and_woken_once() -> None:
    """However many wait, and however little room there is at a time."""
    room, blocked = Room(), Blocked()
    callers = [room.caller(b"%d" % n) for n in range(COUNT)]
    blocked.callers.extend(callers)
    for n in range(COUNT):
        room.free = 1
        blocked.admit()
        assert len(room.entered) == n + 1

    assert room.entered == [b"%d" % n for n in range(COUNT)]
    assert room.looks < 2 * COUNT  # one that finds no more room, at each admission
    for caller in callers:
        assert caller.bell.get_nowait() is True
        with pytest.raises(Empty):
            caller.bell.get_nowait()
    assert not blocked


def test_who_leaves_is_not_admitted() -> None:
    """Those behind are."""
    room, blocked = Room(), Blocked()
    first, second = room.caller(b"1"), room.caller(b"2")
    blocked.callers.extend([first, second])
    blocked.leave(first)
    blocked.leave(first)  # as often as anybody likes
    room.free = 2
    blocked.admit()

    assert room.entered == [b"2"]


def test_whose_call_has_entered_is_not_let_in_twice() -> None:
    """An interrupt may have come between that and the news of it."""
    room, blocked = Room(), Blocked()
    caller = room.caller(b"1")
    blocked.callers.append(caller)
    room.entered.extend(caller.entering)
    room.free = 1
    blocked.admit()

    assert (room.entered, room.looks) == ([b"1"], 0)
    assert caller.bell.get_nowait() is True
