"""Callers that wait until there is room for their calls: first come, first served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from operator import length_hint

from cio_events._interrupts import holds
from cio_events._process.mailbox import Mailbox
from cio_events._wire.envelope import Envelope


@dataclass(slots=True, eq=False)
class Caller:
    """
    A caller that waits for room.

    Attributes:
        entering: Its call, as long as that waits.

        admit: Lets the call in, if there is room; returns whether there was.

        bell: True when the call was admitted, False to look again.
    """

    entering: Iterator[Envelope] = field(repr=False)
    admit: Callable[[], bool]
    bell: Mailbox[bool] = field(default_factory=Mailbox)


class Blocked:
    """
    All callers that wait for room.

    Attributes:
        callers: Who waits, in order.
    """

    def __init__(self) -> None:
        self.callers: deque[Caller] = deque()
        self._admitting = threading.RLock()  # held by whoever admits them

    def __bool__(self) -> bool:
        return bool(self.callers)

    def admits_here(self) -> bool:
        """Whether it is this thread that admits some."""
        return holds(self._admitting)

    def admit(self) -> None:
        """Admit as many as there is room for; any thread may."""
        # One look for all who wait: each is woken once, when it is its turn.
        if not self.callers or holds(self._admitting):
            return
        try:
            if not self._admitting.acquire(blocking=False):
                return
            while self.callers:
                first = self.callers[0]
                # It has entered already if an exception interrupted this before.
                if length_hint(first.entering) and not first.admit():
                    return
                self._dismiss(first)
                first.bell.put(True)
        finally:
            try:  # noqa: SIM105 - one call, before which no interrupt comes
                self._admitting.release()
            except RuntimeError:  # it was somebody else's
                pass

    def leave(self, caller: Caller) -> None:
        """Have *caller* wait no longer, admitted or not."""
        with self._admitting:  # whoever admits it does so entirely
            self._dismiss(caller)

    def look_again(self) -> None:
        """Have all of them look whether it is of any use to wait."""
        for caller in list(self.callers):
            caller.bell.put(False)

    def _dismiss(self, caller: Caller) -> None:
        with suppress(ValueError):  # somebody else has
            self.callers.remove(caller)
