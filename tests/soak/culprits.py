"""
Calls with which every request fails, one a minute: its customer's later calls wait, nobody else's.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox


def data_of(customer: str) -> dict[str, object]:
    """What the data of *customer*'s culprit say."""
    return {"culprit": customer}


def _text_of(customer: str) -> str:
    """What its requests are recognised by."""
    return f'"culprit":"{customer}"'


# Until then it must have been found, and from then on others must arrive.
_SECONDS_TO_FIND = 30.0

_KINDS: dict[str, Callable[[Sandbox, str], None]] = {
    "500": lambda sandbox, text: sandbox.fail_next(500, times=None, text=text),
    "403": lambda sandbox, text: sandbox.fail_next(403, times=None, text=text),
    "reset": lambda sandbox, text: sandbox.drop_next(times=None, text=text),
}


@dataclass
class Culprit:
    """
    One of them, while it stands.

    Attributes:
        kind: What happens to its requests.

        customer: Its own; the events are called after it.

        began: When it did (`time.monotonic`).

        counts: How many events of each other customer had arrived when it must have been found.
    """

    kind: str
    customer: str
    began: float
    counts: dict[str, int] | None = None


@dataclass
class Found:
    """
    How one stood.

    Attributes:
        kind: What happened to its requests.

        behind: How many calls of its customer have arrived nonetheless.

        stopped: Other customers of whom nothing arrived in the second half of its time.
    """

    kind: str
    behind: int
    stopped: list[str]


class Culprits:
    """
    One after the other, of each kind in turn.

    Args:
        sandbox: Who does not take them.

        others: Customers who must not be stopped.
    """

    def __init__(self, sandbox: Sandbox, others: list[str]) -> None:
        self._sandbox = sandbox
        self._others = others
        self._kinds = itertools.cycle(_KINDS)
        self._now: Culprit | None = None

    def begin(self, customer: str) -> str:
        """Have the culprit of *customer*, which is logged next, fail; returns how."""
        self._now = Culprit(next(self._kinds), customer, time.monotonic())
        _KINDS[self._now.kind](self._sandbox, _text_of(customer))
        return self._now.kind

    def look(self) -> None:
        """Count, once it must have been found."""
        now = self._now
        if now is None or now.counts is not None:
            return
        if time.monotonic() >= now.began + _SECONDS_TO_FIND:
            now.counts = self._counts()

    def end(self) -> Found | None:
        """Heal everything; returns how the one stood that did, None if it stood for too short."""
        now, self._now = self._now, None
        found = None
        if now is not None and now.counts is not None:
            counts = self._counts()
            stopped = [who for who in self._others if counts[who] == now.counts[who]]
            found = Found(now.kind, len(self._sandbox.events_of(now.customer)), stopped)
        self._sandbox.heal()
        return found

    def _counts(self) -> dict[str, int]:
        return {who: len(self._sandbox.events_of(who)) for who in self._others}
