"""
Bundles, which are calls that came together as the body of one request; and a queue for both.

The functions here take a bundle or a list of calls, and answer for a bundle without taking it
apart. So only the room that makes bundles has to ask which of the two it has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import overload

from cio_events._wire.envelope import Envelope, Route, accepted_at

_ROUTE: Callable[[Envelope], int] = itemgetter(0)


class Bundle(Sequence[Envelope]):
    """
    Calls that share a request, as the body that it carries; it holds personal data.

    While it is sent as it is, nobody has to look at its calls. It is taken apart the first time
    that somebody does.

    Attributes:
        body: What a request carries.

        size: How many bytes its envelopes have.

        first: When the first of its calls was accepted, in Unix milliseconds.

    Args:
        count: How many calls there are.

        take_apart: Makes the envelopes of this bundle's calls.
    """

    def __init__(
        self,
        body: bytes,
        count: int,
        size: int,
        first: int,
        take_apart: Callable[[Bundle], list[Envelope]],
    ) -> None:
        self.body = body
        self.size = size
        self.first = first
        self._count = count
        self._take_apart = take_apart
        self._envelopes: list[Envelope] | None = None

    def __repr__(self) -> str:
        return f"<Bundle calls={self._count}>"

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Envelope: ...
    @overload
    def __getitem__(self, place: slice) -> list[Envelope]: ...
    def __getitem__(self, place: int | slice) -> Envelope | list[Envelope]:
        return self._all()[place]

    def __iter__(self) -> Iterator[Envelope]:
        return iter(self._all())

    def _all(self) -> list[Envelope]:
        if self._envelopes is None:
            self._envelopes = self._take_apart(self)
        return self._envelopes

    @property
    def is_whole(self) -> bool:
        """Whether nobody has looked at its calls yet."""
        return self._envelopes is None


def size_of(envelopes: Sequence[Envelope]) -> int:
    """How many bytes they have."""
    return envelopes.size if isinstance(envelopes, Bundle) else sum(map(len, envelopes))


def routes_of(envelopes: Sequence[Envelope]) -> Iterator[int]:
    """The first bytes of each, or of all alike."""
    return iter(Route.BATCH) if isinstance(envelopes, Bundle) else map(_ROUTE, envelopes)


def has_older(envelopes: Sequence[Envelope], born_before: int) -> bool:
    """Whether any of them was accepted before that (Unix milliseconds)."""
    if isinstance(envelopes, Bundle):
        return envelopes.first < born_before
    return any(accepted_at(one) < born_before for one in envelopes)


def common_body(envelopes: Sequence[Envelope]) -> bytes | None:
    """The body as which they came together; None if they came one by one."""
    return envelopes.body if isinstance(envelopes, Bundle) else None


class Queue:
    """What is part of no request yet, oldest first, while nothing waits for anything else."""

    def __init__(self) -> None:
        self._bundles: deque[Bundle] = deque()  # older than all others
        self._calls: deque[Envelope] = deque()

    def __bool__(self) -> bool:
        return bool(self._bundles or self._calls)

    def __len__(self) -> int:
        return sum(map(len, self._bundles)) + len(self._calls)

    def __iter__(self) -> Iterator[Envelope]:
        return chain(chain.from_iterable(self._bundles), self._calls)

    def add(self, envelopes: Sequence[Envelope]) -> None:
        """Have them wait behind all others."""
        if isinstance(envelopes, Bundle) and not self._calls:
            self._bundles.append(envelopes)
        else:
            self._calls += envelopes

    def put_back(self, envelopes: Sequence[Envelope]) -> None:
        """Have them wait before all others."""
        self._open()
        self._calls.extendleft(reversed(envelopes))

    def take(self, room: int, spared: int) -> Sequence[Envelope]:
        """
        Take what a request can carry, in *room* bytes without *spared* of each.

        Most calls go this way, so that it looks at no more than it must.
        """
        if self._bundles:
            first = self._bundles[0]
            if first.size - len(first) * spared <= room:
                return self._bundles.popleft()
            self._open()
        calls, count = self._calls, 0
        for envelope in calls:
            room -= len(envelope) - spared
            if room < 0 and count:
                break
            count += 1
        return [calls.popleft() for _ in range(count)]

    def take_older(self, born_before: int) -> list[Envelope]:
        """Take those accepted before that (Unix milliseconds), up to the first that was not."""
        if self._bundles and self._bundles[0].first < born_before:
            self._open()
        if self._bundles:
            return []
        calls, older = self._calls, []
        while calls and accepted_at(calls[0]) < born_before:
            older.append(calls.popleft())
        return older

    def clear(self) -> None:
        """Forget them."""
        self._bundles.clear()
        self._calls.clear()

    def _open(self) -> None:
        if self._bundles:
            self._calls.extendleft(reversed([*chain.from_iterable(self._bundles)]))
            self._bundles.clear()
