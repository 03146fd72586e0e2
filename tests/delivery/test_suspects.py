"""Suspects: when requests that fail step aside, are halved, convicted, and tried again."""

from __future__ import annotations

import dataclasses

import pytest

from cio_events import Call, SendPush, Track
from cio_events._delivery.destination import Hold, TryAgain
from cio_events._delivery.in_flight import InFlight
from cio_events._delivery.order import Order
from cio_events._delivery.retry import URGENT_SECONDS
from cio_events._delivery.suspects import STRIKES, TRIES, Load
from cio_events._wire.encode import customers_of, encode
from cio_events.options import Options
from tests.model.world import FORBIDDEN, NOW, AppReady, Ready

# Long enough to tell a delay from none, and each twice as long as the one before.
OPTIONS = Options(retry_base=64.0, retry_cap=6e5, hold_interval=100.0)
SUSPECT = TryAgain("server_error", 500, suspect=True)


class Flight:
    """One destination, whose every verdict is ours."""

    def __init__(self, *calls: Call, app: bool = False) -> None:
        self.of = InFlight(AppReady(None, Options()) if app else Ready(None, Options()))
        self.order = Order([self.of.line])
        self.now = 0.0
        self.count = 0
        self.accept(*calls)

    def accept(self, *calls: Call) -> None:
        """Let calls stand in order."""
        for call in calls:
            self.count += 1
            envelope = encode(call, f"{self.count:026}", NOW, "v2")
            self.order.add(envelope, customers_of(envelope), self.of.line)

    def begin(self) -> Load:
        """Make the next request, when it may be."""
        self.now = max(self.now, self.of.opens_at(self.now))
        load = self.of.next(self.now)
        assert load is not None
        return load

    def fail(self, load: Load, verdict: TryAgain | Hold = SUSPECT) -> float:
        """It has failed; returns the delay."""
        return self.of.failed(load, verdict, self.now, OPTIONS, self.order)

    def succeed(self, load: Load) -> None:
        """It was taken."""
        self.of.passed(load, self.now)
        self.of.ended(load)

    def fail_often(self, times: int) -> Load:
        """Have whatever is tried fail so often; returns the last one."""
        for _ in range(times):
            load = self.begin()
            self.fail(load)
        return load

    @property
    def suspects(self) -> list[Load]:
        """Who stands aside."""
        return list(self.of.suspects)


def events(*customers: str) -> list[Call]:
    """An event of each."""
    return [Track(who, "x") for who in customers]


def sizes(*loads: Load) -> list[int]:
    """How many calls each has."""
    return [len(load.envelopes) for load in loads]


def test_who_fails_three_times_in_a_row_steps_aside_and_others_are_tried() -> None:
    """Not before: a short fault is the server's."""
    flight = Flight(*events("a", "b"))
    for _ in range(STRIKES - 1):
        flight.fail_often(1)
        assert flight.suspects == []
    flight.accept(*events("c"))
    flight.fail_often(1)

    assert sizes(*flight.suspects) == [2]
    assert sizes(flight.begin()) == [1]


def test_who_fails_six_times_steps_aside_though_nothing_else_passes() -> None:
    """Two that fail in turn say that it is the server; still, others are tried at last."""
    flight = Flight(SendPush(transactional_message_id=1, identifiers="a"), app=True)
    flight.accept(SendPush(transactional_message_id=1, identifiers="b"))
    first, second = flight.begin(), flight.begin()
    flight.fail(first)
    flight.fail(second)
    for _ in range(2 * (TRIES - 2)):
        flight.fail_often(1)
        assert flight.suspects == []
    flight.fail_often(2)

    assert sizes(*flight.suspects) == [1, 1]
    assert all(load.strikes < STRIKES for load in flight.suspects)


def test_culprits_that_take_their_time_leave_the_others_their_turn() -> None:
    """Each is due again as soon as it has failed, and still all behind them are searched."""
    flight = Flight(*events(*"abcdefgh"))
    for _ in range(60):
        load = flight.begin()
        if any(b'"a"' in one or b'"b"' in one for one in load.envelopes):
            flight.fail(load)
        else:
            flight.succeed(load)
        flight.now += 2 * OPTIONS.retry_cap

    assert sizes(*flight.suspects) == [1, 1]
    assert len(flight.of.line.pending) == 2


def test_while_nothing_passes_each_has_its_turn() -> None:
    """Who is behind one that has failed often is tried before that one comes again."""
    flight = Flight(*events("a"))
    flight.fail_often(TRIES)
    flight.accept(*events("b"))
    first = flight.fail_often(1)
    flight.accept(*events("c"))
    second = flight.fail_often(1)

    assert [load.tries for load in flight.suspects] == [TRIES, 1, 1]
    assert flight.suspects[1:] == [first, second]
    assert flight.begin() is first


def test_while_nothing_passes_a_suspect_has_no_delay_of_its_own() -> None:
    """It is tried as soon as the destination may be."""
    flight = Flight(*events("a"))
    flight.fail_often(TRIES)
    (suspect,) = flight.suspects
    suspect.retry_at = 1e9

    assert flight.of.opens_at(flight.now) == flight.of.pace.ready_at
    assert flight.begin() is suspect


def test_suspect_is_halved_at_once_when_another_passes() -> None:
    """No pause is in the way of the search."""
    flight = Flight(*events("a", "b", "c", "d"))
    flight.fail_often(STRIKES)
    flight.accept(*events("e"))
    flight.succeed(flight.begin())
    before = flight.now
    half = flight.begin()

    assert sizes(half) == [2]
    assert flight.now == before


def test_half_is_not_halved_before_another_passes() -> None:
    """The server may have gone meanwhile; the other half shows whether it has."""
    flight = Flight(*events(*"abcdefgh"))
    flight.fail_often(STRIKES)
    flight.accept(*events("other"))
    flight.succeed(flight.begin())
    seen = []
    for _ in range(3):
        seen.append(flight.begin())
        flight.fail(seen[-1])

    # The first half has failed though another had passed since the whole did.
    assert sizes(*seen) == [4, 2, 2]
    assert not set(seen[1].envelopes) & set(seen[2].envelopes)


def test_half_that_the_other_half_waits_for_is_halved_at_once() -> None:
    """Nothing beside it could show that the server is well: it has just been."""
    flight = Flight(*events("a", "a", "a", "a"))
    flight.fail_often(STRIKES)
    flight.accept(*events("e"))
    flight.succeed(flight.begin())
    before, seen = flight.now, []
    for _ in range(2):
        seen.append(flight.begin())
        flight.fail(seen[-1])

    assert sizes(*seen) == [2, 1]
    assert flight.now == before
    # That it fails alone proves nothing, as nobody else has passed since.
    assert not seen[-1].convicted


def test_one_half_hardly_waits_for_the_other() -> None:
    """One customer's calls stay together, in their order."""
    flight = Flight(*events(*"abcdabcdabcdabcd"))
    flight.fail_often(STRIKES)
    flight.accept(*events("other"))
    flight.succeed(flight.begin())
    half = flight.begin()

    people = [customers_of(one) for one in half.envelopes]
    assert people == sorted(people)
    assert len(set(people)) == 2
    assert half.envelopes[:4] == sorted(half.envelopes[:4])


def test_halves_have_the_same_held_against_them() -> None:
    """And neither has been sent yet as it is now."""
    load = Load([b"a", b"b"], 7, True, None, 3, 5, 11, refusal=FORBIDDEN)
    for half in load.halves():
        kept = ("attempts", "again", "strikes", "tries", "failed_at", "refusal", "family")
        for name in kept:
            assert getattr(half, name) is getattr(load, name), name
        assert half.untested
        assert (half.convicted, half.guilty, half.first, half.part_of) == (*[False] * 3, None)
    assert {field.name for field in dataclasses.fields(load)} >= set(kept)


def test_single_call_is_convicted_only_when_others_pass_between_two_of_its_failures() -> None:
    """While nothing passes, however often it fails, the server is to blame."""
    flight = Flight(*events("a"))
    flight.fail_often(4 * TRIES)
    (suspect,) = flight.suspects
    assert not suspect.convicted

    flight.accept(*events("b"))
    flight.succeed(flight.begin())
    flight.fail(again := flight.begin())
    assert again is suspect
    flight.accept(*events("c"))
    flight.succeed(flight.begin())
    if not suspect.convicted:
        flight.fail(flight.begin())
    assert suspect.convicted


def test_after_an_outage_who_stepped_aside_goes_at_once() -> None:
    """Its delay was that of the server."""
    flight = Flight(*events("a"))
    flight.fail_often(TRIES)
    assert flight.suspects[0].retry_at > flight.now
    flight.accept(*events("b"))
    flight.succeed(flight.begin())
    before = flight.now
    flight.succeed(flight.begin())

    assert flight.now == before
    assert not flight.of


def convicted() -> Flight:
    """A destination that is well, and a culprit that waits alone."""
    flight = Flight(*events("a"))
    flight.fail_often(TRIES)
    for name in "bcd":
        flight.accept(*events(name))
        flight.succeed(flight.begin())
        (suspect,) = flight.suspects
        if suspect.convicted:
            break
        flight.fail(flight.begin())
    assert flight.suspects[0].convicted
    return flight


def test_culprit_waits_alone() -> None:
    """Others pass: it is not tried for that, nor does its failure pause anybody."""
    flight = convicted()
    (culprit,) = flight.suspects
    for n in range(20):
        flight.accept(*events(f"{n}"))
        load = flight.begin()
        assert load is not culprit
        flight.succeed(load)
    flight.now = culprit.retry_at
    flight.fail(flight.begin())
    assert culprit.retry_at > flight.now
    flight.accept(*events("next"))
    before = flight.now
    flight.succeed(flight.begin())
    assert flight.now == before


def test_culprit_is_tried_for_who_waits_but_not_for_each() -> None:
    """As the destination itself."""
    flight = convicted()
    (culprit,) = flight.suspects
    flight.now = culprit.retry_at
    flight.fail(flight.begin())
    tried = 0
    for _ in range(100):
        flight.now += 0.01
        flight.of.try_now()
        load = flight.of.next(flight.now)
        if load is not None:
            tried += 1
            flight.fail(load)

    assert 1 <= tried <= 1.0 / URGENT_SECONDS


def test_culprit_for_which_the_server_asked_for_a_delay_gets_it() -> None:
    """Whoever waits."""
    flight = convicted()
    (culprit,) = flight.suspects
    flight.now = culprit.retry_at
    flight.fail(flight.begin(), TryAgain("server_error", 503, 30.0, suspect=True))
    flight.now += 10.0
    flight.of.try_now()

    assert flight.of.next(flight.now) is None
    assert culprit.retry_at == pytest.approx(flight.now + 20.0)


# Pauses, and smaller requests.


def test_forbidden_calls_are_held_only_where_no_others_wait() -> None:
    """While others are there to be tried, it may be these calls alone."""
    flight = Flight(*events("a"))
    load = flight.begin()
    flight.accept(*events("b"))
    others = Hold(403, "look", suspect=True)
    assert flight.fail(load, others) <= OPTIONS.retry_base
    assert not flight.of.pace.held

    alone = Flight(*events("a"))
    assert alone.fail(alone.begin(), others) == OPTIONS.hold_interval
    assert alone.of.pace.held


def test_wrong_settings_are_held_whoever_waits() -> None:
    """They are wrong for all."""
    flight = Flight(*events("a"))
    load = flight.begin()
    flight.accept(*events("b"))

    assert flight.fail(load, Hold(401, "look")) == OPTIONS.hold_interval
    assert flight.of.pace.held


@pytest.mark.parametrize("queue", [False, True], ids=["in order", "one queue"])
def test_requests_shrink_on_a_slow_line_and_grow_again(queue: bool) -> None:
    """By halves, and back by steps; each call stays in its place."""
    slow = TryAgain("no_answer", None, suspect=True, slow=True)
    flight = Flight(*([] if queue else [Track("5", "x", {"pad": "." * 900})] * 200))
    if queue:
        flight.of.waiting.add(
            [
                encode(Track("5", "x", {"pad": "." * 900}), f"{n:026}", NOW, "v2")
                for n in range(200)
            ]
        )
    waiting = [envelope for envelope, _ in flight.of.all_of_it()]
    seen, taken = [], []
    for _ in range(2):
        load = flight.begin()
        seen += sizes(load)
        flight.fail(load, slow)
    while flight.of:
        load = flight.begin()
        seen += sizes(load)
        taken += load.envelopes
        flight.succeed(load)

    assert seen[:3] == [200, 100, 50]
    assert 55 < seen[3] < 70
    assert taken == waiting


# Messages that are forbidden.


def push(who: str) -> Call:
    """A message."""
    return SendPush(transactional_message_id=1, identifiers=who)


def test_forbidden_message_is_refused_once_another_passes() -> None:
    """It steps aside at once, and is not sent again for that."""
    flight = Flight(push("a"), app=True)
    forbidden = flight.begin()
    flight.fail(forbidden, FORBIDDEN)
    assert flight.of.refused() == []
    flight.accept(push("b"))
    flight.succeed(flight.begin())

    ((load, said),) = flight.of.refused()
    assert (load, said) == (forbidden, FORBIDDEN)
    assert flight.suspects == []


def test_message_is_not_refused_for_what_passed_before_it_was_sent() -> None:
    """The account may have been forbidden meanwhile."""
    flight = Flight(push("a"), push("b"), app=True)
    first, second = flight.begin(), flight.begin()
    flight.succeed(first)
    flight.accept(push("c"))
    third = flight.begin()
    flight.fail(third, FORBIDDEN)
    assert flight.of.refused() == []

    flight.succeed(second)
    assert [load.envelopes for load, _ in flight.of.refused()] == [third.envelopes]


def test_message_under_way_is_not_refused_meanwhile() -> None:
    """What it is told now counts."""
    flight = Flight(push("a"), app=True)
    flight.fail(flight.begin(), FORBIDDEN)
    again = flight.begin()
    assert flight.of.suspects.is_out(again)
    flight.of.suspects.passed(Load([b"another"]))

    assert flight.of.refused() == []
