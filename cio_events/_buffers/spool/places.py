"""Remember which calls of a spool file were read, which were taken, and which are done with."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from cio_events._wire.envelope import Envelope

Found: TypeAlias = "tuple[int, Envelope | None]"
"""A call and its place; None for one that is damaged."""


class Places:
    """
    The places of one file's calls, by which they are in order, from 1.

    Attributes:
        below: What is below this place is done with, and the file says so.

        read_up_to: The last place that was read.
    """

    def __init__(self) -> None:
        self.below: int = 1
        self.read_up_to: int = 0
        self._taken: dict[Envelope, tuple[int, ...]] = {}
        self._order: deque[int] = deque()  # the places taken, but for the first that are done
        self._done: set[int] = set()  # those of _order that are done already

    @property
    def in_hand(self) -> int:
        """How many calls were taken and are not done with."""
        return len(self._order) - len(self._done)

    def take(self, found: Sequence[Found]) -> list[Envelope]:
        """Note the calls that were *found* as taken; return those that are whole."""
        taken, order = self._taken, self._order
        envelopes = []
        for place, envelope in found:
            if envelope is not None:
                # Nothing keeps two calls from being equal to the byte.
                taken[envelope] = (*taken.get(envelope, ()), place)
                order.append(place)
                envelopes.append(envelope)
        return envelopes

    def release(self, envelopes: Sequence[Envelope]) -> tuple[list[int], list[Envelope]]:
        """Release those of *envelopes* that were taken; return their places, and the others."""
        taken = self._taken
        places: list[int] = []
        others: list[Envelope] = []
        for envelope in envelopes:
            found = taken.pop(envelope, None)
            if found is None:
                others.append(envelope)
                continue
            places.append(found[0])
            if len(found) > 1:
                taken[envelope] = found[1:]
        return places, others

    def finish(self, places: Sequence[int]) -> tuple[int, list[int]]:
        """
        Note *places* as done with.

        Returns:
            The place below which now everything is, and those of *places* that are above it.
        """
        order, done = self._order, self._done
        done.update(places)
        while order and order[0] in done:
            done.remove(order.popleft())
        below = order[0] if order else self.read_up_to + 1
        return below, [place for place in places if place in done]

    def read_again(self) -> None:
        """Forget what was taken, but for what is done with."""
        if self._order:
            # What is done with above the first is deleted from the file.
            self.read_up_to = self._order[0] - 1
        self._taken.clear()
        self._order.clear()
        self._done.clear()

    def finished(self, place: int) -> bool:
        """Whether the call at *place* is done with, though others before it are not."""
        return place in self._done

    def of(self, envelope: Envelope) -> tuple[int, ...]:
        """The places of a call that was taken and not released; none if there is no such call."""
        return self._taken.get(envelope, ())
