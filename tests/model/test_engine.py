"""
The model of the engine: whatever a destination answers, and whichever calls it never takes.

Nothing is lost, nothing ends twice, each customer's calls are taken in order, who is no culprit's
customer arrives, and the search for culprits takes few requests.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cio_events import AddToSegment, Call, Merge, SendPush, Track, TrackAnonymous
from cio_events._calls.ulid import new_id
from cio_events._delivery.destination import Delivered, Hold, Refused, Split, TryAgain, Verdict
from cio_events._delivery.in_flight import InFlight
from cio_events._delivery.order import Order
from cio_events._delivery.suspects import STRIKES, Load
from cio_events._destinations.customerio import AppAPI, TrackAPI
from cio_events._wire.encode import customers_of, encode
from cio_events._wire.envelope import Envelope, Route, route_of
from cio_events.options import Options
from tests.support.effort import times

NOW = 1_704_067_200_000
OPTIONS = Options(retry_base=0.5, retry_cap=8.0, hold_interval=5.0)

# What says nothing of the calls, and what is as if they were the cause.
PASSING: list[Verdict] = [
    TryAgain("no_connection", None),
    TryAgain("rate_limited", 429, 3.0),
    TryAgain("server_error", 500, suspect=True),
    TryAgain("no_answer", None, suspect=True, slow=True),
    Hold(401, "look"),
    Hold(403, "look", suspect=True),
]
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
    """A clock, both destinations, and what they have taken."""

    def __init__(self, calls: list[Call], culprits: set[int], api: Any, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = 100.0
        self.flights = [InFlight(Ready(None, Options())), InFlight(AppReady(None, Options()))]
        self.order = Order(flight.line for flight in self.flights)
        self.taken: list[Envelope] = []
        self.failed: list[Envelope] = []
        self.requests = 0
        self.answered: list[tuple[int, bool]] = []  # how many calls, and whether they passed
        self.out: list[tuple[InFlight, Load]] = []
        self.api = api
        self.bad = culprits
        self.envelopes: list[Envelope] = []
        self.culprits: set[Envelope] = set()
        for call in calls:
            self.accept(call)

    def accept(self, call: Call) -> None:
        """Let one call more stand in order."""
        n = len(self.envelopes)
        envelope = encode(call, new_id(NOW + n), NOW + n, self.api)
        if n in self.bad:
            self.culprits.add(envelope)
        self.envelopes.append(envelope)
        flight = self.flights[route_of(envelope) is Route.APP]
        self.order.add(envelope, customers_of(envelope), flight.line)

    def not_behind_culprits(self) -> set[Envelope]:
        """What has to arrive, however long the culprits never do."""
        behind: set[str] = set()
        expected = set()
        for envelope in self.envelopes:
            who = set(customers_of(envelope))
            if envelope in self.culprits or who & behind:
                behind |= who
            else:
                expected.add(envelope)
        return expected

    def run(self, trouble: list[Verdict | None], steps: int) -> None:
        """Make requests until nothing moves, or so many."""
        out = self.out
        for _ in range(steps):
            while started := [
                (flight, load) for flight in self.flights if (load := flight.next(self.now))
            ]:
                out += started
            if not out:
                at = min(
                    (flight.opens_at(self.now) for flight in self.flights if flight),
                    default=math.inf,
                )
                if at == math.inf:
                    return
                self.now = max(at, self.now + 0.01)
                continue
            # In one destination; a pause of one lets the other go ahead.
            people: Counter[tuple[str, str]] = Counter()
            for flight, load in out:
                name = flight.destination.name
                people.update({(name, w) for one in load.envelopes for w in customers_of(one)})
            assert max(people.values(), default=1) == 1
            flight, load = out.pop(self.dice.randrange(len(out)))
            self.requests += 1
            self.judge(flight, load, trouble.pop(0) if trouble else None)

    def judge(self, flight: InFlight, load: Load, verdict: Verdict | None) -> None:
        """Answer one request, as a dispatcher would act on it."""
        if verdict is None and not self.culprits.isdisjoint(load.envelopes):
            verdict = self.dice.choice(FOR_A_CULPRIT)
        self.answered.append((len(load.envelopes), not isinstance(verdict, (TryAgain, Hold))))
        if isinstance(verdict, (TryAgain, Hold)):
            flight.failed(load, verdict, self.now, OPTIONS, self.order)
            return
        flight.passed(load, self.now)
        if isinstance(verdict, Split) and len(load.envelopes) > 1:
            flight.split(load)
            return
        flight.ended(load)
        (self.failed if isinstance(verdict, Refused) else self.taken).extend(load.envelopes)


WHO = st.sampled_from("abcdefgh")
CALLS = st.one_of(
    st.builds(lambda who: Track(who, "x"), WHO),
    st.builds(lambda who: Track(who, "x"), WHO),
    st.builds(lambda who: Track(who, "x", {"pad": "." * 31_000}), WHO),
    st.builds(lambda who: TrackAnonymous(who, "x"), WHO),
    st.builds(lambda who: SendPush(transactional_message_id=1, identifiers=who), WHO),
    st.builds(Merge, WHO, WHO),
    st.builds(lambda who: AddToSegment(7, who), st.lists(WHO, min_size=1, max_size=4)),
)
TROUBLE = st.lists(st.sampled_from([None, None, Delivered(200), Split(), *PASSING]), max_size=40)


@settings(max_examples=times(100), deadline=None)
@given(
    st.lists(CALLS, min_size=1, max_size=60),
    st.sets(st.integers(0, 59), max_size=3),
    TROUBLE,
    st.sampled_from(["v1", "v2"]),
    st.integers(0, 10**6),
    st.integers(1, 60),
)
@example(
    # Two are under way when nothing passes, and the one sent again first is a culprit.
    [TrackAnonymous("a", "x"), Track("d", "x")],
    {0},
    [PASSING[0], PASSING[5], PASSING[5]],
    "v2",
    14581,
    60,
)
# Two culprits, and nobody else has come yet.
@example([Track(who, "x") for who in "abcdef"], {0, 1}, [None] * 4, "v1", 1, 2)
def test_any_answers_lose_nothing_and_culprits_stop_only_their_customers(
    calls: list[Call],
    culprits: set[int],
    trouble: list[Verdict | None],
    api: Any,
    seed: int,
    first: int,
) -> None:
    """After the trouble only culprits and who stands behind them wait; healed, all arrive."""
    world = World(calls[:first], {n % len(calls) for n in culprits}, api, seed)
    trouble = [one if not isinstance(one, Delivered) else None for one in trouble]
    for call in calls[first:]:
        world.run(trouble, 3)
        world.accept(call)
    world.run(trouble, 1_500)

    assert world.not_behind_culprits() <= set(world.taken)

    world.culprits.clear()
    world.run([], 1_500)
    assert Counter(world.taken) == Counter(world.envelopes)
    place = {envelope: n for n, envelope in enumerate(world.taken)}
    for flight_route in (False, True):
        for who in {who for one in world.envelopes for who in customers_of(one)}:
            own = [
                place[one]
                for one in world.envelopes
                if who in customers_of(one) and (route_of(one) is Route.APP) is flight_route
            ]
            assert own == sorted(own)


def a_web(count: int, people: int, dice: random.Random) -> list[Call]:
    """Events of so many people, some of them tied together."""

    def who() -> str:
        return f"{dice.randrange(people)}"

    calls: list[Call] = []
    for _ in range(count):
        kind = dice.random()
        if kind < 0.9:
            calls.append(Track(who(), "x"))
        elif kind < 0.95:
            calls.append(Merge(who(), f"also {who()}"))
        else:
            calls.append(AddToSegment(7, sorted({who(), who(), who()})))
    return calls


@settings(max_examples=times(60), deadline=None)
@given(
    st.integers(2, 500),
    st.sampled_from([1, 3, 16, 80, 500]),
    st.booleans(),
    st.integers(1, 5),
    st.integers(0, 10**6),
)
@example(80, 16, False, 1, 1)  # one half of which waits for the other, as the calls came
@example(84, 500, True, 4, 92)  # some of which go alone, and fail in turn with the rest
def test_culprits_are_found_by_few_requests(
    count: int, people: int, tied: bool, culprits: int, seed: int
) -> None:
    """For each of them at most 2·log2 of the batch fail, beside those that good calls need."""
    dice = random.Random(seed)
    if tied:
        calls = a_web(count, people, dice)
    else:
        calls = [Track(f"{n % people}", "x") for n in range(count)]
    world = World(calls, set(dice.sample(range(count), min(culprits, count))), "v2", seed)
    expected = world.not_behind_culprits()
    while not expected <= set(world.taken):
        world.run([], 1)
        assert world.requests < 1_000

    # Before that it may be the server. What a culprit tries alone afterwards holds up nobody.
    failed = [size for size, passed in world.answered[STRIKES:] if not passed and size > 1]
    most = 2 * math.log2(count) * len(world.culprits)
    assert len(failed) <= most
