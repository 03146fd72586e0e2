"""One round of delivery: take calls from the buffer, send them, and act on each verdict."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from cio_events._delivery.buffer import ADOPT_INTERVAL, Adopter, Buffer
from cio_events._delivery.bundle import common_body, routes_of
from cio_events._delivery.condition import DestinationCondition
from cio_events._delivery.couriers import Couriers
from cio_events._delivery.destination import (
    Delivered,
    Destination,
    Hold,
    Refused,
    Split,
    TryAgain,
    Verdict,
)
from cio_events._delivery.in_flight import InFlight
from cio_events._delivery.ledger import Ledger
from cio_events._delivery.order import Order
from cio_events._delivery.outcomes import Outcomes
from cio_events._delivery.suspects import Load
from cio_events._process.clock import monotonic
from cio_events._wire.envelope import Envelope, Route
from cio_events.options import Options
from cio_events.signals import DroppedReason

# What may be in flight, beside a spool of any size; about 30 MB.
_TAKE_MOST = 100_000

# Taken from the buffer at a time when all of it is given up.
_AT_A_TIME = 4_096

# Requests under way at once, over all destinations.
_COURIERS = 12

# How soon calls that come while requests are under way are seen.
_LOOK_SECONDS = 0.05

NEVER = float("inf")

# Short, and still a time that a request can be given.
_SHORTEST_TIMEOUT = 0.001

# Of a call that a close gave to others before its request began; nobody acts on it.
_HANDED_OVER = TryAgain("no_connection", None)

# Of one of which it could not be noted that it is sent.
_NOT_NOTED = TryAgain("no_connection", None, detail="the spool cannot be written")

# Of a message that an earlier process was about to send.
_SENT_BEFORE = Refused("ambiguous", None, "the process that sent it ended before the answer")

# The first byte of a message's envelope.
_APP = Route.APP[0]

_Task: TypeAlias = "tuple[InFlight, Load, float]"


class Dispatcher:
    """
    Delivers what the buffer holds. One thread at a time may run a round.

    Attributes:
        flights: What is on its way to each destination.

        stopping: Set to True, it lets no further request begin.

        adopted: Whether the calls of processes that are gone were looked for.

        adopt_at: When they will be again (`monotonic`); `NEVER` where nobody adopts.

        over: Why everything was released; None while it was not.

    Args:
        outcomes: Who is told.

        destinations: Where calls go.

        adopter: Takes over the calls of processes that are gone; None where nobody does.
    """

    def __init__(
        self,
        options: Options,
        buffer: Buffer,
        ledger: Ledger,
        outcomes: Outcomes,
        destinations: Sequence[Destination],
        adopter: Adopter | None = None,
    ) -> None:
        self._options = options
        self._buffer = buffer
        self._adopter = adopter
        self._ledger = ledger
        self._outcomes = outcomes
        self.flights: tuple[InFlight, ...] = tuple(map(InFlight, destinations))
        self._order = Order(flight.line for flight in self.flights)
        # Guards what is in flight against a close that could not wait for the request under way.
        # Never held while the application's code runs, nor over a disk or a network.
        self._moving = threading.RLock()
        # Held while it is noted that messages are sent, so that no close gives them up meanwhile:
        # whoever finds them next would send them too. Taken before `_moving`, where both are.
        self._noting = threading.RLock()
        self._couriers: Couriers[_Task, Verdict] = Couriers(self._send, _COURIERS)
        self._began = time.time(), monotonic()
        self._out = 0  # requests that couriers have
        self._noted: set[Envelope] = set()  # messages of which it is noted that they are sent
        self.stopping = False
        self.adopted: bool = adopter is None or not options.enabled
        self.adopt_at: float = NEVER if adopter is None else 0.0
        self.over: DroppedReason | None = None
        self._lost = 0  # calls of a damaged spool that the ledger knows of
        self._fill_at = 0.0  # when a round that lasts looks for more (`monotonic`)
        self._expired = False  # whether calls were given up that another may come after
        self._more = False  # whether the buffer may have more of those that this round is about

    def ready_at(self) -> float:
        """When something in flight may be sent (`monotonic`); 0 if nothing is in flight."""
        now = monotonic()
        with self._moving:
            return min((each.opens_at(now) for each in self.flights if each), default=0.0)

    def conditions(self) -> tuple[DestinationCondition, ...]:
        """How delivery fares, by destination."""
        now = monotonic()
        with self._moving:
            return tuple(flight.condition(now) for flight in self.flights)

    def prepare(self) -> None:
        """Import what sending needs."""
        for flight in self.flights:
            flight.destination.prepare()

    def adopt_soon(self) -> None:
        """Have the next round look for calls that nobody delivers."""
        if self._adopter is not None:
            self.adopt_at = 0.0
            self.adopted = False

    def try_now(self) -> None:
        """Let what waits have an attempt now: somebody waits for it."""
        self._fill_at = 0.0
        for flight in self.flights:
            flight.try_now()
        self._couriers.wake()

    def stop(self) -> None:
        """Let no further request begin."""
        self.stopping = True
        self._couriers.wake()

    def postpone(self, seconds: float) -> None:
        """Pause all destinations."""
        for flight in self.flights:
            flight.pace.ready_at = monotonic() + seconds

    def release(self, reason: DroppedReason) -> int:
        """
        Leave all that is pending to the spool, or give it up; returns how many were given up.

        The same holds for what is put into the buffer later, once this is called again.
        """
        with self._noting, self._moving:
            self.over = reason
            left = [one for flight in self.flights for one in flight.all_of_it()]
            for flight in self.flights:
                flight.clear()
            self._order = Order(flight.line for flight in self.flights)
            lost = self._buffer.close([envelope for envelope, _ in left], ending=reason == "exit")
            if lost:
                self._outcomes.lost(lost, dict(left), reason)
            self._ledger.hand_over()
        return len(lost)

    def discard(self, reason: DroppedReason) -> None:
        """Give up all that is pending, what lies in the spool too; another may then deliver."""
        with self._noting, self._moving:
            self.over = reason
            left = [one for flight in self.flights for one in flight.all_of_it()]
            for flight in self.flights:
                flight.clear()
            envelopes = [envelope for envelope, _ in left]
            while taken := self._buffer.take(_AT_A_TIME):
                envelopes += taken
            if envelopes:
                self._buffer.forget(envelopes)
                self._outcomes.lost(envelopes, dict(left), reason)

    def run(self, end: float) -> Iterator[None]:
        """Send what may be sent now, until *end* (`monotonic`); yields after each request."""
        self._more = True
        self._fill_at = monotonic() + self._options.flush_interval
        while True:
            with self._moving:
                tasks = self._next_tasks(end)
            self._outcomes.announce()
            if len(tasks) == 1 and not self._out and tasks[0][0].is_quick(tasks[0][1]):
                self._conclude(tasks[0], self._send_safely(tasks[0]))
                yield
                continue
            for task in tasks:
                if self._couriers.take(task):
                    self._out += 1
                else:
                    self._conclude(task, self._send_safely(task))
            if self._out:
                if monotonic() >= self._fill_at:
                    # Requests that take their time do not hold up who comes meanwhile.
                    self._fill_at = monotonic() + self._options.flush_interval
                    self._more = True
                done = self._couriers.result(_LOOK_SECONDS)
                if done is not None:
                    self._out -= 1
                    self._conclude(*done)
            elif not tasks and not self._expired:
                return
            yield

    def _next_tasks(self, end: float) -> list[_Task]:
        tasks: list[_Task] = []
        self._expired = False
        if self.stopping or self.over is not None:
            return tasks
        if self._adopter is not None:
            self._adopt(self._adopter)
        self._fill()
        # What an earlier process has left may be too old as it comes.
        for flight in self.flights:
            self._expired |= self._give_up_expired(flight)
        while not self.stopping and (now := monotonic()) < end:
            loads = [(flight, load) for flight in self.flights if (load := flight.next(now))]
            tasks += [(flight, load, end) for flight, load in loads]
            if not loads:
                break
        return tasks

    def _adopt(self, adopter: Adopter) -> None:
        now = monotonic()
        if now >= self.adopt_at or adopter.behind:
            self.adopt_at = now + ADOPT_INTERVAL
            count, size = adopter.adopt()
            self._ledger.make_room(*adopter.adopted)
            if count:
                self._ledger.adopt(count, size)
                self._more = True
            self.adopted = not adopter.behind
        lost = adopter.lost - self._lost
        if lost > 0:
            self._lost += lost
            self._ledger.lose(lost)
        self._ledger.make_room(*adopter.adopted)

    def _fill(self) -> None:
        """Take calls from the buffer, until what may be sent is enough for a request."""
        # Not fewer than max_pending: a paused destination must leave room for the others.
        room = max(_TAKE_MOST, self._options.max_pending) - sum(map(len, self.flights))
        now = monotonic()
        # One that never is ready may have calls of a spool that was filled with other settings.
        ready = [
            flight for flight in self.flights if flight.destination.ready and flight.pace.open(now)
        ]
        enough = max((flight.sharing.enough for flight in ready), default=0)
        while self._more and room > 0 and sum(map(_at_hand, ready)) < enough:
            wanted = min(room, enough)
            taken = self._buffer.take(wanted)
            # What comes later waits for company, and for the next round.
            self._more = len(taken) >= wanted or common_body(taken) is not None
            room -= len(taken)
            self._line_up(taken)

    def _line_up(self, taken: Sequence[Envelope]) -> None:
        first = self.flights[0]
        routes = first.sharing.routes
        if not any(flight.line.pending for flight in self.flights):
            if {*routes_of(taken)}.issubset(routes):
                first.waiting.add(taken)
                return
            for flight in self.flights:
                flight.tangle(self._order)
        flight_of = {route: flight for flight in self.flights for route in flight.routes}
        for envelope in taken:
            flight = flight_of.get(envelope[0], first)
            self._order.add(envelope, flight.destination.concerns(envelope), flight.line)

    def _give_up_expired(self, flight: InFlight) -> bool:
        # By both clocks: neither one that jumps nor one that stands still makes a call old.
        steady = self._began[0] + monotonic() - self._began[1]
        oldest = min(time.time(), steady) - self._options.max_age
        if oldest <= 0:
            return False
        expired = False
        for envelopes, attempts in flight.expired(int(oldest * 1000)):
            self._outcomes.failed(envelopes, attempts, "expired")
            expired = True
        return expired

    def _send_safely(self, task: _Task) -> Verdict | BaseException:
        try:
            return self._send(task)
        except BaseException as error:  # noqa: BLE001 - raised again once concluded
            return error

    def _send(self, task: _Task) -> Verdict:
        flight, load, end = task
        once = _messages(load) if flight.destination.at_most_once else []
        if not once:
            return self._request(flight, load, end)
        # At most once, also over the death of this process.
        with self._noting:
            if load not in flight.under_way:
                return _HANDED_OVER
            if any(one not in self._noted and self._buffer.maybe_sent(one) for one in once):
                return _SENT_BEFORE if len(load.envelopes) == 1 else Split()
            for one in once:
                if not self._buffer.sending(one):
                    return self._take_back(once, _NOT_NOTED)
                self._noted.add(one)
        verdict = self._request(flight, load, end)
        if isinstance(verdict, Hold) or (isinstance(verdict, TryAgain) and not verdict.doubt):
            return self._take_back(once, verdict)
        if not isinstance(verdict, (TryAgain, Split)):
            self._noted.difference_update(once)
        return verdict

    def _take_back(self, once: list[Envelope], verdict: Verdict) -> Verdict:
        """Forget of those that were noted that they are sent, as *verdict* says they were not."""
        for one in once:
            if one in self._noted:
                self._buffer.unsent(one)
        self._noted.difference_update(once)
        return verdict

    def _request(self, flight: InFlight, load: Load, end: float) -> Verdict:
        if load.again:
            load.again = False
            self._ledger.retry()
        timeout = min(self._options.timeout, end - monotonic())
        began = time.perf_counter()
        verdict = flight.destination.deliver(load, max(timeout, _SHORTEST_TIMEOUT))
        if self._options.debug:
            seconds = time.perf_counter() - began
            self._outcomes.answered(flight.destination.name, len(load.envelopes), verdict, seconds)
        return verdict

    def _conclude(self, task: _Task, verdict: Verdict | BaseException) -> None:
        flight, load, _ = task
        with self._moving:
            # Otherwise a close has given its calls up meanwhile.
            if load in flight.under_way:
                if isinstance(verdict, BaseException):
                    flight.interrupted(load)
                else:
                    self._apply(verdict, flight, load)
        if isinstance(verdict, BaseException):
            raise verdict
        self._outcomes.announce()

    def _apply(self, verdict: Verdict, flight: InFlight, load: Load) -> None:
        now = monotonic()
        if isinstance(verdict, (TryAgain, Hold)):
            delay = flight.failed(load, verdict, now, self._options, self._order)
            if load not in self._refuse(flight):
                self._outcomes.delayed(
                    flight.destination.name, verdict, load, delay, held=flight.pace.held
                )
            return
        flight.passed(load, now)
        if isinstance(verdict, Split):
            flight.split(load)
        else:
            flight.ended(load)
            if isinstance(verdict, Refused):
                self._outcomes.failed(
                    load.envelopes, load.attempts, verdict.reason, verdict.status, [verdict.detail]
                )
            else:
                self._delivered(load, verdict)
        self._refuse(flight)

    def _refuse(self, flight: InFlight) -> list[Load]:
        """Give up what is refused, now that others have passed; returns it."""
        refusals = flight.refused()
        for refused, hold in refusals:
            flight.ended(refused)
            self._outcomes.failed(
                refused.envelopes, refused.attempts, "rejected", hold.status, [hold.detail]
            )
        return [refused for refused, _ in refusals]

    def _delivered(self, load: Load, verdict: Delivered) -> None:
        accepted = load.envelopes
        refused = sorted(verdict.refused)
        if refused:
            self._outcomes.failed(
                [load.envelopes[n] for n in refused],
                load.attempts,
                "rejected",
                verdict.status,
                [verdict.refused[n] for n in refused],
            )
            accepted = [one for n, one in enumerate(accepted) if n not in verdict.refused]
        if accepted:
            self._outcomes.sent(accepted, load.attempts, verdict.status, verdict.receipt)


def _messages(load: Load) -> list[Envelope]:
    """Those of its calls that must not be sent twice."""
    return [envelope for envelope in load.envelopes if envelope[0] == _APP]


def _at_hand(flight: InFlight) -> int:
    return len(flight.waiting) or flight.line.at_hand
