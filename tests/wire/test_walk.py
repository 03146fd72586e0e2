"""What it costs to look at a value: a few steps for each one that it holds, and no second look."""

from __future__ import annotations

import sys
from collections import UserString
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from cio_events import Track
from cio_events._wire import screen, walk
from cio_events._wire.encode import encode
from cio_events._wire.json import dumps
from cio_events._wire.natural import TooLarge
from cio_events._wire.plain_event import encode_event
from tests.benchmarks.hostile import NAMES, payloads

ULID = "01J9ZZZZZZ0123456789ABCDEF"

# Lines of a walk for a value, in a container of its own at the most.
MOST_STEPS = 24


@contextmanager
def counted() -> Iterator[list[int]]:
    """How many lines run in this block that look at values."""
    lines, rooms = [0], (screen.__file__, walk.__file__)

    def step(_frame: FrameType, event: str, _arg: object) -> Callable[..., Any]:
        if event == "line":
            lines[0] += 1
        return step

    def call(frame: FrameType, _event: str, _arg: object) -> Callable[..., Any] | None:
        return step if frame.f_code.co_filename in rooms else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield lines
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("name", NAMES)
def test_each_value_takes_a_few_steps(name: str) -> None:
    """Deep ones too, and those that the encoder refuses: no value is looked at twice."""
    few, many = payloads(600)[name], payloads(1_200)[name]
    with counted() as steps_of_few:
        dumps(few)
    with counted() as steps_of_many:
        dumps(many)

    assert steps_of_few[0] < MOST_STEPS * 600 * 1.1
    assert steps_of_many[0] < steps_of_few[0] * 2.1


def test_large_event_is_walked_once() -> None:
    """A look whether it fits the fast path takes a fraction, and its size is known already."""
    for payload, size in ([[], ()] * 4_500, 27_000), (["some text"] * 6_000, 72_000):
        call = Track("5", "x", {"payload": [*payload, {1}]})  # a set, which has to be walked
        with counted() as once:
            dumps(call.data)
        with counted() as steps:
            assert encode_event("5", "x", call.data, ULID, 1, 1) is None
            assert size < len(encode(call, ULID, 1, "v2")) < size + 300
        assert 6_000 < once[0] < steps[0] < once[0] * 1.1


def test_what_is_plain_takes_a_few_steps_for_a_level() -> None:
    """However many values there are."""
    for name in ("empty_lists", "empty_dicts", "pairs", "booleans", "surrogates"):
        with counted() as steps:
            dumps({"payload": payloads(9_000)[name]})

        assert 10 < steps[0] < 150


def test_value_that_stands_in_many_places_is_asked_once() -> None:
    """Also where a cycle has it walked again: what is lazy says the same wherever it stands."""
    asked = []

    class Lazy(UserString):
        def __str__(self) -> str:
            asked.append(1)
            return f"asked {len(asked)}"

    lazy = Lazy("")
    loop: list[object] = [lazy, lazy, {"a": lazy}]
    loop.append(loop)

    assert dumps(loop) == b'["asked 1","asked 1",{"a":"asked 1"},"<list>"]'
    assert len(asked) == 1


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_key_is_asked_once(depth: int) -> None:
    """Whichever way the event goes, and however deep it stands."""
    asked = []

    class Lazy(UserString):
        def __str__(self) -> str:
            asked.append(1)
            return f"asked {len(asked)}"

    data: dict[Any, Any] = {Lazy("a"): 1}
    for _ in range(depth):
        data = {"in": data}

    assert encode_event("5", "x", data, ULID, 1, 1) is None
    assert asked == []
    assert b'"asked 1":1' in encode(Track("5", "x", data), ULID, 1, "v2")
    assert len(asked) == 1


@pytest.mark.parametrize("sign", [1, -1])
def test_integers_of_any_size_have_a_bound(sign: int) -> None:
    """As values and as keys, deep or not; as many letters as there are count as text does."""
    large, huge = sign * 2**64, sign * 2**100_000

    told = b'{"%d":["%d"],"<int>":{"a":"<int>"}}' % (large, large)
    assert dumps({large: [large], huge: {"a": huge}}) == told
    with pytest.raises(TooLarge, match="over 1000 bytes"):
        dumps([[large] * 200], most_bytes=1_000)
    with pytest.raises(TooLarge, match="over 1000 bytes"):
        dumps([{sign * (2**64 + number): 1 for number in range(200)}], most_bytes=1_000)


def test_empty_containers_are_nobodys() -> None:
    """What the application puts into its own meanwhile is seen by no event."""
    empty: dict[str, Any] = {"list": [], "dict": {}}

    plain = walk.Walk(100).plain(empty)
    empty["list"].append(1)
    empty["dict"]["a"] = 1

    assert plain == {"list": [], "dict": {}}
