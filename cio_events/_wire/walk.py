"""Walk any Python value within a budget: what comes back is nothing but what JSON has."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from cio_events._calls import limits
from cio_events._interrupts import faults
from cio_events._wire.natural import HUGE, INT_MAX, INT_MIN, TooLarge, integer, name_of, step_for

# What runs no code but Python's own when it is made simpler.
_INERT = frozenset({date, datetime, Decimal, UUID, set, frozenset})

# What stands around the data of a call: names, and at most two identifiers.
AROUND = 1_000

# At least so many has an integer that JSON lacks.
_DIGITS = 19

# A type's name may have any length, and so may a key.
_SHOWN = 100

# In place of empty ones, since the application's own may be filled meanwhile.
_NO_VALUES: list[object] = []
_NO_ITEMS: dict[str, object] = {}

_LEFT_OUT = object()
"""What stands for a value that is left out, while its container is walked."""


class _Unsayable(NamedTuple):
    """What a value has come to that has no form in JSON."""

    value: object


class Unsaid(NamedTuple):
    """
    A value of which JSON has nothing to say.

    Attributes:
        key: Under which key it stood, or the list that it stood in; ``""`` if there was none.

        kind: The name of its type.

        left_out: Whether it is left out; else the name stands for it.
    """

    key: str
    kind: str
    left_out: bool

    @property
    def problem(self) -> str:
        """What is wrong with it, and what became of it."""
        sent = "it is left out" if self.left_out else "its type's name is sent in its place"
        return f"holds a value of type {ascii(self.kind)[1:-1]} that has no form in JSON; {sent}"


class NotInertError(Exception):
    """Raised for a value of a type that may run an application's code."""


class Walk:
    """
    Copies a value into nothing but what JSON has, while its budget lasts.

    Types are compared by identity, as one of an application's may say that it equals any other.

    Args:
        most_bytes: How long all texts may be together.

        leave_out: Leave out what has no form in JSON, and NaN and infinities too. Otherwise the
            name of its type stands for the one, and null for the others.

        inert: Stop at a type that is not known to be inert.

        most_nodes: How many values it may hold.

    Attributes:
        unsaid: What it has met that has no form in JSON, by the key and the identity of the type,
            which may have any hash or none.
    """

    __slots__ = ("_asked", "_inert", "_leave_out", "_most_bytes", "_most_nodes", "unsaid")

    def __init__(
        self,
        most_bytes: int,
        *,
        leave_out: bool = False,
        inert: bool = False,
        most_nodes: int = limits.NODES,
    ) -> None:
        self._most_bytes = most_bytes
        self._most_nodes = most_nodes
        self._leave_out = leave_out
        self._inert = inert
        self.unsaid: dict[tuple[str, int], Unsaid] = {}
        # What each value that JSON lacks has become, by its identity: a lazy one is asked once.
        self._asked: dict[int, tuple[object, object]] = {}

    def plain(self, value: Any) -> Any:
        """
        *value*, as JSON has it.

        Raises:
            TooLarge: It is over the budget.

            NotInertError: It holds a type that is not known to be inert, where that matters.
        """
        try:
            return self._copied(value, None)
        except TooLarge:
            if self._inert:
                raise
        # What holds itself is over any budget. To look out for it takes time, so not before.
        self.unsaid.clear()
        return self._copied(value, (None, None))

    def _copied(self, value: Any, within: Any) -> Any:
        """
        A copy of *value*, level by level, which takes a fraction of a call for each container.

        *within* has what a container is in, the innermost first, as a chain of pairs: one that
        comes again is cut. None means that nobody looks out for it.
        """
        nodes, size, leave_out = self._most_nodes, self._most_bytes + AROUND, self._leave_out
        least, most, tiny, huge, digits = INT_MIN, INT_MAX, -HUGE, HUGE, _DIGITS
        top = [value]
        level: list[tuple[Any, str, Any]] = [(top, "", within)]
        lacking: dict[int, Any] = {}
        for _ in range(limits.DEPTH + 1):
            below: list[tuple[Any, str, Any]] = []
            add = below.append
            for box, key, within in level:
                keyed = type(box) is dict
                if keyed:
                    before = size
                    for name in box:
                        if type(name) is not str:
                            self._name_keys(box)
                            size = before - sum(map(len, box))
                            break
                        size -= len(name)
                    places: Iterable[tuple[Any, Any]] = box.items()
                else:
                    places = enumerate(box)
                for place, one in places:
                    kind = type(one)
                    if kind is str:
                        size -= len(one)
                        continue
                    if kind is int:
                        if one > most:
                            box[place] = f"{one}" if one < huge else "<int>"
                            size -= digits
                        elif one < least:
                            box[place] = f"{one}" if one > tiny else "<int>"
                            size -= digits
                        continue
                    if kind is list or kind is dict or kind is tuple:
                        told = one
                    elif one is None or kind is bool or (kind is float and isfinite(one)):
                        continue
                    elif kind is float and not leave_out:
                        box[place] = None
                        continue
                    else:
                        told = self._simpler(one, place if keyed else key, nodes)
                        kind = type(told)
                        if kind is not list and kind is not dict:
                            box[place] = told
                            if kind is str:
                                size -= len(told)
                            elif told is _LEFT_OUT:
                                lacking[id(box)] = box
                            continue
                    if not told:
                        box[place] = _NO_ITEMS if kind is dict else _NO_VALUES
                        continue
                    if within is not None and _is_among(within, one):
                        box[place] = told = self._not_said(one, place if keyed else key)
                        if told is _LEFT_OUT:
                            lacking[id(box)] = box
                        continue
                    nodes -= len(told)
                    if nodes < 0:
                        raise TooLarge(f"holds over {self._most_nodes} values", self._most_nodes)
                    # In one go: another thread may be writing to it.
                    box[place] = copy = told.copy() if kind is dict else [*told]
                    add((copy, place if keyed else key, within and (one, within)))
            if size < 0:
                raise TooLarge(f"is over {self._most_bytes} bytes as JSON", self._most_bytes)
            if not below:
                break
            level = below
        else:
            raise _too_deep()
        for box in lacking.values():
            _leave_out(box)
        return top[0] if top else None

    def _simpler(self, value: Any, key: str, room: int) -> Any:
        """*value*, whose type JSON lacks, as one that it has; a list or a dictionary as it is."""
        if type(value) is float:
            return self._not_said(value, key)
        asked = self._asked.get(id(value))
        if asked is None:
            asked = value, self._asked_for(value, room)
            self._asked[id(value)] = asked
        told = asked[1]
        return self._not_said(told.value, key) if type(told) is _Unsayable else told

    def _asked_for(self, value: Any, room: int) -> Any:
        for _ in range(limits.DEPTH):
            if self._inert and type(value) not in _INERT:
                raise NotInertError
            try:
                value = step_for(type(value))(value, room)
            except TooLarge:
                raise
            except faults(Exception):  # what an application's own types may raise
                return _Unsayable(value)
            kind = type(value)
            if kind is str or kind is bool or value is None or kind is list or kind is dict:
                return value
            if kind is int:
                return integer(value)
            if kind is float:
                if isfinite(value):
                    return value
                return _Unsayable(value) if self._leave_out else None
        raise _too_deep()

    def _name_keys(self, items: dict[Any, Any]) -> None:
        """Make texts of all keys, in place."""
        named = {}
        for key, value in items.items():
            kind = type(key)
            if kind is str:
                named[key] = value
            elif kind is int and INT_MIN <= key <= INT_MAX:
                named[str(key)] = value
            else:
                name = self._name(key)
                if name is not None:
                    named[name] = value
        items.clear()
        items.update(named)

    def _name(self, key: Any) -> str | None:
        """*key* as a name; None if its value is to be left out with it."""
        told = key
        for _ in range(limits.DEPTH):
            kind = type(told)
            if kind is str:
                return str(told)
            if kind is int or kind is bool or kind is float or told is None:
                told = integer(told) if kind is int else told
                return told if type(told) is str else orjson.dumps(told).decode("ascii")
            if self._inert and kind not in _INERT:
                raise NotInertError
            try:
                if issubclass(kind, (date, time)):
                    told = told.isoformat()
                    continue
                told = step_for(kind)(told, 0)
            except faults(Exception):  # as in _asked_for
                break
            if type(told) is list or type(told) is dict:
                break  # it has a form in JSON, but none that could be a name
        told = self._not_said(key, "")
        return None if told is _LEFT_OUT else str(told)

    def _not_said(self, value: object, key: str) -> Any:
        kind = type(value)
        if (key, id(kind)) not in self.unsaid:
            unsaid = Unsaid(key[:_SHOWN], name_of(kind)[:_SHOWN], self._leave_out)
            self.unsaid[key, id(kind)] = unsaid
        return _LEFT_OUT if self._leave_out else f"<{name_of(kind)[:_SHOWN]}>"


def _is_among(within: Any, one: object) -> bool:
    while within is not None:
        around, within = within
        if around is one:
            return True
    return False


def _leave_out(box: Any) -> None:
    if type(box) is list:
        box[:] = [one for one in box if one is not _LEFT_OUT]
    else:
        for name in [name for name, one in box.items() if one is _LEFT_OUT]:
            del box[name]


def _too_deep() -> TooLarge:
    return TooLarge(f"is nested over {limits.DEPTH} deep", limits.DEPTH)
