"""
Rounds of delivery: which calls leave in which requests, and where each answer leads.

When there is a round, and on which thread, is decided in `worker`; what an answer means, by the
destination; who may travel beside whom, in `in_flight`; who is told of the end, in `outcomes`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator

from cio_events._buffers.base import ADOPT_INTERVAL, Buffer
from cio_events._delivery.in_flight import Chain, Lane
from cio_events._delivery.ledger import Ledger
from cio_events._delivery.outcomes import Outcomes
from cio_events._destinations.customerio import (
    Batch,
    Delivered,
    Hold,
    Refused,
    Split,
    TryAgain,
    Verdict,
    deliver,
)
from cio_events._http.endpoint import Endpoint
from cio_events._process.suppression import suppress_capture
from cio_events._wire.envelope import Envelope, Route, accepted_at
from cio_events.options import Options
from cio_events.signals import DroppedReason

# What may be in the lanes, beside a spool of any size; about 30 MB.
_TAKE_MOST = 100_000

# Taken from the buffer at once: more than a batch holds, and few enough to stay at hand for the
# processor from here until they are sent.
_ENOUGH = 4_096

# Requests under way at once, where each call is one: enough to hide the round trip, far below
# what Customer.io calls fair use.
_AT_ONCE = 8

# Short, and still a time that a request can be given.
_SHORTEST_TIMEOUT = 0.001

_APP_BYTE = Route.APP[0]


class Dispatcher:
    """
    Delivers what the buffer holds. One thread at a time may run a round.

    Attributes:
        lanes: Track's and the App API's.

        stopping: Set to True, it lets no further request begin.

        adopted: Whether the buffer was asked for the calls of processes that are gone.

        adopt_at: When it will be asked again (`time.monotonic`).

        over: Why everything was let go; None while it was not.

    Args:
        outcomes: Who is told.

        endpoints: Of the Track and the App API; None without credentials.
    """

    def __init__(
        self,
        options: Options,
        buffer: Buffer,
        ledger: Ledger,
        outcomes: Outcomes,
        endpoints: tuple[Endpoint | None, Endpoint | None],
    ) -> None:
        self._options = options
        self._buffer = buffer
        self._ledger = ledger
        self._outcomes = outcomes
        self._track, self._app = Lane("Track", endpoints[0]), Lane("App", endpoints[1])
        self.lanes: tuple[Lane, Lane] = (self._track, self._app)
        # Guards the lanes against a close that could not wait for the request under way. Never
        # held while the application's code runs.
        self._moving = threading.RLock()
        self.stopping = False
        self.adopted: bool = options.spool is None or not options.enabled
        self.adopt_at: float = 0.0
        self.over: DroppedReason | None = None
        self._lost = 0  # calls of a damaged spool that the ledger knows of
        self._more = False  # whether the buffer may have more of those that this round is about

    def ready_at(self) -> float:
        """
        When some lane with calls may send (`time.monotonic`); 0 if there is none.
        """
        return min((lane.ready_at for lane in self.lanes if lane), default=0.0)

    def prepare(self) -> None:
        """
        Import what sending needs.
        """
        for lane in self.lanes:
            if lane.endpoint is not None:
                lane.endpoint.prepare()

    def adopt_soon(self) -> None:
        """
        Have the next round look for calls that nobody delivers.
        """
        self.adopt_at = 0.0
        self.adopted = False

    def postpone(self, seconds: float) -> None:
        """
        Pause all lanes.
        """
        for lane in self.lanes:
            lane.ready_at = time.monotonic() + seconds

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
        for lane in self.lanes:
            for chain in lane.window:
                for batch in chain:
                    taken += batch.envelopes
                    attempts.update(dict.fromkeys(batch.envelopes, batch.attempts))
                chain.clear()
            taken += lane.waiting
            lane.window = []
            lane.waiting.clear()
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
                    self._fill_lanes()
                lane = self._next_lane()
            self._outcomes.announce()
            if lane is None or time.monotonic() >= end:
                return
            self._send_window(lane, end)
            yield

    def _next_lane(self) -> Lane | None:
        """
        The lane whose window goes next, if any may.
        """
        if self.stopping:
            return None
        for lane in self.lanes:
            self._give_up_expired(lane)
        ready = list(filter(None, self._ready_lanes()))
        if not ready:
            return None
        ready.sort(key=Lane.oldest)
        lane, *other = ready
        # One order of arrival: a batch ends where the other destination's next call came. Of one
        # millisecond, what Customer.io is to know of people goes before messages to them.
        until = other[0].oldest() - (lane is self._app) if other else None
        lane.form_window(until)
        return lane

    def _adopt(self) -> None:
        now = time.monotonic()
        if now >= self.adopt_at:
            self.adopt_at = now + ADOPT_INTERVAL
            count, size = self._buffer.adopt()
            if count:
                self._ledger.adopt(count, size)
            self.adopted = True
        lost = self._buffer.lost - self._lost
        if lost > 0:
            self._lost += lost
            self._ledger.settle(0, dropped={"damaged": lost})

    def _fill_lanes(self) -> None:
        """
        Take calls from the buffer, until the lanes that may send have enough for a request.
        """
        # Not fewer than max_pending: a paused lane must leave room for those of the other.
        room = max(_TAKE_MOST, self._options.max_pending)
        room -= len(self._track.waiting) + len(self._app.waiting)
        ready = [lane.waiting for lane in self._ready_lanes()]
        while self._more and room > 0 and sum(map(len, ready)) < _ENOUGH:
            wanted = min(room, _ENOUGH)
            taken = self._buffer.take(wanted)
            # What comes later waits for company, and for the next round.
            self._more = len(taken) == wanted
            room -= len(taken)
            for_app = [envelope for envelope in taken if envelope[0] == _APP_BYTE]
            if for_app:
                self._app.waiting += for_app
                taken = [envelope for envelope in taken if envelope[0] != _APP_BYTE]
            self._track.waiting += taken

    def _ready_lanes(self) -> list[Lane]:
        now = time.monotonic()
        # Without an endpoint, there may be calls of a spool that was filled with other settings.
        return [lane for lane in self.lanes if lane.endpoint and now >= lane.ready_at]

    def _give_up_expired(self, lane: Lane) -> None:
        oldest = time.time() - self._options.max_age
        if oldest <= 0:
            return
        born_before = int(oldest * 1000)
        for chain in lane.window:
            for batch in chain:
                if accepted_at(batch.envelopes[0]) < born_before:
                    old = [one for one in batch.envelopes if accepted_at(one) < born_before]
                    batch.envelopes = [
                        one for one in batch.envelopes if accepted_at(one) >= born_before
                    ]
                    self._outcomes.failed(old, batch.attempts, "expired")
        lane.window = [chain for chain in map(_without_empty_batches, lane.window) if chain]
        old = []
        while lane.waiting and accepted_at(lane.waiting[0]) < born_before:
            old.append(lane.waiting.popleft())
        if old:
            self._outcomes.failed(old, 0, "expired")

    def _send_window(self, lane: Lane, end: float) -> None:
        with self._moving:
            chains = list(lane.window)
        if len(chains) > 1 and not lane.doubtful:
            self._send_side_by_side(lane, chains, end)
        elif len(chains) > 1:
            self._send_one(lane, chains[0], end)
        elif chains:
            self._send_chain(lane, chains[0], end)
        with self._moving:
            lane.window = [chain for chain in lane.window if chain]

    def _send_chain(self, lane: Lane, chain: Chain, end: float) -> None:
        while self._send_one(lane, chain, end):
            pass

    def _send_one(self, lane: Lane, chain: Chain, end: float) -> bool:
        batch = self._next_batch(lane, chain, end)
        if batch is None:
            return False
        self._conclude(lane, chain, batch, self._send(lane, batch, end))
        return True

    def _next_batch(self, lane: Lane, chain: Chain, end: float) -> Batch | None:
        """
        What to send now, if anything. Its attempt counts from here: a close may come in between.
        """
        now = time.monotonic()
        if self.stopping or now < lane.ready_at or now >= end:
            return None
        with self._moving:
            if not chain:
                return None
            chain[0].attempts += 1
            return chain[0]

    def _send_side_by_side(self, lane: Lane, window: list[Chain], end: float) -> None:
        """
        Send several chains at once; all but the requests themselves happens on this thread.
        """
        todo: queue.SimpleQueue[tuple[Chain, Batch] | None] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[Chain, Batch, Verdict | BaseException]] = queue.SimpleQueue()

        def work() -> None:
            with suppress_capture():
                while (next_ := todo.get()) is not None:
                    try:
                        done.put((*next_, self._send(lane, next_[1], end)))
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
                self._send_chain(lane, chain, end)
            return
        under_way = 0
        fault: BaseException | None = None
        while True:
            # Not all at once: what the first requests find out may be that there must be a pause.
            while chains and under_way < helpers and fault is None:
                chain = chains.popleft()
                batch = self._next_batch(lane, chain, end)
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
                self._conclude(lane, chain, batch, result)
            except BaseException as error:  # noqa: BLE001 - raised again when all are concluded
                fault = error
        for _ in range(helpers):
            todo.put(None)
        if fault is not None:
            raise fault

    def _send(self, lane: Lane, batch: Batch, end: float) -> Verdict:
        (first, *_) = batch.envelopes
        if first[0] != _APP_BYTE:
            return self._request(lane, batch, end)
        # At most once, also over the death of this process.
        if batch.attempts == 1 and self._buffer.maybe_sent(first):
            return Refused("ambiguous", None, "the process that sent it ended before the answer")
        self._buffer.sending(first)
        verdict = self._request(lane, batch, end)
        if isinstance(verdict, (TryAgain, Hold)):
            self._buffer.unsent(first)
        return verdict

    def _request(self, lane: Lane, batch: Batch, end: float) -> Verdict:
        if batch.again:
            batch.again = False
            self._ledger.retry()
        assert lane.endpoint is not None  # noqa: S101 - the door lets nothing in without one
        timeout = min(self._options.timeout, end - time.monotonic())
        return deliver(batch, lane.endpoint, max(timeout, _SHORTEST_TIMEOUT))

    def _conclude(self, lane: Lane, chain: Chain, batch: Batch, verdict: Verdict) -> None:
        with self._moving:
            # Otherwise a close has given its calls up meanwhile.
            if chain and chain[0] is batch:
                self._apply(verdict, lane, chain)
        self._outcomes.announce()

    def _apply(self, verdict: Verdict, lane: Lane, chain: Chain) -> None:
        batch = chain[0]
        now = time.monotonic()
        if isinstance(verdict, (TryAgain, Hold)):
            batch.again = True
            delay = lane.pause(verdict, now, self._options)
            self._outcomes.delayed(lane.name, verdict, batch, delay)
            return
        lane.succeeded(now)
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
