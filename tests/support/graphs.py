"""
Arbitrary graphs of objects: cycles, aliases, subclasses, and classes whose methods lie or raise.
"""

from __future__ import annotations

import dataclasses
from collections import UserDict, UserList
from datetime import date, datetime, timedelta, timezone
from typing import Any

import numpy as np
from hypothesis import strategies as st


class BadHash(type):
    def __hash__(cls) -> int:
        raise RuntimeError("no hash")


class Liar(type):
    def __hash__(cls) -> int:
        return hash(str)

    def __eq__(cls, other: object) -> bool:
        return True


class Hashless(metaclass=BadHash):
    pass


class PretendsToBeText(metaclass=Liar):
    def __len__(self) -> int:
        raise RuntimeError("no length")


class BadClass:
    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise RuntimeError("no class")

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no attributes")


class BadDict(dict[Any, Any]):
    def items(self) -> Any:
        """Raise."""
        raise RuntimeError("no items")

    __iter__ = keys = __len__ = items  # type: ignore[assignment]


class BadList(list[Any]):
    def __iter__(self) -> Any:
        while True:
            yield self

    def __len__(self) -> int:
        return -1


class BadText(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __len__ = encode = isascii = __str__  # type: ignore[assignment]


class Endless(UserDict[Any, Any]):
    def items(self) -> Any:
        """Never end."""
        while True:
            yield object(), self


class BadDate(datetime):
    def utcoffset(self) -> Any:
        """Give what is no offset."""
        return "never"


@dataclasses.dataclass
class Node:
    left: Any
    right: Any


KINDS: list[Any] = [Hashless, PretendsToBeText, BadClass, BadText, BadDict, object]
LEAVES = st.one_of(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(),
    st.text(st.characters(exclude_categories=())),
    st.dates() | st.datetimes() | st.decimals() | st.uuids() | st.timedeltas(),
    st.integers(0, len(KINDS) - 1).map(lambda index: KINDS[index]),
    st.integers(0, len(KINDS) - 1).map(lambda index: KINDS[index]()),
    st.builds(Endless),
    st.builds(lambda: BadDate(2024, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
    st.builds(lambda: BadList([1])),
    st.sampled_from([np.float64("nan"), np.array([object()], dtype=object), date(1, 1, 1)]),
)


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    """Containers that hold each other, themselves and anything."""
    kinds = st.sampled_from([list, dict, BadDict, BadList, UserList, Node, tuple, set])
    nodes: list[Any] = draw(st.lists(LEAVES, min_size=1, max_size=6))
    for kind in draw(st.lists(kinds, max_size=9)):
        inner = [
            nodes[draw(st.integers(0, len(nodes) - 1))] for _ in range(draw(st.integers(0, 4)))
        ]
        if kind is Node:
            nodes.append(Node(nodes[-1], inner))
        elif issubclass(kind, dict):
            nodes.append(kind({draw(st.text(max_size=3) | st.integers()): one for one in inner}))
        elif kind is set:
            nodes.append({draw(st.text(max_size=3))})
        else:
            nodes.append(kind(inner))
    holders = [one for one in nodes if type(one) in (list, dict, Node)]
    for holder in holders:
        target = nodes[draw(st.integers(0, len(nodes) - 1))]
        if type(holder) is list:
            holder.append(target)
        elif type(holder) is dict:
            holder["more"] = target
        else:
            holder.left = target
    return nodes[-1]
