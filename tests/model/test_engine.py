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
from cio_events._delivery.destination import Delivered, Hold, Split, TryAgain, Verdict
from cio_events._delivery.suspects import STRIKES
from cio_events._wire.encode import customers_of
from cio_events._wire.envelope import Route, route_of
from tests.model.world import FORBIDDEN, OPTIONS, World
from tests.support.effort import times

# What says nothing of the calls, and what is as if they were the cause.
PASSING: list[Verdict] = [
    TryAgain("no_connection", None),
    TryAgain("rate_limited", 429, 3.0),
    TryAgain("server_error", 500, suspect=True),
    TryAgain("no_answer", None, suspect=True, slow=True),
    Hold(401, "look"),
    Hold(403, "look", suspect=True),
    FORBIDDEN,
]

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
# A call that is forbidden, and then the credentials are: it is tried again when others pass.
@example(
    [*(Track(who, "x") for who in "ahb"), SendPush(transactional_message_id=1, identifiers="a")],
    {0},
    [PASSING[5], PASSING[2], None, FORBIDDEN, None, FORBIDDEN, PASSING[4]],
    "v1",
    7899,
    21,
)
# What a part of a suspect is refused for concerns none of the others.
@example(
    [Track("e", "x"), Track("b", "x"), TrackAnonymous("a", "x"), *[Track("a", "x")] * 3],
    {0, 9},
    [*[None] * 8, PASSING[0], None, FORBIDDEN],
    "v2",
    0,
    6,
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

    assert world.not_behind_culprits() <= world.ended

    world.culprits.clear()
    world.run([], 1_500)
    assert Counter([*world.taken, *world.failed]) == Counter(world.envelopes)
    place = {envelope: n for n, envelope in enumerate(world.taken)}
    for flight_route in (False, True):
        for who in {who for one in world.envelopes for who in customers_of(one)}:
            own = [
                place[one]
                for one in world.envelopes
                if one in place
                and who in customers_of(one)
                and (route_of(one) is Route.APP) is flight_route
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
        assert len(world.answered) < 1_000

    # Before that it may be the server. What a culprit tries alone afterwards holds up nobody.
    failed = [size for _, _, size, passed in world.answered[STRIKES:] if not passed and size > 1]
    most = 2 * math.log2(count) * len(world.culprits)
    assert len(failed) <= most


@settings(max_examples=times(60), deadline=None)
@given(
    st.lists(CALLS, min_size=1, max_size=60),
    st.one_of(
        st.lists(st.sampled_from(PASSING[:-1]), min_size=1, max_size=60),
        # For long, and each call may be to blame.
        st.builds(lambda n: [PASSING[2]] * n, st.integers(10, 90)),
    ),
    st.sampled_from(["v1", "v2"]),
    st.integers(0, 10**6),
)
def test_after_an_outage_all_goes_at_once(
    calls: list[Call], trouble: list[Verdict | None], api: Any, seed: int
) -> None:
    """Nobody was to blame while nothing passed: none of them waits once something does."""
    world = World(calls, set(), api, seed)
    while trouble:
        world.run(trouble, 1)
    while world.out:  # what began before its destination paused
        world.run([], 1)
    before = len(world.answered)
    world.run([], 2_000)

    assert world.ended == set(world.envelopes)
    for flight in world.flights:
        name = flight.destination.name
        assert len({at for at, whose, _, _ in world.answered[before:] if whose == name}) <= 1


@settings(max_examples=times(20), deadline=None)
@given(st.integers(1, 4), st.sampled_from([5, 80]), st.sampled_from(["v1", "v2"]), st.integers(0))
def test_culprits_are_tried_now_and_then(culprits: int, count: int, api: Any, seed: int) -> None:
    """Each of them as often as its delays say, for as long as it is one."""
    dice = random.Random(seed)
    bad = set(dice.sample(range(count), culprits))
    world = World([Track(f"{n}", "x") for n in range(count)], bad, api, seed)
    world.run([], 5_000, until=500.0)
    before = len(world.answered)
    world.run([], 5_000, until=world.now + 50 * OPTIONS.retry_cap)

    assert len(world.taken) == count - culprits
    # Half the longest delay is the mean of one. Some take their turns, where nobody else passes.
    assert 10 <= len(world.answered) - before <= 3 * 50 * culprits


@settings(max_examples=times(40), deadline=None)
@given(
    st.integers(2, 300), st.sampled_from([1, 2, 3, 16, 80]), st.integers(0, 299), st.integers(0)
)
@example(300, 1, 150, 1)
def test_one_culprit_is_found_without_a_pause(
    count: int, people: int, place: int, seed: int
) -> None:
    """From the first request that passes on; also where it is one customer's many calls."""
    world = World([Track(f"{n % people}", "x") for n in range(count)], {place % count}, "v2", seed)
    expected = world.not_behind_culprits()
    while not expected <= world.ended:
        world.run([], 1)

    passed = [at for at, _, _, passed in world.answered if passed]
    assert len(set(passed)) <= 1
