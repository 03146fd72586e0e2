"""Waves: everybody's calls in order, nobody on two ways at once, everything taken once."""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cio_events import Call, Identifier, Merge, Track, TrackAnonymous
from cio_events._calls.limits import V2_BATCH_BYTES
from cio_events._calls.ulid import new_id
from cio_events._delivery.in_flight import Chain, Lane, next_window
from cio_events._destinations.customerio import Hold, TryAgain
from cio_events._wire import batch as v2
from cio_events._wire.encode import customers_of, encode
from cio_events._wire.envelope import Envelope, Route, accepted_at, route_of
from cio_events.options import Options

NOW = 1_704_067_200_000


def sealed(call: Call, accepted: int = NOW, api: Any = "v2") -> Envelope:
    """The call as it waits."""
    return encode(call, new_id(accepted), accepted, api)


WHO = st.sampled_from("abcdef")
# Over 32 000 bytes it goes alone; fifteen of the others fill a batch.
SIZES = st.sampled_from([0, 0, 0, 31_000, 40_000])
CALLS = st.one_of(
    st.builds(lambda who, size: Track(who, "x", {"pad": "." * size}), WHO, SIZES),
    st.builds(lambda who, size: Track(who, "x", {"pad": "." * size}), WHO, SIZES),
    st.builds(lambda who: TrackAnonymous(who, "x"), WHO),
    st.just(TrackAnonymous(None, "x", {"recipient": "a@example.com"})),
    st.builds(Merge, WHO, WHO),
)


def jobs_of(chain: Chain) -> list[list[Envelope]]:
    """The calls of each request of a chain."""
    return [batch.envelopes for batch in chain]


@settings(max_examples=200, deadline=None)
@given(st.lists(CALLS, max_size=120), st.sampled_from(["v1", "v2"]))
def test_waves_keep_each_customers_order(calls: list[Call], api: Any) -> None:
    """Everything is taken once; nobody is in two chains; batches are within their limit."""
    envelopes = [sealed(call, NOW + n, api) for n, call in enumerate(calls)]
    waiting, seen = deque(envelopes), []
    while waiting:
        before = len(waiting)
        window = next_window(waiting, until=None)
        assert len(waiting) < before
        people: Counter[str] = Counter()
        for chain in window:
            assert chain
            people.update(
                {who for batch in jobs_of(chain) for one in batch for who in customers_of(one)}
            )
            for batch in jobs_of(chain):
                assert batch
                assert len({route_of(one) for one in batch}) == 1
                if route_of(batch[0]) is Route.BATCH:
                    assert len(v2.batch(batch)) <= V2_BATCH_BYTES
                else:
                    assert len(batch) == 1
                # Chains of one window go side by side, so any order of them must be right.
                seen += batch
        assert not people or max(people.values()) == 1

    assert sorted(seen) == sorted(envelopes)
    for who in {who for one in envelopes for who in customers_of(one)}:
        assert [one for one in seen if who in customers_of(one)] == [
            one for one in envelopes if who in customers_of(one)
        ]


def test_batch_is_filled_up_to_its_limit() -> None:
    """A batch is as large as it may be, and what is left comes next."""
    waiting = deque(sealed(Track(str(n), "x", {"pad": "." * 900})) for n in range(1_000))
    before = list(waiting)
    ((batch,),) = next_window(waiting, until=None)

    body = v2.batch(batch.envelopes)
    assert V2_BATCH_BYTES - 1_200 < len(body) <= V2_BATCH_BYTES
    assert len(batch.envelopes) + len(waiting) == 1_000
    assert [*batch.envelopes, *waiting] == before


def test_batch_may_have_just_the_limit() -> None:
    """500 000 bytes go in one request, one byte more does not."""

    def filled(last: int) -> deque[Envelope]:
        sizes = [*[30_000] * 16, last]
        return deque(sealed(Track("5", "x", {"pad": "." * size})) for size in sizes)

    room = V2_BATCH_BYTES - len(v2.batch(filled(0)))
    ((full,),) = next_window(filled(room), until=None)
    ((too_full,),) = next_window(filled(room + 1), until=None)

    assert (len(full.envelopes), len(v2.batch(full.envelopes))) == (17, V2_BATCH_BYTES)
    assert len(too_full.envelopes) == 16


def test_wave_ends_where_the_other_destination_comes() -> None:
    """What was accepted later than *until* stays, whatever its size."""
    waiting = deque(sealed(Track("5", "x"), NOW + n) for n in range(10))
    ((batch,),) = next_window(waiting, until=NOW + 3)

    assert [accepted_at(one) - NOW for one in batch.envelopes] == [0, 1, 2, 3]
    assert len(waiting) == 6


def test_single_calls_of_different_customers_go_side_by_side() -> None:
    """Each customer's are one chain; invites, which are nobody's, are one each."""
    calls = [
        *(TrackAnonymous(who, "x") for who in "abab"),
        *(TrackAnonymous(None, "x", {"recipient": "a@example.com"}) for _ in range(3)),
    ]
    window = next_window(deque(map(sealed, calls)), until=None)

    assert [len(chain) for chain in window] == [2, 2, 1, 1, 1]


def test_large_call_waits_for_the_batch_with_its_customer() -> None:
    """And the batch after it for the large call; those of others need not wait."""
    large = {"pad": "." * 40_000}
    calls = [Track("a", "1"), Track("b", "1", large), Track("c", "1"), Track("a", "2", large)]
    waiting = deque(map(sealed, calls))
    first = next_window(waiting, until=None)
    second = next_window(waiting, until=None)

    assert [jobs_of(chain) for chain in first] == [
        [[first[0][0].envelopes[0], first[0][0].envelopes[1]]],
        [first[1][0].envelopes],
    ]
    assert [customers_of(one) for one in first[0][0].envelopes] == [("a",), ("c",)]
    assert [customers_of(one) for one in first[1][0].envelopes] == [("b",)]
    assert [customers_of(one) for one in second[0][0].envelopes] == [("a",)]


def test_large_call_waits_for_whoever_has_joined_the_batch() -> None:
    """Also for those who joined it after the first large call of the window."""
    large = {"pad": "." * 40_000}
    calls = [Track("a", "1"), Track("c", "1", large), Track("b", "1"), Track("b", "2", large)]
    waiting = deque(map(sealed, calls))
    next_window(waiting, until=None)

    assert [customers_of(one) for one in waiting] == [("b",)]


def test_merge_waits_for_both_people() -> None:
    """With one request a call, what comes after a merge of two people comes after it."""
    calls = [Track("a", "x"), Track("b", "x"), Merge("a", "b"), Track("b", "x")]
    waiting = deque(sealed(call, NOW + n, "v1") for n, call in enumerate(calls))
    windows = []
    while waiting:
        windows.append(next_window(waiting, until=None))

    assert [[len(chain) for chain in window] for window in windows] == [[1, 1], [2]]


def test_cio_id_is_the_same_person_with_and_without_its_prefix() -> None:
    """Two ways to write one identifier are one chain."""
    who = [Identifier("03", "cio_id"), Identifier("cio_03", "cio_id"), Identifier("03", "id")]
    waiting = deque(sealed(Track(one, "x"), NOW, "v1") for one in who)

    assert [len(chain) for chain in next_window(waiting, until=None)] == [2, 1]


# Pauses.

OPTIONS = Options(retry_base=0.5, retry_cap=60.0, hold_interval=7.0)
FAILED = TryAgain("server_error", 500)


def test_delay_has_full_jitter_and_doubles_up_to_the_cap() -> None:
    """Anything from zero to twice as much as before, never over the cap."""
    delays: dict[int, list[float]] = {n: [] for n in range(12)}
    for _ in range(200):
        lane, now = Lane("Track", None), 0.0
        for n in range(12):
            delays[n].append(lane.pause(FAILED, now, OPTIONS))
            now = lane.ready_at

    for n, seen in delays.items():
        most = min(60.0, 0.5 * 2**n)
        assert max(seen) <= most
        assert max(seen) > most * 0.9
        assert min(seen) < most * 0.1


def test_thousands_of_failures_are_no_overflow() -> None:
    """An outage of days ends as one of minutes does."""
    lane, now = Lane("Track", None), 0.0
    for _ in range(3_000):
        assert 0 <= lane.pause(FAILED, now, OPTIONS) <= 60
        now = lane.ready_at


def test_success_starts_the_delays_anew() -> None:
    """After one success the first delay is short again."""
    lane, now = Lane("Track", None), 0.0
    for _ in range(9):
        lane.pause(FAILED, now, OPTIONS)
        now = lane.ready_at
    lane.succeeded(now)

    assert lane.pause(FAILED, now, OPTIONS) <= 0.5


def test_answers_to_requests_under_way_together_count_once() -> None:
    """Eight failures at one time do not make the delay eight times doubled, nor end a pause."""
    lane = Lane("Track", None)
    lane.pause(TryAgain("rate_limited", 429, delay=5.0), 0.0, OPTIONS)
    for _ in range(20):
        lane.pause(FAILED, 0.0, OPTIONS)
    lane.succeeded(0.0)

    assert lane.ready_at == 5.0
    assert lane.pause(FAILED, 10.0, OPTIONS) <= 1.0


@pytest.mark.parametrize("asked", [0.25, 5.0, 300.0])
def test_delay_that_the_server_asks_for_is_obeyed(asked: float) -> None:
    """Retry-After goes before our own delay."""
    lane = Lane("Track", None)

    assert lane.pause(TryAgain("rate_limited", 429, asked), 100.0, OPTIONS) == asked
    assert lane.ready_at == 100.0 + asked


def test_server_that_asks_for_no_delay_at_all_gets_our_own() -> None:
    """Retry-After: 0 must not become a loop without a pause."""
    lane, now, delays = Lane("Track", None), 0.0, []
    for _ in range(50):
        delays.append(lane.pause(TryAgain("server_error", 503, 0.0), now, OPTIONS))
        now = lane.ready_at

    assert sum(delays) > 60.0


def test_wrong_settings_are_tried_again_each_hold_interval() -> None:
    """Not sooner and not ever later."""
    lane, now = Lane("Track", None), 0.0
    for _ in range(20):
        assert lane.pause(Hold(401), now, OPTIONS) == 7.0
        assert lane.held
        now = lane.ready_at
    lane.succeeded(now)

    assert not lane.held


def test_hold_without_an_end_is_a_hold() -> None:
    """An infinite interval is "until the process is started with other settings"."""
    lane = Lane("Track", None)
    lane.pause(Hold(401), 0.0, Options(hold_interval=math.inf))

    assert lane.ready_at == math.inf
