"""Windows: everybody's calls in order, nobody on two ways at once, everything taken once."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cio_events import Call, Identifier, Merge, Track, TrackAnonymous
from cio_events._calls.limits import V2_BATCH_BYTES
from cio_events._calls.ulid import new_id
from cio_events._delivery.in_flight import Chain, next_window
from cio_events._destinations.customerio import TrackAPI
from cio_events._wire import batch as v2
from cio_events._wire.encode import customers_of, encode
from cio_events._wire.envelope import Envelope, Route, accepted_at, route_of

NOW = 1_704_067_200_000
TRACK = TrackAPI(None, "us")


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


def requests_of(chain: Chain) -> list[list[Envelope]]:
    """The calls of each request of a chain."""
    return [batch.envelopes for batch in chain]


@settings(max_examples=200, deadline=None)
@given(st.lists(CALLS, max_size=120), st.sampled_from(["v1", "v2"]))
def test_windows_keep_each_customers_order(calls: list[Call], api: Any) -> None:
    """Everything is taken once; nobody is in two chains; batches are within their limit."""
    envelopes = [sealed(call, NOW + n, api) for n, call in enumerate(calls)]
    waiting, seen = deque(envelopes), []
    while waiting:
        before = len(waiting)
        window = next_window(waiting, None, TRACK)
        assert len(waiting) < before
        people: Counter[str] = Counter()
        for chain in window:
            assert chain
            people.update(
                {who for batch in requests_of(chain) for one in batch for who in customers_of(one)}
            )
            for batch in requests_of(chain):
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
    ((batch,),) = next_window(waiting, None, TRACK)

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
    ((full,),) = next_window(filled(room), None, TRACK)
    ((too_full,),) = next_window(filled(room + 1), None, TRACK)

    assert (len(full.envelopes), len(v2.batch(full.envelopes))) == (17, V2_BATCH_BYTES)
    assert len(too_full.envelopes) == 16


def test_window_ends_where_the_other_destination_comes() -> None:
    """What was accepted later than *until* stays, whatever its size."""
    waiting = deque(sealed(Track("5", "x"), NOW + n) for n in range(10))
    ((batch,),) = next_window(waiting, NOW + 3, TRACK)

    assert [accepted_at(one) - NOW for one in batch.envelopes] == [0, 1, 2, 3]
    assert len(waiting) == 6


def test_single_calls_of_different_customers_go_side_by_side() -> None:
    """Each customer's are one chain; invites, which are nobody's, are one each."""
    calls = [
        *(TrackAnonymous(who, "x") for who in "abab"),
        *(TrackAnonymous(None, "x", {"recipient": "a@example.com"}) for _ in range(3)),
    ]
    window = next_window(deque(map(sealed, calls)), None, TRACK)

    assert [len(chain) for chain in window] == [2, 2, 1, 1, 1]


def test_large_call_waits_for_the_batch_with_its_customer() -> None:
    """And the batch after it for the large call; those of others need not wait."""
    large = {"pad": "." * 40_000}
    calls = [Track("a", "1"), Track("b", "1", large), Track("c", "1"), Track("a", "2", large)]
    waiting = deque(map(sealed, calls))
    first = next_window(waiting, None, TRACK)
    second = next_window(waiting, None, TRACK)

    assert [requests_of(chain) for chain in first] == [
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
    next_window(waiting, None, TRACK)

    assert [customers_of(one) for one in waiting] == [("b",)]


def test_merge_waits_for_both_people() -> None:
    """With one request a call, what comes after a merge of two people comes after it."""
    calls = [Track("a", "x"), Track("b", "x"), Merge("a", "b"), Track("b", "x")]
    waiting = deque(sealed(call, NOW + n, "v1") for n, call in enumerate(calls))
    windows = []
    while waiting:
        windows.append(next_window(waiting, None, TRACK))

    assert [[len(chain) for chain in window] for window in windows] == [[1, 1], [2]]


def test_cio_id_is_the_same_person_with_and_without_its_prefix() -> None:
    """Two ways to write one identifier are one chain."""
    who = [Identifier("03", "cio_id"), Identifier("cio_03", "cio_id"), Identifier("03", "id")]
    waiting = deque(sealed(Track(one, "x"), NOW, "v1") for one in who)

    assert [len(chain) for chain in next_window(waiting, None, TRACK)] == [2, 1]
