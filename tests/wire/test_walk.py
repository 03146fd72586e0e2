"""What a walk costs: a few steps for each value, whatever it is, and no second look."""

from __future__ import annotations

import sys
from collections import UserString
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from cio_events import Track
from cio_events._wire import walk
from cio_events._wire.encode import encode
from cio_events._wire.json import dumps
from cio_events._wire.plain_event import encode_event
from tests.benchmarks.hostile import NAMES, payloads

ULID = "01J9ZZZZZZ0123456789ABCDEF"

# Lines of a walk for a value, in a container of its own at the most.
MOST_STEPS = 24


@contextmanager
def counted() -> Iterator[list[int]]:
    """How many lines the walk runs in this block."""
    lines = [0]

    def step(_frame: FrameType, event: str, _arg: object) -> Callable[..., Any]:
        if event == "line":
            lines[0] += 1
        return step

    def call(frame: FrameType, _event: str, _arg: object) -> Callable[..., Any] | None:
        return step if frame.f_code.co_filename == walk.__file__ else None

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
    call = Track("5", "x", {"payload": payloads(9_000)["empty_lists"]})
    with counted() as once:
        dumps(call.data)
    with counted() as steps:
        assert encode_event("5", "x", call.data, ULID, 1, 1) is None
        assert len(encode(call, ULID, 1, "v2")) < 32_000
    assert steps[0] < once[0] * 1.1

    call = Track("5", "x", {"payload": ["some text"] * 6_000})
    with counted() as once:
        dumps(call.data)
    with counted() as steps:
        assert encode_event("5", "x", call.data, ULID, 1, 1) is None
        assert len(encode(call, ULID, 1, "v2")) > 32_000
    assert steps[0] < once[0] * 1.1


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


def test_empty_containers_are_nobodys() -> None:
    """What the application puts into its own meanwhile is seen by no event."""
    empty: dict[str, Any] = {"list": [], "dict": {}}

    plain = walk.Walk(100).plain(empty)
    empty["list"].append(1)
    empty["dict"]["a"] = 1

    assert plain == {"list": [], "dict": {}}
