"""What an assertion that fails says, beyond why a call is missing: what differs, and what came."""

from __future__ import annotations

import re
import unittest
from typing import Any

import pytest

import cio_events
from cio_events import Identify, Track
from cio_events.sandbox import Sandbox
from cio_events.testing import Recorder
from cio_events.testing.comparing import compared
from cio_events.testing.workspace import workspace


def track(*prices: object, name: str = "purchase", **data: object) -> Recorder:
    """A recorder that has an event for each of the *prices*."""
    with Recorder() as cio:
        for price in prices:
            cio_events.get_pipeline().track("5", name, {"price": price, **data})
    return cio


def text(recorder: Recorder, assertion: str, *expected: Any, **data: object) -> list[str]:
    """The lines of an assertion that fails, without where a call was made."""
    with pytest.raises(AssertionError) as caught:
        getattr(recorder, assertion)(*expected, **data)
    return [line.partition(", at ")[0] for line in str(caught.value).splitlines()]


def test_long_values_are_shown_where_they_differ() -> None:
    """Wherever that is, in texts and in what holds others."""
    cio = track(1, text="x" * 500 + "a" + "y" * 500, items=list(range(60)))

    _, _, line = text(cio, "tracked", "purchase", text="x" * 500 + "b")
    assert line == f"  text: expected …{'x' * 20}b', was …{'x' * 20}a{'y' * 57}…"
    _, _, line = text(cio, "tracked", "purchase", text="x" * 500)
    assert line.startswith(f"  text: expected …{'x' * 20}', was …{'x' * 20}ayy")
    _, _, line = text(cio, "tracked", "purchase", items=list(range(59)))
    assert line == "  items: expected …, 54, 55, 56, 57, 58], was …, 54, 55, 56, 57, 58, 59]"
    _, _, line = text(cio, "tracked", "purchase", text="y" * 500)
    assert line.startswith("  text: expected 'yyy")
    assert len(line) < 200


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        ({"pric": 1}, "  pric: expected 1, is missing; there is price"),
        ({"order": {"amout": 1}}, "  order.amout: expected 1, is missing; there is amount"),
        ({"zzz": 1}, "  zzz: expected 1, is missing"),
    ],
)
def test_a_key_that_is_misspelt_is_said(expected: dict[str, object], line: str) -> None:
    """Where the payload has one much like it."""
    assert line in text(track(1, order={"amount": 1}), "tracked", "purchase", **expected)


def test_order_says_what_came_before() -> None:
    """Where what is missing came, and too early."""
    cio = track(1, 2, name="purchase")
    with cio:
        cio_events.get_pipeline().track("5", "refund")

    assert text(cio, "in_order", "refund", "purchase") == [
        "no call, behind tracked('refund'): tracked('purchase')",
        'the order was: track "purchase", track "purchase", track "refund"',
        "there is one before: track \"purchase\" of 5 {'price': 2}",
    ]
    assert text(cio, "in_order", "purchase", "purchase", "purchase")[-1].startswith("there is one")
    assert text(cio, "in_order", "purchse")[1:] == [
        'the order was: track "purchase", track "purchase", track "refund"',
        'nearest: track "purchase" of 5',
        "  name: expected 'purchse', was 'purchase'",
    ]


def test_too_few_say_what_is_nearest_of_the_rest() -> None:
    """And too many do not."""
    cio = track(1, 2)

    assert text(cio, "tracked", "purchase", price=1, times=2) == [
        "expected 2 calls, was 1: tracked('purchase', price=1)",
        "  track \"purchase\" of 5 {'price': 1}",
        'nearest: track "purchase" of 5',
        "  price: expected 1, was 2",
    ]
    assert len(text(cio, "tracked", "purchase", times=1)) == 3


def test_nothing_says_the_one_call_in_a_line() -> None:
    """As pytest's short summary shows the first line alone."""
    assert text(track(1), "nothing") == ["there was a call: track \"purchase\" of 5 {'price': 1}"]
    assert text(track(1, 2), "nothing")[0] == "there were 2 calls:"


def test_calls_that_are_compared_say_in_what_they_differ() -> None:
    """Whichever side they are on; ids and times are not what a test is about."""
    one, other = track(1, 2).calls
    made = Track("5", "purchase", {"price": 3})
    advice = "differ; cio.tracked(), cio.called() and cio.in_order() compare without them"

    assert compared(one, made) == [
        'track "purchase" of 5 == track "purchase" of 5',
        "data.price: expected 3, was 1",
        f"id and timestamp {advice}",
    ]
    assert compared([made], [one]) == [
        "1 call == 1 call",
        "[0] data.price: expected 3, was 1",
        f"id and timestamp {advice}",
    ]
    assert compared([one, other], [one]) == [
        "2 calls == 1 call",
        "only left: track \"purchase\" of 5 {'price': 2}",
    ]
    assert compared([], (one,)) == [
        "0 calls == 1 call",
        "only right: track \"purchase\" of 5 {'price': 1}",
    ]
    assert compared(one, Identify("5"))[1:] == [  # type: ignore[index]
        'track "purchase" of 5 != identify of 5'
    ]
    many = compared([], track(*range(40)).calls)
    assert many is not None
    assert len(many) == 13
    assert many[-1] == "… and 29 more"


def test_unittest_points_to_the_test_alone(sandbox: Sandbox) -> None:
    """And not into the recorder or the workspace."""

    class Case(unittest.TestCase):
        def test_recorder(self) -> None:
            track(1).tracked("refund")

        def test_nothing(self) -> None:
            track(1, 2).nothing()

        def test_sandbox(self) -> None:
            with workspace(sandbox, 1) as test:
                test.wait_for("refund", timeout=0)

    result = unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(unittest.TestResult())

    assert len(result.failures) == 3
    for _, shown in result.failures:
        assert set(re.findall(r'File "([^"]+)"', shown)) == {__file__}


@pytest.mark.parametrize(
    ("left", "right"), [([], ()), ([1], [2]), ("a", "b"), (1, 2), ([], {}), (Track("5", "x"), 1)]
)
def test_what_is_no_call_is_none_of_ours(left: object, right: object) -> None:
    """It is shown as pytest shows it."""
    assert compared(left, right) is None
