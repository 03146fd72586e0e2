"""Walk any Python value within a budget: what comes back is nothing but what JSON has."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain
from math import isfinite
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from cio_events._calls import limits
from cio_events._wire.natural import INT_MAX, INT_MIN, TooLarge, integer, name_of, step_for

_FLAT = frozenset({str, int, float, bool, type(None)})
# What runs no code but Python's own when it is made simpler.
_INERT = frozenset({date, datetime, Decimal, UUID, set, frozenset})

# What stands around the data of a call: names, and at most two identifiers.
AROUND = 1_000

# From how many containers of one type on they are looked at together.
_GROUP = 8

# A type's name may have any length, and so may a key.
_SHOWN = 100

NOTHING = object()
"""What stands for a value that is left out."""


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
        return f"holds a {ascii(self.kind)[1:-1]} that has no form in JSON; {sent}"


class Walk:
    """
    Copies a value into nothing but what JSON has, while its budget lasts.

    *each* has it look at each value alone, where looking at their types together raised; *inert*
    has it stop at a type that is not known to be inert.
    """

    __slots__ = (
        "_above",
        "_bytes",
        "_each",
        "_inert",
        "_leave_out",
        "_most_bytes",
        "_nodes",
        "_unsaid",
    )

    def __init__(
        self,
        unsaid: list[Unsaid],
        most_bytes: int,
        *,
        leave_out: bool,
        each: bool = False,
        inert: bool = False,
    ) -> None:
        self._inert = inert
        self._unsaid = unsaid
        self._each = each
        self._leave_out = leave_out
        self._most_bytes = most_bytes
        self._bytes = most_bytes + AROUND
        self._nodes = limits.NODES
        # The identities of the containers around a value, which tell a cycle.
        self._above: set[int] = set()

    def plain(self, value: Any, key: str, depth: int) -> Any:
        """*value*, which stands *depth* deep under *key*, as JSON has it."""
        kind = type(value)
        if kind is str:
            self._spend_bytes(len(value))
            return value
        if kind is float:
            if self._leave_out and not isfinite(value):
                return self._not_said(value, key)
            return value
        if kind is int or kind is bool or value is None:
            return value
        if depth >= limits.DEPTH:
            raise TooLarge(f"is nested over {limits.DEPTH} deep", limits.DEPTH)
        if kind is list or kind is tuple:
            if len(value) > self._nodes:
                raise self._too_many()
            return self._list(value, list(value), key, depth)
        if kind is dict:
            if len(value) > self._nodes:
                raise self._too_many()
            # The copy is atomic: another thread may be writing to the original.
            return self._dict(value, dict(value), key, depth)
        if self._inert and kind not in _INERT:
            raise TypeError
        if id(value) in self._above:
            return self._not_said(value, key)
        try:
            simpler = step_for(kind)(value, self._nodes)
        except TooLarge:
            raise
        except Exception:  # noqa: BLE001 - what an application's own types may raise
            return self._not_said(value, key)
        # Copied, since it may be the application's own.
        if type(simpler) is dict:
            return self._dict(value, dict(simpler), key, depth)
        if type(simpler) is list:
            return self._list(value, list(simpler), key, depth)
        return self.plain(simpler, key, depth + 1)

    def _list(self, value: object, copy: list[Any], key: str, depth: int) -> Any:
        """A list of what *value* holds, of which *copy* is ours."""
        self._nodes -= len(copy)
        if self._nodes < 0:
            raise self._too_many()
        if len(copy) >= _GROUP and not self._each:
            kinds = set(map(type, copy))
            if kinds <= _FLAT:
                if str in kinds:
                    self._spend_bytes(
                        sum(map(len, copy))
                        if len(kinds) == 1
                        else sum([len(one) for one in copy if type(one) is str])
                    )
                if not (self._leave_out and float in kinds):
                    return copy
            elif len(kinds) == 1:
                children = self._flat_children(copy, kinds, depth)
                if children is not None:
                    return children
        above, own = self._above, id(value)
        if own in above:
            return self._not_said(value, key)
        above.add(own)
        try:
            plain, deeper = self.plain, depth + 1
            for place, one in enumerate(copy):
                kind = type(one)
                if kind is str:
                    self._bytes -= len(one)
                elif kind is not int and kind is not bool and one is not None:
                    copy[place] = plain(one, key, deeper)
        except RecursionError:
            return self._not_said(value, key)
        finally:
            above.discard(own)
        self._spend_bytes(0)
        if self._leave_out and NOTHING in copy:
            copy = [one for one in copy if one is not NOTHING]
        return copy

    def _dict(self, value: object, copy: dict[Any, Any], key: str, depth: int) -> Any:
        """A dictionary of what *value* holds, of which *copy* is ours."""
        self._nodes -= len(copy)
        if self._nodes < 0:
            raise self._too_many()
        if self._each or not all(type(name) is str for name in copy):
            copy = self._with_text_keys(copy)
        self._bytes -= sum(map(len, copy))
        if self._bytes < 0:
            self._spend_bytes(0)
        if len(copy) >= _GROUP and not self._each:
            kinds = set(map(type, copy.values()))
            if kinds <= _FLAT:
                if str in kinds:
                    self._spend_bytes(sum([len(one) for one in copy.values() if type(one) is str]))
                if not (self._leave_out and float in kinds):
                    return copy
            elif len(kinds) == 1:
                children = self._flat_children(list(copy.values()), kinds, depth)
                if children is not None:
                    return dict(zip(copy, children, strict=True))
        above, own = self._above, id(value)
        if own in above:
            return self._not_said(value, key)
        above.add(own)
        try:
            plain, deeper = self.plain, depth + 1
            for name, one in copy.items():
                kind = type(one)
                if kind is str:
                    self._bytes -= len(one)
                elif kind is not int and kind is not bool and one is not None:
                    copy[name] = plain(one, name, deeper)
        except RecursionError:
            return self._not_said(value, key)
        finally:
            above.discard(own)
        self._spend_bytes(0)
        if self._leave_out:
            return {name: one for name, one in copy.items() if one is not NOTHING}
        return copy

    def _flat_children(self, group: list[Any], kinds: set[type], depth: int) -> list[Any] | None:
        """
        What *group* holds, if that is many containers of one type with plain values only.

        Looked at together, they cost a fraction of what each would alone.
        """
        (kind,) = kinds
        if (
            self._each
            or depth + 1 >= limits.DEPTH
            or not (kind is list or kind is tuple or kind is dict)
            # The set of them asks each type's own type.
            or not all(type(one) is kind for one in group)
        ):
            return None
        if sum(map(len, group)) > self._nodes:
            raise self._too_many()
        children: list[Any]
        names: list[Any] = []
        if kind is dict:
            children = list(map(dict, group))
            names = list(chain.from_iterable(children))
            if not all(type(name) is str for name in names):
                return None
            values = list(chain.from_iterable(map(dict.values, children)))
        else:
            children = list(map(list, group))
            values = list(chain.from_iterable(children))
        inner = set(map(type, values))
        if not inner <= _FLAT or (self._leave_out and float in inner):
            return None
        self._nodes -= len(values)
        if self._nodes < 0:
            raise self._too_many()
        self._spend_bytes(sum(map(len, names)))
        if str in inner:
            self._spend_bytes(sum([len(one) for one in values if type(one) is str]))
        return children

    def _with_text_keys(self, items: dict[Any, Any]) -> dict[str, Any]:
        # In one go, if no type of an application's can have said that it was int.
        if (
            items
            and all(type(key) is int for key in items)
            and INT_MIN <= min(items) <= max(items) <= INT_MAX
        ):
            return dict(zip(map(str, items), items.values(), strict=True))
        named = {}
        for key, value in items.items():
            name = key if type(key) is str else self._name(key)
            if name is not None:
                named[name] = value
        return named

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
            try:
                if issubclass(kind, (date, time)):
                    told = told.isoformat()
                    continue
                told = step_for(kind)(told, 0)
            except Exception:  # noqa: BLE001 - as in plain
                break
            if type(told) is list or type(told) is dict:
                break  # it has a form in JSON, but none that could be a name
        told = self._not_said(key, "")
        return None if told is NOTHING else str(told)

    def _not_said(self, value: object, key: str) -> Any:
        name = name_of(type(value))[:_SHOWN]
        self._unsaid.append(Unsaid(key[:_SHOWN], name, self._leave_out))
        if self._leave_out:
            return NOTHING
        return f"<{name}>"

    def _spend_bytes(self, count: int) -> None:
        self._bytes -= count
        if self._bytes < 0:
            raise TooLarge(f"is over {self._most_bytes} bytes as JSON", self._most_bytes)

    def _too_many(self) -> TooLarge:
        return TooLarge(f"holds over {limits.NODES} values", limits.NODES)
