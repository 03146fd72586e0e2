"""Pauses: how long a destination is left alone after a failure, and after a refusal."""

from __future__ import annotations

import math

import pytest

from cio_events._delivery.destination import Hold, TryAgain
from cio_events._delivery.retry import URGENT_SECONDS, Pace
from cio_events.options import Options

OPTIONS = Options(retry_base=0.5, retry_cap=60.0, hold_interval=7.0)
FAILED = TryAgain("server_error", 500)


def test_delay_has_full_jitter_and_doubles_up_to_the_cap() -> None:
    """Anything from zero to twice as much as before, never over the cap."""
    delays: dict[int, list[float]] = {n: [] for n in range(12)}
    for _ in range(200):
        pace, now = Pace(), 0.0
        for n in range(12):
            delays[n].append(pace.pause(FAILED, now, OPTIONS))
            now = pace.ready_at

    for n, seen in delays.items():
        most = min(60.0, 0.5 * 2**n)
        assert max(seen) <= most
        assert max(seen) > most * 0.9
        assert 0.1 <= min(seen) < max(most * 0.1, 0.15)


def test_thousands_of_failures_are_no_overflow() -> None:
    """An outage of days ends as one of minutes does."""
    pace, now = Pace(), 0.0
    for _ in range(3_000):
        assert 0 <= pace.pause(FAILED, now, OPTIONS) <= 60
        now = pace.ready_at


def test_success_starts_the_delays_anew() -> None:
    """After one success the first delay is short again."""
    pace, now = Pace(), 0.0
    for _ in range(9):
        pace.pause(FAILED, now, OPTIONS)
        now = pace.ready_at
    pace.succeeded(now)

    assert pace.pause(FAILED, now, OPTIONS) <= 0.5


def test_answers_to_requests_under_way_together_count_once() -> None:
    """Eight failures at one time do not make the delay eight times doubled, nor end a pause."""
    pace = Pace()
    pace.pause(TryAgain("rate_limited", 429, delay=5.0), 0.0, OPTIONS)
    for _ in range(20):
        pace.pause(FAILED, 0.0, OPTIONS)
    pace.succeeded(0.0)

    assert pace.ready_at == 5.0
    assert pace.pause(FAILED, 10.0, OPTIONS) <= 1.0


@pytest.mark.parametrize("asked", [0.25, 5.0, 300.0])
def test_delay_that_the_server_asks_for_is_obeyed(asked: float) -> None:
    """Retry-After goes before our own delay."""
    pace = Pace()

    assert pace.pause(TryAgain("rate_limited", 429, asked), 100.0, OPTIONS) == asked
    assert pace.ready_at == 100.0 + asked


def test_server_that_asks_for_no_delay_at_all_gets_our_own() -> None:
    """Retry-After: 0 must not become a loop without a pause."""
    pace, now, delays = Pace(), 0.0, []
    for _ in range(50):
        delays.append(pace.pause(TryAgain("server_error", 503, 0.0), now, OPTIONS))
        now = pace.ready_at

    assert sum(delays) > 60.0


def test_wrong_settings_are_tried_again_each_hold_interval() -> None:
    """Not sooner and not ever later."""
    pace, now = Pace(), 0.0
    for _ in range(20):
        assert pace.pause(Hold(401, "look"), now, OPTIONS) == 7.0
        assert pace.held
        now = pace.ready_at
    pace.succeeded(now)

    assert not pace.held


def test_hold_without_an_end_is_a_hold() -> None:
    """An infinite interval is "until the process is started with other settings"."""
    pace = Pace()
    pace.pause(Hold(401, "look"), 0.0, Options(hold_interval=math.inf))

    assert pace.ready_at == math.inf


def test_success_of_who_did_not_wait_for_the_end_of_a_pause_ends_it() -> None:
    """It began during the pause, so that what failed before says nothing any more."""
    pace = Pace()
    pace.pause(FAILED, 10.0, Options(retry_base=6e5, retry_cap=6e5))
    pace.try_now()
    now = 10.0 + URGENT_SECONDS
    pace.begin(now)
    pace.succeeded(now)

    assert pace.failures == 0
    assert pace.open(now)


def test_attempt_during_a_pause_is_one() -> None:
    """The next one is for whoever waits next, and not at once."""
    pace, options = Pace(), Options(retry_base=6e5, retry_cap=6e5)
    pace.pause(FAILED, 10.0, options)
    assert not pace.open(10.0 + URGENT_SECONDS)
    pace.try_now()
    assert not pace.open(10.0)
    assert pace.open(10.0 + URGENT_SECONDS)
    assert pace.opens_at(10.0) == 10.0 + URGENT_SECONDS
    pace.begin(11.0)
    assert not pace.open(11.0 + 2 * URGENT_SECONDS)
    pace.pause(FAILED, 12.0, options)
    pace.try_now()
    assert pace.opens_at(12.0) == 12.0 + URGENT_SECONDS


def test_shorter_pause_does_not_end_a_longer_one() -> None:
    """Nor does it let anybody in whom the server did not want before."""
    pace = Pace()
    pace.pause(TryAgain("rate_limited", 429, 200.0), 0.0, OPTIONS)
    pace.pause(TryAgain("rate_limited", 429, 1.0), 1.0, OPTIONS)
    pace.try_now()

    assert pace.opens_at(1.0) == 200.0


@pytest.mark.parametrize(("asked", "given"), [(0.001, 0.1), (301.0, 300.0), (1e300, 300.0)])
def test_delay_that_is_asked_for_has_bounds(asked: float, given: float) -> None:
    """Less would be a loop without a pause, and more an outage of our own."""
    pace = Pace()

    assert pace.pause(TryAgain("rate_limited", 429, asked), 0.0, OPTIONS) == given
