"""Requests: everybody's calls in order, nobody in two at once, everything sent once."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cio_events import AddToSegment, Call, Identifier, Merge, SendPush, Track, TrackAnonymous
from cio_events._calls.limits import V2_BATCH_BYTES
from cio_events._calls.ulid import new_id
from cio_events._delivery.destination import TryAgain
from cio_events._delivery.in_flight import InFlight
from cio_events._delivery.order import Order
from cio_events._delivery.suspects import Load
from cio_events._destinations.customerio import AppAPI, TrackAPI
from cio_events._wire import batch as v2
from cio_events._wire.encode import customers_of, encode
from cio_events._wire.envelope import Envelope, Route, route_of
from cio_events.options import Options
from tests.support.effort import times

NOW = 1_704_067_200_000


class Ready(TrackAPI):
    """The Track API, as if there were credentials."""

    ready = True


class AppReady(AppAPI):
    """The App API, as if there were credentials."""

    ready = True


def sealed(call: Call, accepted: int = NOW, api: Any = "v2") -> Envelope:
    """The call as it waits."""
    return encode(call, new_id(accepted), accepted, api)


class Lines:
    """Both destinations, with calls in order."""

    def __init__(self, envelopes: list[Envelope], *, queue: bool = False) -> None:
        self.flights = [InFlight(Ready(None, Options())), InFlight(AppReady(None, Options()))]
        self.order = Order(flight.line for flight in self.flights)
        for envelope in envelopes:
            flight = self.flights[route_of(envelope) is Route.APP]
            if queue:
                flight.waiting.add([envelope])
            else:
                self.order.add(envelope, customers_of(envelope), flight.line)

    def next(self) -> list[Load]:
        """All requests that may be under way at once from here on."""
        loads: list[Load] = []
        while True:
            more = [load for flight in self.flights if (load := flight.next(0.0))]
            if not more:
                return loads
            loads += more

    def end(self, load: Load) -> None:
        """The destination has taken it."""
        (flight,) = (one for one in self.flights if load in one.under_way)
        flight.passed(load, 0.0)
        flight.ended(load)


WHO = st.sampled_from("abcdef")
# Over 32 000 bytes it goes alone; fifteen of the others fill a batch.
SIZES = st.sampled_from([0, 0, 0, 31_000, 40_000])
CALLS = st.one_of(
    st.builds(lambda who, size: Track(who, "x", {"pad": "." * size}), WHO, SIZES),
    st.builds(lambda who, size: Track(who, "x", {"pad": "." * size}), WHO, SIZES),
    st.builds(lambda who: SendPush(transactional_message_id=1, identifiers=who), WHO),
    st.builds(lambda who: TrackAnonymous(who, "x"), WHO),
    st.just(TrackAnonymous(None, "x", {"recipient": "a@example.com"})),
    st.builds(Merge, WHO, WHO),
    st.builds(lambda who: AddToSegment(7, who), st.lists(WHO, min_size=1, max_size=4)),
)


@settings(max_examples=times(200), deadline=None)
@given(st.lists(CALLS, max_size=120), st.sampled_from(["v1", "v2"]), st.integers(0, 10**6))
def test_requests_keep_each_customers_order(calls: list[Call], api: Any, seed: int) -> None:
    """All is sent once; nobody is in two at once; a batch is within its limit."""
    envelopes = [sealed(call, NOW + n, api) for n, call in enumerate(calls)]
    lines, dice = Lines(envelopes), random.Random(seed)
    seen: list[Envelope] = []
    under_way: list[Load] = []
    while True:
        under_way += lines.next()
        people: Counter[str] = Counter()
        for load in under_way:
            people.update({who for one in load.envelopes for who in customers_of(one)})
            assert len({route_of(one) for one in load.envelopes}) == 1
            if route_of(load.envelopes[0]) is Route.BATCH:
                assert len(v2.batch(load.envelopes)) <= V2_BATCH_BYTES
            else:
                assert len(load.envelopes) == 1
        assert not people or max(people.values()) == 1
        if not under_way:
            break
        load = under_way.pop(dice.randrange(len(under_way)))
        seen += load.envelopes
        lines.end(load)

    assert sorted(seen) == sorted(envelopes)
    for who in {who for one in envelopes for who in customers_of(one)}:
        assert [one for one in seen if who in customers_of(one)] == [
            one for one in envelopes if who in customers_of(one)
        ]


def test_batch_is_filled_up_to_its_limit() -> None:
    """A batch is as large as it may be, and what is left comes next."""
    before = [sealed(Track(str(n), "x", {"pad": "." * 900})) for n in range(1_000)]
    for queue in (True, False):
        lines = Lines(before, queue=queue)
        (batch,) = lines.next()

        body = v2.batch(batch.envelopes)
        assert V2_BATCH_BYTES - 1_200 < len(body) <= V2_BATCH_BYTES
        lines.end(batch)
        (rest,) = lines.next()
        assert [*batch.envelopes, *rest.envelopes][:800] == before[:800]


def test_batch_may_have_just_the_limit() -> None:
    """500 000 bytes go in one request, one byte more does not."""

    def filled(last: int) -> Load:
        sizes = [*[30_000] * 16, last]
        calls = [sealed(Track("5", "x", {"pad": "." * size})) for size in sizes]
        (load,) = Lines(calls).next()
        (same,) = Lines(calls, queue=True).next()
        assert load.envelopes == same.envelopes
        return load

    room = V2_BATCH_BYTES - len(v2.batch(filled(0).envelopes))
    full, too_full = filled(room), filled(room + 1)

    assert (len(full.envelopes), len(v2.batch(full.envelopes))) == (17, V2_BATCH_BYTES)
    assert len(too_full.envelopes) == 16


def test_batch_goes_on_beyond_messages_of_others() -> None:
    """Events and messages that alternate make one batch, with the messages beside it."""
    calls: list[Call] = []
    for n in range(20):
        calls += [
            Track(f"{n}", "x"),
            SendPush(transactional_message_id=1, identifiers=f"other {n}"),
        ]
    batch, *messages = sorted(
        Lines(list(map(sealed, calls))).next(), key=lambda load: -len(load.envelopes)
    )

    assert len(batch.envelopes) == 20
    assert [len(load.envelopes) for load in messages] == [1] * 8


def test_singles_of_different_customers_go_side_by_side() -> None:
    """Each customer's go one after the other; invites, which are nobody's, all at once."""
    calls = [
        *(TrackAnonymous(who, "x") for who in "abab"),
        *(TrackAnonymous(None, "x", {"recipient": "a@example.com"}) for _ in range(3)),
    ]

    assert len(Lines(list(map(sealed, calls))).next()) == 5


def test_singles_do_not_hold_a_batch_back() -> None:
    """However many wait before it."""
    calls: list[Call] = [TrackAnonymous(f"{n}", "x") for n in range(500)]
    calls.append(Track("5", "bought"))
    loads = Lines(list(map(sealed, calls))).next()

    assert [load for load in loads if route_of(load.envelopes[0]) is Route.BATCH]


def test_merge_waits_for_both_people() -> None:
    """With one request a call, what comes after a merge of two people comes after it."""
    calls = [Track("a", "x"), Track("b", "x"), Merge("a", "b"), Track("b", "x")]
    lines = Lines([sealed(call, NOW + n, "v1") for n, call in enumerate(calls)])
    counts = []
    while loads := lines.next():
        counts.append(len(loads))
        for load in loads:
            lines.end(load)

    assert counts == [2, 1, 1]


def test_cio_id_is_the_same_person_with_and_without_its_prefix() -> None:
    """Two ways to write one identifier are one person."""
    who = [Identifier("03", "cio_id"), Identifier("cio_03", "cio_id"), Identifier("03", "id")]
    lines = Lines([sealed(Track(one, "x"), NOW, "v1") for one in who])

    assert len(lines.next()) == 2


NOBODY_THERE = TryAgain("no_connection", None)
SUSPECT = TryAgain("server_error", 500, suspect=True)


@pytest.mark.parametrize(
    ("queue", "verdict"),
    # What is in order and may be to blame takes turns.
    [(False, NOBODY_THERE), (True, NOBODY_THERE), (True, SUSPECT)],
)
def test_halves_of_a_split_go_one_after_the_other(queue: bool, verdict: TryAgain) -> None:
    """Whoever is in them; and the first one comes first still when it has failed."""
    for people in ("5555", "5678"):
        calls = [sealed(Track(who, "x"), NOW + n) for n, who in enumerate(people)]
        lines = Lines(calls, queue=queue)
        flight = lines.flights[0]
        (batch,) = lines.next()
        flight.passed(batch, 0.0)
        flight.split(batch)
        (first,) = lines.next()
        flight.failed(first, verdict, 0.0, Options(), lines.order)
        now = flight.opens_at(0.0)
        again = flight.next(now)
        assert again is first
        assert flight.next(now) is None
        flight.passed(again, now)
        flight.ended(again)
        second = flight.next(now)

        assert second is not None
        assert [*again.envelopes, *second.envelopes] == calls


def test_destinations_wait_for_each_other_but_not_for_one_that_is_paused() -> None:
    """Once it is well again, one customer's calls come in their order again."""
    lines = Lines([])
    people, messages = lines.flights

    def accept(*calls: Call) -> None:
        for call in calls:
            flight = messages if isinstance(call, SendPush) else people
            envelope = sealed(call)
            lines.order.add(envelope, customers_of(envelope), flight.line)

    def both(who: str) -> list[Call]:
        return [SendPush(transactional_message_id=1, identifiers=who), Track(who, "x")]

    accept(*both("a"))
    (message,) = lines.next()
    assert message in messages.under_way
    messages.failed(message, NOBODY_THERE, 0.0, Options(), lines.order)
    (event,) = lines.next()
    assert event in people.under_way  # which waits no longer
    lines.end(event)
    accept(*both("b"))
    (event,) = lines.next()
    assert event in people.under_way
    lines.end(event)

    now = messages.opens_at(0.0)
    again = messages.next(now)
    assert again is message
    messages.passed(again, now)
    messages.ended(again)
    accept(*both("c"))
    assert people.next(now) is None
