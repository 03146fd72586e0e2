"""Calls that came as the body of a request wait in order with others, and travel as they came."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cio_events._calls.people import Track
from cio_events._calls.ulid import IdSource
from cio_events._delivery.bundle import Bundle, Queue, size_of
from cio_events._delivery.destination import Delivered, Hold, Split, TryAgain, Verdict
from cio_events._delivery.in_flight import InFlight
from cio_events._delivery.order import Order
from cio_events._destinations.customerio import TrackAPI
from cio_events._wire.encode import customers_of, encode
from cio_events._wire.envelope import Envelope, accepted_at, seal
from cio_events.options import Options
from tests.support.effort import times
from tests.support.flights import answer

SPARED = 30


def envelope(number: int, size: int = 0) -> Envelope:
    """A call that was accepted at that millisecond."""
    return seal(b"2", number, "0" * 26, b"." * (size + 1))


def bundle(*envelopes: Envelope) -> Bundle:
    """These as they came."""
    size, first = sum(map(len, envelopes)), accepted_at(envelopes[0])
    return Bundle(b"body", len(envelopes), size, first, lambda _: list(envelopes))


def test_a_bundle_is_a_sequence_that_is_made_when_somebody_looks() -> None:
    """Length and size are known before, and each call is the same object whenever it is seen."""
    calls = [envelope(number) for number in range(5)]
    one = bundle(*calls)
    assert (len(one), size_of(one), one.first, one.is_whole) == (5, size_of(calls), 0, True)
    assert repr(one) == "<Bundle calls=5>"
    assert one[0] is calls[0]
    assert not one.is_whole
    assert one[1:3] == calls[1:3]
    assert all(found is call for found, call in zip(one, calls, strict=True))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add", "bundle"]), st.integers(1, 4), st.integers(0, 200)),
        st.tuples(st.just("take"), st.integers(1, 900), st.just(0)),
        st.tuples(st.just("put back"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("older"), st.integers(0, 30), st.just(0)),
    ),
    max_size=30,
)


@settings(max_examples=times(100), deadline=None)
@given(STEPS)
def test_the_queue_keeps_the_order_of_all(steps: list[tuple[str, int, int]]) -> None:
    """Whatever came as a bundle: what is taken stood first, and fits into a request."""
    queue, model, number = Queue(), list[Envelope](), 0
    taken: list[Envelope] = []
    for step, count, size in steps:
        if step in ("add", "bundle"):
            calls = [envelope(number + n, size) for n in range(count)]
            number += count
            queue.add(calls if step == "add" else bundle(*calls))
            model += calls
        elif step == "take":
            took = queue.take(count, SPARED)
            assert bool(took) == bool(model)
            taken, model = model[: len(took)], model[len(took) :]
            assert list(took) == taken
            assert len(took) <= 1 or size_of(took) - SPARED * len(took) <= count
        elif step == "put back":
            back, taken = taken[-count:], taken[:-count]
            queue.put_back(back)
            model = back + model
        else:
            older = queue.take_older(count)
            assert older == [one for one in model if accepted_at(one) < count]
            model = model[len(older) :]
        assert len(queue) == len(model)
        assert bool(queue) == bool(model)
    assert list(queue) == model
    queue.clear()
    assert not queue


def test_the_queue_takes_no_bundle_apart_that_fits() -> None:
    """It is what a request carries; one that is too large, or stands behind others, is not."""
    first, second, third = (bundle(*map(envelope, range(n, n + 3))) for n in (0, 3, 6))
    queue = Queue()
    queue.add(first)
    queue.add(second)
    assert queue.take(1_000, SPARED) is first
    assert first.is_whole
    assert len(queue.take(5, SPARED)) == 1
    queue.add(third)
    assert [*map(accepted_at, queue.take(1_000, SPARED))] == [4, 5, 6, 7, 8]
    assert not second.is_whole


class Ready(TrackAPI):
    """The Track API, as if there were credentials."""

    ready = True


VERDICTS: list[Verdict] = [
    TryAgain("server_error", 500, suspect=True),
    TryAgain("no_answer", None, suspect=True, slow=True),
    TryAgain("rate_limited", 429, 3.0),
    Hold(403, "look", suspect=True),
    Split(),
    Delivered(200),
]


@settings(max_examples=times(60), deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from("abc"), min_size=1, max_size=5))),
    st.lists(st.sampled_from(VERDICTS), max_size=30),
)
@example([(False, ["a"] * 4)], [VERDICTS[4], VERDICTS[1]])
def test_whatever_is_answered_each_call_ends_once_and_in_order(
    groups: list[tuple[bool, list[str]]], verdicts: list[Verdict]
) -> None:
    """A bundle is taken apart where its calls have to be judged one by one."""
    flight = InFlight(Ready(None, Options()))
    order, now, ids = Order([flight.line]), 100.0, IdSource()
    calls: list[Envelope] = []
    for whole, people in groups:
        some = [
            encode(Track(who, "x", {"pad": "." * 30_000}), ids.new_id(n), n, "v2")
            for n, who in enumerate(people, len(calls))
        ]
        flight.waiting.add(bundle(*some) if whole else some)
        calls += some
    ended: list[Envelope] = []
    steps = 0
    while flight:
        steps += 1
        assert steps < 2_000
        load = flight.next(now)
        if load is None:
            now = max(flight.opens_at(now), now + 0.01)
            continue
        verdict = verdicts.pop(0) if verdicts else Delivered(200)
        ended += answer(flight, load, verdict, now, order)
    assert sorted(ended) == sorted(calls)
    for who in "abc":
        (key,) = customers_of(encode(Track(who, "x"), ids.new_id(0), 0, "v2"))
        assert [one for one in ended if key in customers_of(one)] == [
            one for one in calls if key in customers_of(one)
        ]
