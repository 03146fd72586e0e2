"""What all calls about people have in common: reprs, errors, and that a call stays as it is."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

import cio_events
from cio_events import (
    AddDevice,
    Delete,
    DeleteDevice,
    Identifier,
    Identify,
    Merge,
    ParamError,
    Suppress,
    Track,
    TrackAnonymous,
    Unsuppress,
)
from cio_events._calls import people

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

# Each holds "secret" wherever an application's own data goes.
EVERY_CALL = [
    Identify("secret-id", {"secret-key": "secret"}, timestamp=5),
    Track("secret-id", "bought", {"secret-key": "secret"}, id=ULID, timestamp=5),
    TrackAnonymous("secret-id", "bought", {"secret-key": "secret"}, type="page"),
    Delete("secret-id"),
    Suppress("secret-id"),
    Unsuppress(Identifier("secret@example.com", "email")),
    Merge("secret-id", Identifier("secret", "cio_id")),
    AddDevice("secret-id", "secret-token", "ios", {"secret-key": "secret"}),
    DeleteDevice("secret-id", "secret-token"),
]
each_call = pytest.mark.parametrize("call", EVERY_CALL, ids=lambda call: type(call).__name__)


def test_every_call_is_here() -> None:
    """The calls that the other tests run over are all that the package shows."""
    shown = {
        value
        for value in vars(people).values()
        if isinstance(value, type)
        and issubclass(value, cio_events.Call)
        and value is not cio_events.Call
    }

    assert {type(call) for call in EVERY_CALL} == shown


@each_call
def test_repr_shows_no_personal_data(call: Any) -> None:
    """Whoever logs a call does not log whom it is about."""
    assert "secret" not in repr(call)
    assert "secret" not in str(call)
    assert "secret" not in f"{call}"
    assert type(call).__name__ in repr(call)


def test_repr_tells_calls_apart() -> None:
    """By what is nobody's data: an event's name, how somebody is named, and how much is said."""
    calls = [
        Identify("lucy@example.com", {"plan": "pro", "_timestamp": 1}),
        Identify("5", {"plan": "pro", "ltv": 1}),
        Track("5", "purchase"),
        Merge("5", "cio_17"),
        Delete({"phone": "+15551234567"}),
    ]

    assert [*map(repr, calls)] == [
        "<Identify by email with 1 attribute>",
        "<Identify by id with 2 attributes>",
        "<Track 'purchase'>",
        "<Merge by id and cio_id>",
        "<Delete by phone>",
    ]


@each_call
def test_error_text_quotes_nothing(call: Any) -> None:
    """An error names the field and the limit, not the value."""
    for field in dataclasses.fields(call):
        values: dict[str, Any] = {f.name: getattr(call, f.name) for f in dataclasses.fields(call)}
        values[field.name] = {"secret" * 30: 1}
        with pytest.raises(ParamError) as caught:
            type(call)(**values)
        error = caught.value
        assert "secret" not in f"{error} {error!r} {error.args}"


def test_identifier_shows_its_type_only() -> None:
    """Neither in its repr nor as text."""
    assert repr(Identifier("secret", "email")) == "<Identifier by email>"


@each_call
def test_call_cannot_be_changed(call: Any) -> None:
    """Neither its fields nor anything else can be set on it or taken from it."""
    for field in dataclasses.fields(call):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(call, field.name, "other")
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(call, field.name)
    with pytest.raises(dataclasses.FrozenInstanceError):
        call.other = 1


@each_call
@pytest.mark.parametrize(
    "through",
    [
        copy.copy,
        copy.deepcopy,
        *(lambda c, p=p: pickle.loads(pickle.dumps(c, p)) for p in range(6)),
    ],
)
def test_call_survives_copies_and_pickling(call: Any, through: Any) -> None:
    """A call travels between processes as what it is."""
    other = through(call)

    assert other == call
    assert type(other) is type(call)
    with pytest.raises(dataclasses.FrozenInstanceError):
        other.customer = "other"


@each_call
def test_calls_of_the_same_values_are_equal(call: Any) -> None:
    """And of others they are not."""
    values = {f.name: getattr(call, f.name) for f in dataclasses.fields(call)}

    assert type(call)(**values) == call
    assert all(call != other for other in EVERY_CALL if other is not call)
