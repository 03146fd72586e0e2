"""What has to wait for what: each customer's calls, in the order in which they were accepted."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from cio_events._wire.envelope import Envelope


@dataclass(slots=True, eq=False)
class Pending:
    """
    A call, and what it waits for.

    Attributes:
        envelope: The call itself.

        customers: Whom it concerns.

        line: The line of its destination.

        number: Its place in the order of acceptance.

        blockers: How many earlier calls have to end before it may be sent.

        followers: Calls for the same destination that wait for this one.

        others: Calls for other destinations that wait for this one.

        claimed: Whether it is part of a request, under way or to be repeated.
    """

    envelope: Envelope = field(repr=False)
    customers: tuple[str, ...] = field(repr=False)
    line: Line = field(repr=False)
    number: int
    blockers: int = 0
    followers: list[Pending] = field(default_factory=list, repr=False)
    others: list[Pending] = field(default_factory=list, repr=False)
    claimed: bool = False


class Line:
    """
    The pending calls of one destination.

    Attributes:
        pending: All of them, oldest first.

        patient: Whether other destinations wait for calls of this one; not while it is paused.
    """

    def __init__(self, shared_routes: bytes) -> None:
        self.pending: dict[Pending, None] = {}
        self.patient = True
        self._shared_routes = shared_routes
        self._last: dict[str, Pending] = {}  # the latest call of each customer
        # What nothing blocks and no request has, as heaps by number.
        self._shared: list[tuple[int, Pending]] = []
        self._single: list[tuple[int, Pending]] = []

    def last_of(self, customer: str) -> Pending | None:
        """Return the latest pending call of *customer*."""
        return self._last.get(customer)

    def add(self, call: Pending) -> None:
        """Let *call* stand last."""
        self.pending[call] = None
        for customer in call.customers:
            self._last[customer] = call
        self.offer(call)

    def offer(self, call: Pending) -> None:
        """Have *call* sent, if nothing blocks it and no request has it."""
        if not call.blockers and not call.claimed:
            shared = call.envelope[0] in self._shared_routes
            heapq.heappush(self._shared if shared else self._single, (call.number, call))

    def end(self, call: Pending) -> None:
        """*call* has ended: what waited for it may go."""
        del self.pending[call]
        call.claimed = True  # should it stand in a heap still
        for customer in call.customers:
            if self._last.get(customer) is call:
                del self._last[customer]
        _release(call.followers)
        _release(call.others)

    def let_others_go(self) -> None:
        """Have other destinations wait no longer, as this one is paused."""
        self.patient = False
        for call in self.pending:
            if call.others:
                _release(call.others)
                call.others = []

    @property
    def at_hand(self) -> int:
        """How many calls may be sent, at the most."""
        return len(self._shared) + len(self._single)

    def has_shared(self) -> bool:
        """Whether something may be sent in a shared request."""
        return _first(self._shared) is not None

    def has_single(self) -> bool:
        """Whether something may be sent alone."""
        return _first(self._single) is not None

    def take_shared(self, room: int, spared: int) -> list[Pending]:
        """Claim what one request may carry, in *room* bytes; of one customer in order."""
        taken: list[Pending] = []
        here: dict[Pending, int] = {}
        heap = self._shared
        joining: list[tuple[int, Pending]] = []
        while True:
            first = _first(heap)
            source = heap
            if joining and (first is None or joining[0][0] < first.number):
                source, first = joining, joining[0][1]
            if first is None:
                return taken
            room -= len(first.envelope) - spared
            if room < 0 and taken:
                return taken
            heapq.heappop(source)
            first.claimed = True
            taken.append(first)
            for follower in first.followers:
                count = here[follower] = here.get(follower, 0) + 1
                if (
                    count == follower.blockers
                    and not follower.claimed
                    and follower.envelope[0] in self._shared_routes
                ):
                    heapq.heappush(joining, (follower.number, follower))

    def take_single(self) -> Pending | None:
        """Claim the next call that goes alone."""
        call = _first(self._single)
        if call is not None:
            heapq.heappop(self._single)
            call.claimed = True
        return call


class Order:
    """The lines of all destinations."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.lines = list(lines)
        self._count = 0

    def add(
        self,
        envelope: Envelope,
        customers: tuple[str, ...],
        line: Line,
        *,
        claimed: bool = False,
    ) -> Pending:
        """Let a call stand behind all earlier ones of its *customers*."""
        self._count += 1
        call = Pending(envelope, customers, line, self._count, claimed=claimed)
        blockers: set[Pending] = set()
        for customer in customers:
            for other in self.lines:
                last = other.last_of(customer)
                if last is not None and last not in blockers and (other is line or other.patient):
                    blockers.add(last)
                    (last.followers if other is line else last.others).append(call)
        call.blockers = len(blockers)
        line.add(call)
        return call


def free_of(calls: list[Pending]) -> tuple[list[Pending], list[Pending]]:
    """Part *calls* into those that may be sent together now, and those that have to wait."""
    here: dict[Pending, int] = {}
    free: list[Pending] = []
    tied: list[Pending] = []
    for call in calls:
        if call.blockers != here.get(call, 0):
            tied.append(call)
            continue
        free.append(call)
        for follower in call.followers:
            here[follower] = here.get(follower, 0) + 1
    return free, tied


def grouped(calls: list[Pending]) -> list[Pending]:
    """Return *calls* with those side by side that wait for each other, each of them in order."""
    leaders = {call: call for call in calls}

    def leader(call: Pending) -> Pending:
        while leaders[call] is not call:
            leaders[call] = leaders[leaders[call]]
            call = leaders[call]
        return call

    for call in calls:
        for follower in call.followers:
            if follower in leaders:
                one, other = leader(call), leader(follower)
                # The earliest leads.
                first, second = sorted((one, other), key=lambda call: call.number)
                leaders[second] = first
    return sorted(calls, key=lambda call: (leader(call).number, call.number))


def _first(heap: list[tuple[int, Pending]]) -> Pending | None:
    # What has been claimed or ended meanwhile stands there still.
    while heap and heap[0][1].claimed:
        heapq.heappop(heap)
    return heap[0][1] if heap else None


def _release(calls: list[Pending]) -> None:
    for call in calls:
        call.blockers -= 1
        call.line.offer(call)
