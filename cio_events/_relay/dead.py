"""The dead letters of a partition, as who looks after them sees them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from cio_events._calls.ulid import IdSource
from cio_events._redis import entries
from cio_events._relay import letters, scripts
from cio_events._wire.envelope import accepted_anew

if TYPE_CHECKING:
    from cio_events._buffers.failures import DeadLetter
    from cio_events._relay.link import Link

# Read at once; one may have 100 kB.
_PAGE = 50


class DeadLetters:
    """Calls that have failed for good, oldest first."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def select(
        self, ids: Collection[str] | None = None, reason: str | None = None
    ) -> Iterator[DeadLetter]:
        """Those of these *ids*, None is all, that failed for that *reason*, None is any."""
        for _, letter in self._select(ids, reason):
            yield letter

    def reasons(self, ids: Collection[str] | None = None) -> Counter[str]:
        """How many there are of each reason."""
        return Counter(letter.reason for _, letter in self._select(ids, None))

    def resend(self, ids: Collection[str] | None = None, reason: str | None = None) -> int:
        """
        Publish them again, as if they had been accepted now; returns how many.

        What holds no call stays.
        """
        keys, count = self._link.keys, 0
        now = time.time_ns() // 1_000_000
        publisher = IdSource().new_id(now)
        for place, letter in self._select(ids, reason):
            if not letter.envelope:
                continue
            entry = entries.entry_of([accepted_anew(letter.envelope, now)], publisher, count + 1)
            flat = entries.encode(entry)
            size = sum(map(len, flat))
            count += self._link.run(
                scripts.RESEND,
                [keys.stream, keys.bytes, keys.counts, keys.dead],
                [place, size, *flat],
            )
        return count

    def discard(self, ids: Collection[str] | None = None, reason: str | None = None) -> int:
        """Delete them; returns how many."""
        places = (place for place, _ in self._select(ids, reason))
        count = 0
        while page := list(islice(places, _PAGE)):
            count += self._link.do("XDEL", self._link.keys.dead, *page)
        return count

    def _select(
        self, ids: Collection[str] | None, reason: str | None
    ) -> Iterator[tuple[bytes, DeadLetter]]:
        """Page by page those that are there now, not what is added meanwhile."""
        do, dead = self._link.do, self._link.keys.dead
        wanted = None if ids is None else {id_.upper() for id_ in ids}
        after = b"-"
        newest = do("XREVRANGE", dead, "+", "-", "COUNT", 1)
        last = newest[0][0] if newest else b"-"
        while True:
            page: Sequence[tuple[bytes, dict[bytes, bytes]]] = do(
                "XRANGE", dead, after, last, "COUNT", _PAGE
            )
            for place, found in page:
                letter = letters.read(place, found)
                if (wanted is None or letter.id in wanted) and reason in (None, letter.reason):
                    yield place, letter
            if len(page) < _PAGE:
                return
            after = b"(" + page[-1][0]
