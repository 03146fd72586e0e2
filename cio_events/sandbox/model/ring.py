"""The last so many of something, each with a number that it keeps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Kept = TypeVar("Kept")


class Ring(Generic[Kept]):
    """
    What was added last, at most so many, and at most so many bytes of it but for the last one.

    Numbers rise by one from 0 and are never given twice.
    """

    def __init__(self, most: int | None = None, most_bytes: int | None = None) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: deque[tuple[Kept, int]] = deque()
        self._bytes = 0
        self.left: int = 0
        """How many have gone again to make room; the number of the first one that is kept."""

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Kept]:
        return (item for item, _ in self._kept)

    @property
    def following(self) -> int:
        """The number that the next one gets."""
        return self.left + len(self._kept)

    def get(self, number: int) -> Kept | None:
        """The one with that number, unless it has gone."""
        place = number - self.left
        return self._kept[place][0] if 0 <= place < len(self._kept) else None

    def since(self, number: int) -> list[Kept]:
        """Those with that number and all later ones."""
        newest: list[Kept] = []
        for item, _ in reversed(self._kept):
            if self.following - len(newest) <= number:
                break
            newest.append(item)
        return newest[::-1]

    def add(self, item: Kept, size: int = 0) -> int:
        """Add one of that many bytes, and let old ones go if need be."""
        number = self.following
        self._kept.append((item, size))
        self._bytes += size
        while len(self._kept) > 1 and self._is_full():
            self._bytes -= self._kept.popleft()[1]
            self.left += 1
        return number

    def replace(self, number: int, item: Kept) -> None:
        """Put another one in the place of that number, unless it has gone."""
        place = number - self.left
        if 0 <= place < len(self._kept):
            self._kept[place] = item, self._kept[place][1]

    def _is_full(self) -> bool:
        too_many = self._most is not None and len(self._kept) > self._most
        return too_many or (self._most_bytes is not None and self._bytes > self._most_bytes)
