"""What is plain goes to JSON without a walk: found at a glance, and with the same outcome."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from cio_events._calls import limits
from cio_events._wire import json as room
from cio_events._wire.json import dumps
from cio_events._wire.natural import TooLarge
from cio_events._wire.screen import is_plain
from cio_events._wire.walk import Walk
from tests.benchmarks.hostile import payloads
from tests.support.effort import times
from tests.support.graphs import BadClass, BadDict, BadText, Hashless, PretendsToBeText, graphs

BYTES = limits.DATA_BYTES


def nested(kind: Any, depth: int) -> Any:
    """So many containers, each in another."""
    value = kind()
    for _ in range(depth - 1):
        value = {"a": value} if kind is dict else kind([value])
    return value


def loop() -> list[Any]:
    """A list in itself."""
    value: list[Any] = [1, 2]
    value.append(value)
    return value


PLAIN: dict[str, Any] = {
    "scalars": ["a", 1, 1.5, True, None, -(2**63), 2**64 - 1],
    "mixed": {"a": [1, {"b": (2, [])}, "x"], "c": {}, "": ()},
    "as deep as may be": nested(tuple, limits.DEPTH),
    "as many as may be": [0] * (limits.NODES - 1),
    "as long as may be": ["x" * 1_000] * 100,
    **{
        name: value
        for name, value in payloads(600).items()
        if name not in ("large_integers", "integer_keys")
    },
}

NOT_PLAIN: dict[str, Any] = {
    "an unknown type": [1, {"a": object()}],
    "one without a class": [[BadClass()]],
    "a subclass of text": ["x", BadText("y")],
    "a subclass of a dictionary": [{}, BadDict()],
    "a key of another type": {"a": {1: 2}},
    "a key that is a subclass of text": [{BadText("a"): 1}],
    "a large integer": [1, 2**64, "x"],
    "a small integer": [1, -(2**63) - 1],
    "too deep": nested(list, limits.DEPTH + 2),
    "too many": [[0, 0]] * (limits.NODES // 3 + 1),
    "too long": [["x" * 1_001] * 100],
    "too long a key": {"x" * 60_000: {"y" * 60_000: 1}},
    "a loop": loop(),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_needs_no_walk(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is what a walk would make of it."""
    value = PLAIN[name]
    told = orjson.loads(dumps(Walk(BYTES + 1_000).plain(value)))
    monkeypatch.setattr(room, "Walk", None)

    assert is_plain(value, BYTES)
    assert orjson.loads(dumps(value)) == told


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_all_else_is_not_plain(name: str) -> None:
    """Within the budget or beyond."""
    assert not is_plain(NOT_PLAIN[name], BYTES)


@pytest.mark.parametrize("kind", [list, tuple, dict])
@pytest.mark.parametrize("depth", range(limits.DEPTH - 1, limits.DEPTH + 4))
def test_depth_is_that_of_a_walk(kind: Any, depth: int) -> None:
    """To the level."""
    value = nested(kind, depth)
    try:
        Walk(BYTES).plain(value)
    except TooLarge:
        assert not is_plain(value, BYTES)
    else:
        assert is_plain(value, BYTES)


@pytest.mark.parametrize("kind", [Hashless, PretendsToBeText])
def test_types_that_raise_when_they_are_looked_at(kind: Any) -> None:
    """Nobody hears of it, and they are what they are."""
    assert dumps([kind(), "x"]) == b'["<%b>","x"]' % kind.__name__.encode()
    assert dumps(["x", kind()]) == b'["x","<%b>"]' % kind.__name__.encode()


@pytest.mark.parametrize("leave_out", [False, True])
@settings(max_examples=times(60), deadline=None)
@given(graphs())
def test_each_fares_as_by_a_walk(leave_out: bool, value: Any) -> None:
    """Whatever it is: the same text or the same error, and nothing else."""
    outcomes = []
    for screened in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not screened:
                patch.setattr(room, "is_plain", lambda *_: False)
            try:
                outcomes.append(json.loads(dumps(value, leave_out=leave_out)))
            except TooLarge as error:
                outcomes.append(error.message)

    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([1, object()], b'[1,"<object>"]'),
        ([1, float("nan"), float("-inf")], b"[1,null,null]"),
        ([loop()], b'[[1,2,"<list>"]]'),
        ([{"a": BadDict(b=1)}], b'[{"a":{"b":1}}]'),
    ],
    ids=["object", "nan", "loop", "subclass"],
)
def test_what_has_changed_since_is_walked(
    value: Any, told: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another thread, between the look and the encoding."""
    monkeypatch.setattr(room, "is_plain", lambda *_: True)

    assert dumps(value) == told


def test_what_has_got_deep_since_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tuples neither, which other encoders follow until the stack ends."""
    monkeypatch.setattr(room, "is_plain", lambda *_: True)

    for kind in (list, tuple, dict):
        with pytest.raises(TooLarge, match="deep"):
            dumps(nested(kind, 100_000))
