"""
A world for the engine: destinations that answer as they like, in a time of its own.

It asks for requests and acts on verdicts as a dispatcher does, and looks with each that the
engine keeps its bounds.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace
from typing import Any

from cio_events import Call
from cio_events._calls.ulid import new_id
from cio_events._delivery.destination import Hold, Refused, Split, TryAgain, Verdict
from cio_events._delivery.in_flight import InFlight
from cio_events._delivery.order import Order
from cio_events._delivery.suspects import Load
from cio_events._destinations.customerio import AppAPI, TrackAPI
from cio_events._wire.encode import customers_of, encode
from cio_events._wire.envelope import Envelope, Route, route_of
from cio_events.options import Options

NOW = 1_704_067_200_000
OPTIONS = Options(retry_base=0.5, retry_cap=8.0, hold_interval=5.0)

# Requests that may be under way at once: those of single calls, a batch, and one of a suspect.
MOST_SINGLES = 8
MOST = MOST_SINGLES + 1 + 1

FORBIDDEN = Hold(403, "look", suspect=True, final=True)
FOR_A_CULPRIT: list[Verdict] = [
    TryAgain("server_error", 500, suspect=True),
    TryAgain("no_answer", None, suspect=True),
    Hold(403, "look", suspect=True),
]


class Ready(TrackAPI):
    """As if there were credentials."""

    ready = True


class AppReady(AppAPI):
    """As if there were credentials."""

    ready = True


class World:
    """
    A clock, both destinations, and what they have taken.

    Args:
        culprits: The places of calls that are never taken.

    Attributes:
        taken: What has arrived, in order.

        failed: What was rejected.

        answered: Of each request, when and by whom it was answered, how many calls it had, and
            whether it passed.
    """

    def __init__(
        self, calls: list[Call], culprits: set[int], api: Any = "v2", seed: int = 0
    ) -> None:
        self.dice = random.Random(seed)
        self.now = 100.0
        self.flights = [InFlight(Ready(None, Options())), InFlight(AppReady(None, Options()))]
        self.order = Order(flight.line for flight in self.flights)
        self.taken: list[Envelope] = []
        self.failed: list[Envelope] = []
        self.answered: list[tuple[float, str, int, bool]] = []
        self.out: list[tuple[InFlight, Load]] = []
        self.api = api
        self.bad = culprits
        self.envelopes: list[Envelope] = []
        self.culprits: set[Envelope] = set()
        self._passes: Counter[str] = Counter()
        # Messages that were forbidden last: how many others had passed when they were sent.
        self._forbidden: dict[Envelope, int] = {}
        self._began: dict[Load, int] = {}
        for call in calls:
            self.accept(call)

    def accept(self, call: Call) -> None:
        """Let one call more wait, in order where it has to be."""
        n = len(self.envelopes)
        envelope = encode(call, new_id(NOW + n), NOW + n, self.api)
        if n in self.bad:
            self.culprits.add(envelope)
        self.envelopes.append(envelope)
        people, messages = self.flights
        if not any(flight.line.pending for flight in self.flights):
            if envelope[0] in people.sharing.routes:
                people.waiting.add([envelope])
                return
            for flight in self.flights:
                flight.tangle(self.order)
        flight = messages if route_of(envelope) is Route.APP else people
        self.order.add(envelope, customers_of(envelope), flight.line)

    def not_behind_culprits(self) -> set[Envelope]:
        """What has to end, however long the culprits never do."""
        behind: set[str] = set()
        expected = set()
        for envelope in self.envelopes:
            who = set(customers_of(envelope))
            if envelope in self.culprits or who & behind:
                behind |= who
            else:
                expected.add(envelope)
        return expected

    @property
    def ended(self) -> set[Envelope]:
        """What has arrived or was rejected."""
        return {*self.taken, *self.failed}

    def run(self, trouble: list[Verdict | None], steps: int, until: float = math.inf) -> None:
        """Make requests until nothing moves, or so many, or until then."""
        for _ in range(steps):
            while sum(map(self._begin, self.flights)):
                pass
            if not self.out:
                at = min(
                    (flight.opens_at(self.now) for flight in self.flights if flight),
                    default=math.inf,
                )
                if at >= until or at == math.inf:
                    return
                self.now = max(at, self.now + 0.01)
                continue
            # In one destination; a pause of one lets the other go ahead.
            people: Counter[tuple[str, str]] = Counter()
            for flight, load in self.out:
                name = flight.destination.name
                people.update({(name, w) for one in load.envelopes for w in customers_of(one)})
            assert max(people.values(), default=1) == 1
            flight, load = self.out.pop(self.dice.randrange(len(self.out)))
            self.judge(flight, load, trouble.pop(0) if trouble else None)

    def _begin(self, flight: InFlight) -> bool:
        doubtful, busy = flight.pace.failures > 0, len(flight.under_way)
        load = flight.next(self.now)
        if load is None:
            return False
        # One request alone finds out whether a destination that failed is well again.
        assert not (doubtful and busy)
        assert len(flight.under_way) <= MOST
        shared = [one for one in flight.under_way if len(one.envelopes) > 1]
        assert len(shared) <= 1 + 1  # and a suspect
        self._began[load] = self._passes[flight.destination.name]
        self.out.append((flight, load))
        return True

    def judge(self, flight: InFlight, load: Load, verdict: Verdict | None) -> None:
        """Answer one request, as a dispatcher would act on it."""
        if verdict is None and not self.culprits.isdisjoint(load.envelopes):
            app = flight is self.flights[1]
            verdict = FORBIDDEN if app else self.dice.choice(FOR_A_CULPRIT)
        if isinstance(verdict, Hold) and len(load.envelopes) > 1:
            verdict = replace(verdict, final=False)  # that is said of one call alone
        passed = not isinstance(verdict, (TryAgain, Hold))
        self.answered.append((self.now, flight.destination.name, len(load.envelopes), passed))
        began = self._began.pop(load)
        for one in load.envelopes:
            self._forbidden.pop(one, None)
        if isinstance(verdict, (TryAgain, Hold)):
            if isinstance(verdict, Hold) and verdict.final:
                self._forbidden.update(dict.fromkeys(load.envelopes, began))
            flight.failed(load, verdict, self.now, OPTIONS, self.order)
        else:
            self._passes[flight.destination.name] += 1
            flight.passed(load, self.now)
            if isinstance(verdict, Split) and len(load.envelopes) > 1:
                flight.split(load)
            else:
                flight.ended(load)
                ends = self.failed if isinstance(verdict, Refused) else self.taken
                ends.extend(load.envelopes)
        self._reject(flight)

    def _reject(self, flight: InFlight) -> None:
        for load, _ in flight.refused():
            # Another has passed, and the message itself was forbidden when it was sent last.
            (envelope,) = load.envelopes
            assert self._forbidden.pop(envelope) < self._passes[flight.destination.name]
            assert load not in flight.under_way
            flight.ended(load)
            self.failed.append(envelope)
