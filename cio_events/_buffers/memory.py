"""Keep accepted calls in memory, as a pipeline without a spool does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from cio_events._buffers.failures import Failure
from cio_events._wire.envelope import Envelope


class MemoryBuffer:
    """
    A deque, whose ends are safe to use from any thread and any interrupt without a lock.

    What was taken is not kept here: the flushing thread has it.

    Attributes:
        enter: Keep calls. Any thread may call it, also from within a signal handler or a
            ``__del__`` that interrupted another: it is a function of C's, so that no interrupt
            comes in its midst, and neither waits nor raises.
    """

    def __init__(self) -> None:
        self._waiting: deque[Envelope] = deque()
        self.enter: Callable[[Iterable[Envelope]], None] = self._waiting.extend

    def take(self, most: int) -> list[Envelope]:
        """The next calls, oldest first."""
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(most, len(waiting)))]

    def forget(self, envelopes: Sequence[Envelope]) -> None:
        """Nothing to do."""

    def dead_letter(self, envelopes: Sequence[Envelope], failures: Sequence[Failure]) -> None:
        """Nothing to do: without a disk, the report in `cio_events.signals` is all there is."""

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

    def abandon(self) -> None:
        """Forget the parent's calls."""
        self._waiting.clear()
