"""Keep accepted calls in memory, as a pipeline without a spool does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from cio_events._buffers.failures import Failure
from cio_events._wire.envelope import Envelope

if TYPE_CHECKING:
    from cio_events._buffers.failures import DeadLetter


class MemoryBuffer:
    """
    A deque, whose ends are safe to use from any thread and any interrupt without a lock.

    What was taken is not kept here: the flushing thread has it.
    """

    in_memory = 0  # all of them are, as they should be
    lost = 0
    adopted = (0, 0)
    behind = False

    def __init__(self) -> None:
        self._waiting: deque[Envelope] = deque()
        self.enter: Callable[[Iterable[Envelope]], None] = self._waiting.extend

    def write(self) -> None:
        """Nothing to do: they wait where they are."""

    def take(self, most: int) -> list[Envelope]:
        """The next calls, oldest first."""
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(most, len(waiting)))]

    def forget(self, envelopes: Sequence[Envelope]) -> None:
        """Nothing to do."""

    def dead_letter(self, envelopes: Sequence[Envelope], failures: Sequence[Failure]) -> None:
        """Nothing to do: without a disk, the report in `cio_events.signals` is all there is."""

    def keep_refused(self, envelope: Envelope, failure: Failure) -> None:
        """Nothing to do, for the same reason."""

    def adopt(self) -> tuple[int, int]:
        """Nothing: the memory of a process ends with it."""
        return 0, 0

    def sending(self, envelope: Envelope) -> bool:
        """It may go, since nobody will go on from here."""
        return True

    def unsent(self, envelope: Envelope) -> None:
        """Nothing to do."""

    def maybe_sent(self, envelope: Envelope) -> bool:
        """Never: what is here was accepted by this process."""
        return False

    def close(self, taken: Sequence[Envelope], *, ending: bool = False) -> list[Envelope]:
        """All of it."""
        return [*taken, *self.take(len(self._waiting))]

    def failures(self) -> Iterator[DeadLetter]:
        """None."""
        return iter(())

    def resend(self, ids: Sequence[str] | None = None) -> int:
        """None."""
        return 0

    def discard(self, ids: Sequence[str] | None = None) -> int:
        """None."""
        return 0

    def abandon(self) -> None:
        """Forget the parent's calls."""
        self._waiting.clear()
