"""The dead letters of all partitions, as who looks after them sees them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING

from cio_events._calls.ulid import IdSource
from cio_events._redis import barriers, entries, routing
from cio_events._redis.barriers import place_of
from cio_events._redis.keys import Keys
from cio_events._relay import letters, number, scripts
from cio_events._relay.barrier import place_marks
from cio_events._wire.envelope import accepted_anew
from cio_events.errors import ParamError

if TYPE_CHECKING:
    from cio_events._buffers.failures import DeadLetter
    from cio_events._relay.link import Link

# Read at once; one may have 100 kB.
_PAGE = 50

_OTHER_NUMBER = -1


class DeadLetters:
    """Calls that have failed for good, oldest first."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def select(
        self, ids: Collection[str] | None = None, reason: str | None = None
    ) -> Iterator[DeadLetter]:
        """Those of these *ids*, None is all, that failed for that *reason*, None is any."""
        for _, _, letter in self._select(ids, reason):
            yield letter

    def reasons(self, ids: Collection[str] | None = None) -> Counter[str]:
        """How many there are of each reason."""
        return Counter(letter.reason for _, _, letter in self._select(ids, None))

    def resend(self, ids: Collection[str] | None = None, reason: str | None = None) -> int:
        """
        Publish them again, as if they had been accepted now; returns how many.

        What holds no call stays.

        Raises:
            ParamError: The number of partitions is being changed.

            redis.RedisError, OSError: Redis cannot be asked, or refuses.
        """
        every, count = number.each(self._link), 0
        now = time.time_ns() // 1_000_000
        publisher = IdSource().new_id(now)
        for keys, place, letter in self._select(ids, reason):
            if not letter.envelope:
                continue
            entry = entries.entry_of([accepted_anew(letter.envelope, now)], publisher, count + 1)
            (step,) = routing.steps([letter.envelope], len(every))
            bars = step.barrier and keys == every[0]
            flat = (barriers.encode_barrier if bars else entries.encode)(entry)
            size = sum(map(len, flat))
            id_ = self._link.run(
                scripts.RESEND,
                [keys.stream, keys.bytes, keys.counts, keys.dead, keys.partitions],
                [place, size, len(every), *flat],
            )
            if id_ == _OTHER_NUMBER:
                raise ParamError("relay_partitions", "is being changed in Redis: try again")
            count += bool(id_)
            if id_ and bars:
                place_marks(self._link, every, id_)
        return count

    def discard(self, ids: Collection[str] | None = None, reason: str | None = None) -> int:
        """Delete them; returns how many."""
        found, count = self._select(ids, reason), 0
        while page := list(islice(found, _PAGE)):
            by_keys: dict[Keys, list[bytes]] = {}
            for keys, place, _ in page:
                by_keys.setdefault(keys, []).append(place)
            for keys, places in by_keys.items():
                count += self._link.do("XDEL", keys.dead, *places)
        return count

    def _select(
        self, ids: Collection[str] | None, reason: str | None
    ) -> Iterator[tuple[Keys, bytes, DeadLetter]]:
        wanted = None if ids is None else {id_.upper() for id_ in ids}
        every = number.each(self._link)
        # Their places tell when they came.
        for keys, place, letter in merge(
            *map(self._read, every), key=lambda found: (place_of(found[1]), found[0].partition)
        ):
            if (wanted is None or letter.id in wanted) and reason in (None, letter.reason):
                yield keys, place, letter

    def _read(self, keys: Keys) -> Iterator[tuple[Keys, bytes, DeadLetter]]:
        """Page by page those of one partition that are there now, not what is added meanwhile."""
        do = self._link.do
        after = b"-"
        newest = do("XREVRANGE", keys.dead, "+", "-", "COUNT", 1)
        last = newest[0][0] if newest else b"-"
        while True:
            page: Sequence[tuple[bytes, dict[bytes, bytes]]] = do(
                "XRANGE", keys.dead, after, last, "COUNT", _PAGE
            )
            for place, found in page:
                yield keys, place, letters.read(place, found)
            if len(page) < _PAGE:
                return
            after = b"(" + page[-1][0]
