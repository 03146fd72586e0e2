"""A request taken apart, its reply, and the table row that joins the two. No HTTP in here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import orjson

from cio_events.sandbox.model.invalid import InvalidError

if TYPE_CHECKING:
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

    @classmethod
    def of(cls, raw: bytes) -> Body:
        """Parse it, if there is one."""
        if not raw:
            return cls(0, None)
        try:
            return cls(len(raw), orjson.loads(raw))
        except orjson.JSONDecodeError as broken:
            return cls(len(raw), raw.decode(errors="replace"), str(broken))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request to one of the vendor's paths: the path's parameters, the query and the body."""

    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Body

    def json(self) -> Any:
        """The body's JSON, ``None`` without one; `InvalidError` if it is not JSON."""
        if self.body.broken is not None:
            raise InvalidError("invalid", "body", f"the body is not JSON: {self.body.broken}")
        return self.body.parsed


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
