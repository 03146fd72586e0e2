"""A request taken apart, its reply, and the table row that joins the two. No HTTP in here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import orjson

from cio_events.sandbox.model import checks, limits
from cio_events.sandbox.model import explanations as rules
from cio_events.sandbox.model.explanations import InvalidError

if TYPE_CHECKING:
    from cio_events.sandbox.model.records import Item
    from cio_events.sandbox.world.world import World


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request, parsed once."""

    size: int
    """In bytes."""
    parsed: Any
    """The strict JSON; the text if it is none; ``None`` without a body."""
    broken: str | None = None
    """Why it is no JSON."""

    deep: bool = False
    """Whether some of it has more levels than are taken; they are cut off here."""

    @classmethod
    def of(cls, raw: bytes) -> Body:
        """Parse it, if there is one."""
        if not raw:
            return cls(0, None)
        broken = None
        try:
            parsed = orjson.loads(raw)
            if checks.depth(parsed) <= limits.DEPTH:
                return cls(len(raw), parsed)
        except orjson.JSONDecodeError as error:
            broken = str(error)
        shown = _cut(raw)
        # orjson has a limit of its own, and refuses the whole for the sake of a part.
        if broken is None or len(shown) < len(raw):
            try:
                return cls(len(raw), orjson.loads(shown), deep=True)
            except orjson.JSONDecodeError as error:
                broken = str(error)
        return cls(len(raw), raw.decode(errors="replace"), broken)

    def json(self) -> Any:
        """The JSON, ``None`` without one; `InvalidError` if it is not JSON."""
        if self.broken is not None:
            message = f"the body is not JSON: {self.broken}"
            raise InvalidError(rules.NOT_JSON, "body", message, self.parsed)
        return self.parsed


# A text, as far as it goes, or what opens or closes a level.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)|[\[\]{}]', re.DOTALL)


def _cut(raw: bytes) -> bytes:
    """JSON with null for what lies deeper than is shown."""
    kept, level, start = [], 0, 0
    for token in _TOKEN.finditer(raw):
        first = raw[token.start()]
        if first in b"[{":
            level += 1
            if level == limits.DEPTH_SHOWN + 1:
                kept.append(raw[start : token.start()])
        elif first in b"]}":
            if level == limits.DEPTH_SHOWN + 1:
                kept.append(b"null")
                start = token.end()
            level -= 1
    return b"".join([*kept, raw[start:]]) if level == 0 else raw


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request to one of the vendor's paths: the path's parameters, the query and the body."""

    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Body
    items: list[Item] = field(default_factory=list)
    """What became of the calls in it, in their order."""

    def json(self) -> Any:
        """The body's JSON, ``None`` without one; `InvalidError` for what is none, or too deep."""
        parsed = self.body.json()
        if self.body.deep:
            checks.not_too_deep(parsed, "body")
        return parsed


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: JSON, or text, or nothing at all (``content=None``)."""

    status: int = 200
    content: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resource:
    """One path of Customer.io's: who may call it, what it does and how it refuses."""

    method: str
    path: str
    handle: Callable[[World, Arrival], Reply]
    refuse: Callable[[InvalidError], Reply]
    credentials: Literal["basic", "bearer"] | None
    kind: str | None = None
    """What it asks for; None where the operations in the body say."""
    many: bool = False
    """Whether the body holds a list of operations."""
