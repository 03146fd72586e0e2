"""
One round of delivery: take calls from the buffer, send them, and act on each verdict.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence

from cio_events._buffers.base import ADOPT_INTERVAL, Buffer
from cio_events._delivery.destination import (
    Batch,
    Delivered,
    Destination,
    Hold,
    Refused,
    Split,
    TryAgain,
    Verdict,
)
from cio_events._delivery.in_flight import Chain, InFlight
from cio_events._delivery.ledger import Ledger
from cio_events._delivery.outcomes import Outcomes
from cio_events._process.suppression import suppress_capture
from cio_events._wire.envelope import Envelope, accepted_at
from cio_events.options import Options
from cio_events.signals import DroppedReason

# What may be in flight, beside a spool of any size; about 30 MB.
_TAKE_MOST = 100_000

# Taken from the buffer at once: more than a batch holds, and few enough to stay at hand for the
# processor from here until they are sent.
_ENOUGH = 4_096

# Requests under way at once, where each call is one: enough to hide the round trip, far below
# what Customer.io calls fair use.
_AT_ONCE = 8

# Short, and still a time that a request can be given.
_SHORTEST_TIMEOUT = 0.001


class Dispatcher:
    """
    Delivers what the buffer holds. One thread at a time may run a round.

    Attributes:
        flights: What is on its way to each destination.

        stopping: Set to True, it lets no further request begin.

        adopted: Whether the buffer was asked for the calls of processes that are gone.

        adopt_at: When it will be asked again (`time.monotonic`).

        over: Why everything was let go; None while it was not.

    Args:
        outcomes: Who is told.

        destinations: Where calls go. Of calls of one millisecond, those for the first go first.
    """

    def __init__(
        self,
        options: Options,
        buffer: Buffer,
        ledger: Ledger,
        outcomes: Outcomes,
        destinations: Sequence[Destination],
    ) -> None:
        self._options = options
        self._buffer = buffer
        self._ledger = ledger
        self._outcomes = outcomes
        self.flights: tuple[InFlight, ...] = tuple(map(InFlight, destinations))
        # Guards what is in flight against a close that could not wait for the request under way.
        # Never held while the application's code runs.
        self._moving = threading.RLock()
        self.stopping = False
        self.adopted: bool = options.spool is None or not options.enabled
        self.adopt_at: float = 0.0
        self.over: DroppedReason | None = None
        self._lost = 0  # calls of a damaged spool that the ledger knows of
        self._more = False  # whether the buffer may have more of those that this round is about

    def ready_at(self) -> float:
        """
        When something in flight may be sent (`time.monotonic`); 0 if nothing is in flight.
        """
        return min((flight.pace.ready_at for flight in self.flights if flight), default=0.0)

    def prepare(self) -> None:
        """
        Import what sending needs.
        """
        for flight in self.flights:
            flight.destination.prepare()

    def adopt_soon(self) -> None:
        """
        Have the next round look for calls that nobody delivers.
        """
        self.adopt_at = 0.0
        self.adopted = False

    def postpone(self, seconds: float) -> None:
        """
        Pause all destinations.
        """
        for flight in self.flights:
            flight.pace.ready_at = time.monotonic() + seconds

    def release(self, reason: DroppedReason) -> int:
        """
        Leave all that is pending to the spool, or give it up; returns how many were given up.

        The same holds for what is put into the buffer later, once this is called again.
        """
        with self._moving:
            lost = self._release(reason)
        self._outcomes.announce()
        return lost

    def _release(self, reason: DroppedReason) -> int:
        self.over = reason
        taken: list[Envelope] = []
        attempts: dict[Envelope, int] = {}
        for flight in self.flights:
            for chain in flight.window:
                for batch in chain:
                    taken += batch.envelopes
                    attempts.update(dict.fromkeys(batch.envelopes, batch.attempts))
                chain.clear()
            taken += flight.waiting
            flight.window = []
            flight.waiting.clear()
        lost = self._buffer.close(taken)
        if lost:
            self._outcomes.lost(lost, attempts, reason)
        self._ledger.hand_over()
        return len(lost)

    def run(self, end: float) -> Iterator[None]:
        """
        Send what may be sent now, until *end* (`time.monotonic`); yields after each window.
        """
        self._more = True
        while True:
            with self._moving:
                if not self.stopping:
                    self._adopt()
                    self._fill()
                flight = self._next_flight()
            self._outcomes.announce()
            if flight is None or time.monotonic() >= end:
                return
            self._send_window(flight, end)
            yield

    def _next_flight(self) -> InFlight | None:
        """
        Return the one whose window goes next, if any may.
        """
        if self.stopping:
            return None
        for flight in self.flights:
            self._give_up_expired(flight)
        ready = list(filter(None, self._ready_flights()))
        if not ready:
            return None
        ready.sort(key=InFlight.oldest)
        flight, *others = ready
        # One order of arrival: a batch ends where another destination's next call came. Of one
        # millisecond, what the first destination is to know goes first.
        until = None
        if others:
            other = others[0]
            later = self.flights.index(flight) > self.flights.index(other)
            until = other.oldest() - later
        flight.form_window(until)
        return flight

    def _adopt(self) -> None:
        now = time.monotonic()
        if now >= self.adopt_at or self._buffer.behind:
            self.adopt_at = now + ADOPT_INTERVAL
            count, size = self._buffer.adopt()
            self._ledger.make_room(*self._buffer.adopted)
            if count:
                self._ledger.adopt(count, size)
            self.adopted = not self._buffer.behind
        lost = self._buffer.lost - self._lost
        if lost > 0:
            self._lost += lost
            self._ledger.settle(0, dropped={"damaged": lost})
        self._ledger.make_room(*self._buffer.adopted)

    def _fill(self) -> None:
        """
        Take calls from the buffer, until what may be sent is enough for a request.
        """
        # Not fewer than max_pending: a paused destination must leave room for the others.
        room = max(_TAKE_MOST, self._options.max_pending)
        room -= sum(len(flight.waiting) for flight in self.flights)
        ready = [flight.waiting for flight in self._ready_flights()]
        first, *others = self.flights
        while self._more and room > 0 and sum(map(len, ready)) < _ENOUGH:
            wanted = min(room, _ENOUGH)
            taken = self._buffer.take(wanted)
            # What comes later waits for company, and for the next round.
            self._more = len(taken) == wanted
            room -= len(taken)
            for flight in others:
                routes = flight.destination.routes
                theirs = [envelope for envelope in taken if envelope[0] in routes]
                if theirs:
                    flight.waiting += theirs
                    taken = [envelope for envelope in taken if envelope[0] not in routes]
            first.waiting += taken

    def _ready_flights(self) -> list[InFlight]:
        now = time.monotonic()
        # One that never is may have calls of a spool that was filled with other settings.
        return [
            flight
            for flight in self.flights
            if flight.destination.ready and now >= flight.pace.ready_at
        ]

    def _give_up_expired(self, flight: InFlight) -> None:
        oldest = time.time() - self._options.max_age
        if oldest <= 0:
            return
        born_before = int(oldest * 1000)
        for chain in flight.window:
            for batch in chain:
                if accepted_at(batch.envelopes[0]) < born_before:
                    old = [one for one in batch.envelopes if accepted_at(one) < born_before]
                    batch.envelopes = [
                        one for one in batch.envelopes if accepted_at(one) >= born_before
                    ]
                    self._outcomes.failed(old, batch.attempts, "expired")
        flight.window = [chain for chain in map(_without_empty_batches, flight.window) if chain]
        old = []
        while flight.waiting and accepted_at(flight.waiting[0]) < born_before:
            old.append(flight.waiting.popleft())
        if old:
            self._outcomes.failed(old, 0, "expired")

    def _send_window(self, flight: InFlight, end: float) -> None:
        with self._moving:
            chains = list(flight.window)
        if len(chains) > 1 and not flight.doubtful:
            self._send_side_by_side(flight, chains, end)
        elif len(chains) > 1:
            self._send_one(flight, chains[0], end)
        elif chains:
            self._send_chain(flight, chains[0], end)
        with self._moving:
            flight.window = [chain for chain in flight.window if chain]

    def _send_chain(self, flight: InFlight, chain: Chain, end: float) -> None:
        while self._send_one(flight, chain, end):
            pass

    def _send_one(self, flight: InFlight, chain: Chain, end: float) -> bool:
        batch = self._next_batch(flight, chain, end)
        if batch is None:
            return False
        self._conclude(flight, chain, batch, self._send(flight, batch, end))
        return True

    def _next_batch(self, flight: InFlight, chain: Chain, end: float) -> Batch | None:
        """
        What to send now, if anything. Its attempt counts from here: a close may come in between.
        """
        now = time.monotonic()
        if self.stopping or now < flight.pace.ready_at or now >= end:
            return None
        with self._moving:
            if not chain:
                return None
            chain[0].attempts += 1
            return chain[0]

    def _send_side_by_side(self, flight: InFlight, window: list[Chain], end: float) -> None:
        """
        Send several chains at once; all but the requests themselves happens on this thread.
        """
        todo: queue.SimpleQueue[tuple[Chain, Batch] | None] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[Chain, Batch, Verdict | BaseException]] = queue.SimpleQueue()

        def work() -> None:
            with suppress_capture():
                while (next_ := todo.get()) is not None:
                    try:
                        done.put((*next_, self._send(flight, next_[1], end)))
                    except BaseException as error:  # noqa: BLE001
                        done.put((*next_, error))

        chains = deque(window)
        helpers = 0
        for _ in range(min(_AT_ONCE, len(chains))):
            try:
                threading.Thread(target=work, name="cio_events-single", daemon=True).start()
            except RuntimeError:
                break
            helpers += 1
        if not helpers:
            for chain in chains:
                self._send_chain(flight, chain, end)
            return
        under_way = 0
        fault: BaseException | None = None
        while True:
            # Not all at once: what the first requests find out may be that there must be a pause.
            while chains and under_way < helpers and fault is None:
                chain = chains.popleft()
                batch = self._next_batch(flight, chain, end)
                if batch is not None:
                    todo.put((chain, batch))
                    under_way += 1
            if not under_way:
                break
            chain, batch, result = done.get()
            under_way -= 1
            chains.appendleft(chain)
            try:
                if isinstance(result, BaseException):
                    raise result
                self._conclude(flight, chain, batch, result)
            except BaseException as error:  # noqa: BLE001 - raised again when all are concluded
                fault = error
        for _ in range(helpers):
            todo.put(None)
        if fault is not None:
            raise fault

    def _send(self, flight: InFlight, batch: Batch, end: float) -> Verdict:
        (first, *_) = batch.envelopes
        if not flight.destination.at_most_once:
            return self._request(flight, batch, end)
        # At most once, also over the death of this process.
        if batch.attempts == 1 and self._buffer.maybe_sent(first):
            return Refused("ambiguous", None, "the process that sent it ended before the answer")
        self._buffer.sending(first)
        verdict = self._request(flight, batch, end)
        if isinstance(verdict, (TryAgain, Hold)):
            self._buffer.unsent(first)
        return verdict

    def _request(self, flight: InFlight, batch: Batch, end: float) -> Verdict:
        if batch.again:
            batch.again = False
            self._ledger.retry()
        timeout = min(self._options.timeout, end - time.monotonic())
        return flight.destination.deliver(batch, max(timeout, _SHORTEST_TIMEOUT))

    def _conclude(self, flight: InFlight, chain: Chain, batch: Batch, verdict: Verdict) -> None:
        with self._moving:
            # Otherwise a close has given its calls up meanwhile.
            if chain and chain[0] is batch:
                self._apply(verdict, flight, chain)
        self._outcomes.announce()

    def _apply(self, verdict: Verdict, flight: InFlight, chain: Chain) -> None:
        batch = chain[0]
        now = time.monotonic()
        if isinstance(verdict, (TryAgain, Hold)):
            batch.again = True
            delay = flight.pace.pause(verdict, now, self._options)
            self._outcomes.delayed(flight.destination.name, verdict, batch, delay)
            return
        flight.pace.succeeded(now)
        chain.popleft()
        if isinstance(verdict, Split):
            middle = len(batch.envelopes) // 2
            chain.appendleft(Batch(batch.envelopes[middle:], batch.attempts))
            chain.appendleft(Batch(batch.envelopes[:middle], batch.attempts))
        elif isinstance(verdict, Refused):
            self._outcomes.failed(
                batch.envelopes, batch.attempts, verdict.reason, verdict.status, [verdict.detail]
            )
        else:
            self._delivered(batch, verdict)

    def _delivered(self, batch: Batch, verdict: Delivered) -> None:
        refused = sorted(verdict.refused)
        if refused:
            self._outcomes.failed(
                [batch.envelopes[n] for n in refused],
                batch.attempts,
                "rejected",
                verdict.status,
                [verdict.refused[n] for n in refused],
            )
        taken = batch.envelopes
        if refused:
            taken = [one for n, one in enumerate(taken) if n not in verdict.refused]
        if taken:
            self._outcomes.sent(taken, batch.attempts, verdict.status, verdict.receipt)


def _without_empty_batches(chain: Chain) -> Chain:
    return type(chain)(batch for batch in chain if batch.envelopes)
