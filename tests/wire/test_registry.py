"""Each kind of call has its row, and no row is in another's way."""

from __future__ import annotations

from collections import Counter

import pytest

import cio_events
from cio_events import Call, Message
from cio_events._wire.registry import KINDS, kind_called, kind_of
from cio_events.errors import ParamError

_BASES = {Call, Message}


def kinds_of(base: type[Call]) -> set[type[Call]]:
    """Every class below *base* that this package has, whoever made others."""
    below = {one for one in base.__subclasses__() if one.__module__.startswith("cio_events")}
    return below.union(*map(kinds_of, below)) - _BASES


def test_every_kind_has_one_row() -> None:
    """Who adds a class and forgets its row is told so here."""
    assert Counter(kind.call for kind in KINDS) == dict.fromkeys(kinds_of(Call), 1)


def test_every_kind_is_public() -> None:
    """A call that nobody can import is no call."""
    for kind in KINDS:
        assert getattr(cio_events, kind.call.__name__) is kind.call
        assert kind.call.__name__ in cio_events.__all__


def test_a_word_is_of_one_kind() -> None:
    """What waits is read as what it was."""
    assert {count for _, count in Counter(w for k in KINDS for w in k.words).items()} == {1}
    for kind in KINDS:
        assert all(kind_called(word) is kind for word in kind.words)
        assert bool(kind.words) != bool(kind.mark)
    marks = [kind.mark for kind in KINDS if kind.mark]
    assert len(marks) == len({*marks})


def test_what_may_grow_is_a_parameter() -> None:
    """Its name is what an error says."""
    for kind in KINDS:
        assert kind.large is None or kind.large in kind.call.__annotations__


def test_a_class_of_somebody_else_has_none() -> None:
    """It would be written as what it is not."""

    class Bought(cio_events.Track):
        pass

    with pytest.raises(ParamError, match="call: must be a call of cio_events"):
        kind_of(Bought("5", "x"))
    with pytest.raises(KeyError):
        kind_called("person dance")
