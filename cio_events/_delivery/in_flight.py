"""
The calls for one destination: which request comes next, and what a verdict does to those waiting.

While all of them share requests and nothing goes wrong, they are one queue. Once a call goes
alone, or may be the cause of failures, `order` says what waits for what. Nothing here sends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cio_events._delivery.bundle import Queue, has_older, routes_of, size_of
from cio_events._delivery.condition import DestinationCondition
from cio_events._delivery.destination import Batch, Destination, Hold, Sharing, TryAgain
from cio_events._delivery.order import Line, Order, Pending, free_of
from cio_events._delivery.retry import URGENT_SECONDS, Pace, asked_for, backoff
from cio_events._delivery.suspects import STRIKES, TRIES, Load, Suspects
from cio_events._wire.envelope import Envelope, accepted_at
from cio_events.options import Options

# Single requests under way at once: enough to hide the round trip, far below what is fair use.
_AT_ONCE = 8

# Where no calls share a request.
_ALONE = Sharing(b"", 0, 0)

# After timeouts a batch becomes no smaller than this, and grows again by so much.
_SMALLEST_ROOM = 4_096
_GROWTH = 1.25


class InFlight:
    """
    What is on its way to one destination.

    Attributes:
        sharing: Which calls share a request.

        routes: The first bytes of its envelopes.

        waiting: What is part of no request yet, while all is one queue.

        line: What stands in order otherwise.

        again: Requests to be made again, in order.

        suspects: Requests whose calls may be the cause that they fail.

        under_way: Requests that are made now.

        pace: When the destination may be asked again.
    """

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self.waiting = Queue()
        self.sharing = destination.sharing or _ALONE
        self.routes = destination.routes
        self.line = Line(self.sharing.routes)
        self.again: list[Load] = []
        self.suspects = Suspects()
        self.under_way: set[Load] = set()
        self.pace = Pace()
        self._room = float(self.sharing.room)

    def __bool__(self) -> bool:
        return bool(self.waiting or self.again or self.under_way or self.line.pending)

    def __len__(self) -> int:
        """How many calls wait, but those of the requests that are made now or again."""
        return len(self.waiting) + len(self.line.pending)

    @property
    def doubtful(self) -> bool:
        """
        Whether the last request failed, so that one alone has to find out what the next does.
        """
        return self.pace.failures > 0

    def condition(self, now: float) -> DestinationCondition:
        """How delivery fares."""
        waiting = [accepted_at(envelope) for envelope, _ in self.all_of_it()]
        return DestinationCondition(
            self.destination.name,
            held=self.pace.held,
            failures=self.pace.failures,
            delay=max(self.pace.ready_at - now, 0.0),
            waiting=len(waiting),
            oldest=min(waiting, default=None),
        )

    def opens_at(self, now: float) -> float:
        """Return when something may be sent (`monotonic`)."""
        if not self.destination.ready:
            return float("inf")
        at = self.pace.opens_at(now)
        if self.waiting or self.line.has_shared() or self.line.has_single():
            return at
        if any(load.calls is None or free_of(load.calls)[0] for load in self.again):
            return at
        suspects = self.suspects
        return max(at, suspects.trial_at(now) if self.doubtful else suspects.due_at(now))

    def try_now(self) -> None:
        """Let whatever waits have an attempt now, unless the server asked for the pause."""
        self.pace.try_now()
        self.suspects.try_now()

    def tangle(self, order: Order) -> None:
        """Put all that waits in *order*, no longer being one queue."""
        concerns = self.destination.concerns
        for load in [*self.under_way, *self.again]:
            if load.calls is None:
                load.calls = [
                    order.add(envelope, concerns(envelope), self.line, claimed=True)
                    for envelope in load.envelopes
                ]
        for envelope in self.waiting:
            order.add(envelope, concerns(envelope), self.line)
        self.waiting.clear()

    def all_of_it(self) -> Iterator[tuple[Envelope, int]]:
        """Every call, with how many requests it was part of."""
        seen: set[Pending] = set()
        for load in dict.fromkeys([*self.under_way, *self.again, *self.suspects]):
            if load.part_of is None:
                yield from ((envelope, load.attempts) for envelope in load.envelopes)
                seen.update(load.calls or ())
        yield from ((call.envelope, 0) for call in self.line.pending if call not in seen)
        yield from ((envelope, 0) for envelope in self.waiting)

    def clear(self) -> None:
        """Forget all of it."""
        self.waiting.clear()
        self.again.clear()
        self.under_way.clear()
        self.suspects = Suspects()
        self.line = Line(self.sharing.routes)

    # Which request comes next.

    def next(self, now: float) -> Load | None:
        """Return a request to be made now, if there is one. It is under way from here on."""
        if not self.destination.ready or not self.pace.open(now):
            return None
        if self.doubtful:
            load = None if self.under_way else self._next_trial(now)
        else:
            load = self._next_of_many(now)
        if load is not None:
            self.under_way.add(load)
            load.attempts += 1
            self.suspects.begin(load)
            self.pace.begin(now)
        return load

    def _next_trial(self, now: float) -> Load | None:
        return self._repeat() or self._fresh() or self.suspects.trial(now)

    def _next_of_many(self, now: float) -> Load | None:
        # Neither starves the other: who is suspected has one request at a time, beside the rest.
        return self.suspects.due(now) or self._repeat() or self._fresh()

    def _repeat(self) -> Load | None:
        for place, load in enumerate(self.again):
            if not self._has_slot(load):
                continue
            if load.calls is None:
                # One queue: in order, one after the other.
                return self.again.pop(0) if place == 0 and not self.under_way else None
            free, tied = free_of(load.calls)
            if not free:
                continue
            del self.again[place]
            if tied:
                self.again.insert(place, load.part(tied))
                load = load.part(free)
            return load
        return None

    def _fresh(self) -> Load | None:
        shared_busy, singles = self._busy()
        if not shared_busy:
            envelopes = self.waiting.take(int(self._room), self.sharing.spared)
            if envelopes:
                return Load(envelopes)
            calls = self.line.take_shared(int(self._room), self.sharing.spared)
            if calls:
                return Load([call.envelope for call in calls], calls=calls)
        if singles < _AT_ONCE:
            call = self.line.take_single()
            if call is not None:
                return Load([call.envelope], calls=[call])
        return None

    def _has_slot(self, load: Load) -> bool:
        shared_busy, singles = self._busy()
        return not shared_busy if self._is_shared(load) else singles < _AT_ONCE

    def _busy(self) -> tuple[bool, int]:
        if not self.under_way:
            return False, 0
        others = [load for load in self.under_way if load not in self.suspects]
        shared = sum(map(self._is_shared, others))
        return bool(shared), len(others) - shared

    def _is_shared(self, load: Batch) -> bool:
        return next(routes_of(load.envelopes)) in self.sharing.routes

    def is_quick(self, load: Load) -> bool:
        """
        Whether *load* may be waited for: others come after it, and it will hardly take its time.
        """
        return self._is_shared(load) and not self.doubtful

    # What a verdict does.

    def passed(self, load: Load, now: float) -> None:
        """The destination has judged *load* by its calls: it is well itself."""
        self.under_way.discard(load)
        self.suspects.passed(load)
        self.pace.succeeded(now)
        self.line.patient = True
        if self._room < self.sharing.room and self._is_shared(load):
            self._room = min(self._room * _GROWTH, float(self.sharing.room))

    def ended(self, load: Load) -> None:
        """Release what waited for the calls of *load*."""
        for call in load.calls or ():
            self.line.end(call)

    def split(self, load: Load) -> None:
        """Have each half of *load* sent alone, before all else."""
        self.again[:0] = load.halves()

    def failed(
        self,
        load: Load,
        verdict: TryAgain | Hold,
        now: float,
        options: Options,
        order: Order,
    ) -> float:
        """Have *load* sent again; returns in how many seconds, as far as is known."""
        self.under_way.discard(load)
        suspects = self.suspects
        known = load in suspects
        if known:
            suspects.release(load)
            load = self._whole(load)
        load.again = True
        if not verdict.suspect:
            load.refusal = None  # it may have been the destination before, too
            if not known:
                self.again.insert(0, load)
            return self._pause(verdict, now, options)
        if isinstance(verdict, TryAgain) and verdict.slow and not known:
            load = self._shrink(load)
        alone = suspects.strike(load, verdict)
        final = load.refusal is not None
        if not known:
            # Where order says what waits for what, all that is sent again takes turns: one that
            # never passes would keep those behind it from being tried, and so from clearing it.
            self.again.insert(0 if load.calls is None else len(self.again), load)
            aside = load.strikes >= STRIKES or load.tries >= TRIES
            if aside or (suspects and self.doubtful) or final:
                if load.calls is None:
                    self.tangle(order)
                self.again.remove(load)
                suspects.add(load)
        own = options.hold_interval if final else backoff(load.tries - STRIKES, options)
        asked = asked_for(verdict)
        load.retry_at = now + (asked or own)
        load.urgent_at = load.retry_at if asked else now + URGENT_SECONDS
        if not self.doubtful and (load.convicted or (alone and (known or final))):
            # Others pass, as far as is known: only who is suspected waits.
            return load.retry_at - now
        return self._pause(
            verdict, now, options, held=final or bool(suspects) or not self._has_others(load)
        )

    def _has_others(self, load: Load) -> bool:
        return bool(
            self.waiting
            or any(other is not load for other in self.again)
            or self.line.has_shared()
            or self.line.has_single()
        )

    def interrupted(self, load: Load) -> None:
        """Have *load* sent again after a fault of ours."""
        self.under_way.discard(load)
        if load in self.suspects:
            self.suspects.release(load)
        else:
            load.again = True
            self.again.insert(0, load)

    @staticmethod
    def _whole(load: Load) -> Load:
        whole = load.part_of
        if whole is None:
            return load
        whole.attempts = max(whole.attempts, load.attempts)
        return whole

    def _pause(
        self, verdict: TryAgain | Hold, now: float, options: Options, *, held: bool = True
    ) -> float:
        delay = self.pace.pause(verdict, now, options, held=held)
        self.line.let_others_go()
        return delay

    def _shrink(self, load: Load) -> Load:
        """Put the second half of *load* back, and have other requests be as small."""
        if len(load.envelopes) == 1 or load in self.suspects:
            return load
        first, second = load.halves()
        size = size_of(first.envelopes)
        self._room = max(float(size), float(_SMALLEST_ROOM))
        if second.calls is None and self.again:
            self.again.insert(0, second)  # what waits is younger than those are
        elif second.calls is None:
            self.waiting.put_back(second.envelopes)
        for call in second.calls or ():
            call.claimed = False
            self.line.offer(call)
        return first

    def refused(self) -> list[tuple[Load, Hold]]:
        """Take those that were refused, as another has passed since."""
        return self.suspects.refused()

    def expired(self, born_before: int) -> Iterator[tuple[Sequence[Envelope], int]]:
        """Take the calls accepted before that (Unix milliseconds), with their attempts."""
        loads: list[Load] | Suspects
        for loads in (self.again, self.suspects):
            for load in [one for one in loads if not self.suspects.is_out(one)]:
                if has_older(load.envelopes, born_before):
                    old, young = load.by_age(born_before)
                    yield old.envelopes, old.attempts
                    self.ended(old)
                    load.keep(young)
                    if not load.envelopes:
                        loads.remove(load)
        old_ones = self.waiting.take_older(born_before)
        for call in list(self.line.pending):
            if accepted_at(call.envelope) >= born_before:
                break
            if not call.claimed:
                old_ones.append(call.envelope)
                self.line.end(call)
        if old_ones:
            yield old_ones, 0
