"""The last so many of something, each with a number that it keeps."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
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
        # By their numbers. Of a dict, the first is ever slower to find when many have gone.
        self._kept: OrderedDict[int, tuple[Kept, int]] = OrderedDict()
        self._bytes = 0
        self.following: int = 0
        """The number that the next one gets."""
        self.left: int = 0
        """How many have gone again to make room."""

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Kept]:
        return (item for item, _ in self._kept.values())

    @property
    def first(self) -> int:
        """The number of the first one that is kept; of the next one, if there is none."""
        return next(iter(self._kept), self.following)

    def get(self, number: int) -> Kept | None:
        """The one with that number, unless it has gone."""
        found = self._kept.get(number)
        return None if found is None else found[0]

    def since(self, number: int) -> list[Kept]:
        """Those with that number and all later ones."""
        newest: list[Kept] = []
        for its_number, (item, _) in reversed(self._kept.items()):
            if its_number < number:
                break
            newest.append(item)
        return newest[::-1]

    def add(self, item: Kept, size: int = 0) -> int:
        """Add one of that many bytes, and let old ones go if need be."""
        number = self.following
        self._kept[number] = item, size
        self.following += 1
        self._bytes += size
        while len(self._kept) > 1 and self._is_full():
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= gone
            self.left += 1
        return number

    def replace(self, number: int, item: Kept) -> None:
        """Put another one in the place of that number, unless it has gone."""
        if number in self._kept:
            self._kept[number] = item, self._kept[number][1]

    def forget(self, is_meant: Callable[[Kept], bool]) -> None:
        """Let those go that are meant; the others keep their numbers."""
        for number in [number for number, (item, _) in self._kept.items() if is_meant(item)]:
            self._bytes -= self._kept.pop(number)[1]

    def _is_full(self) -> bool:
        too_many = self._most is not None and len(self._kept) > self._most
        return too_many or (self._most_bytes is not None and self._bytes > self._most_bytes)
