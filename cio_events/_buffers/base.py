"""What a pipeline needs of the place where accepted calls wait: memory, or a spool on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from cio_events._buffers.failures import DeadLetter, Failure
from cio_events._wire.envelope import Envelope

# In seconds: soon enough for whoever resends dead letters and waits to see them go, at the cost
# of a look at one directory.
ADOPT_INTERVAL = 10.0


class Buffer(Protocol):
    """What the pipeline needs of the place where calls wait. Only the flushing thread takes."""

    @property
    def in_memory(self) -> int:
        """How many calls are not on the disk, though they should be."""

    @property
    def lost(self) -> int:
        """How many calls are gone with a damaged file."""

    @property
    def adopted(self) -> tuple[int, int]:
        """How many of the pending calls were adopted, and of how many bytes."""

    @property
    def behind(self) -> bool:
        """Whether `adopt` has left something for later, since it was too much at once."""

    @property
    def enter(self) -> Callable[[Iterable[Envelope]], None]:
        """
        Keep calls.

        Any thread may, also from within a signal handler or a ``__del__`` that interrupted
        another. It is a function of C's, so that no interrupt comes in its midst, and neither
        waits nor raises.
        """

    def write(self) -> None:
        """
        Bring what has entered to where it is to wait, which is nothing slow; it does not raise.

        Any thread may, as above, and as often as it likes.
        """

    def take(self, most: int) -> list[Envelope]:
        """Return the next calls not taken yet, oldest first; they stay until they have ended."""

    def forget(self, envelopes: Sequence[Envelope]) -> None:
        """These calls have arrived at Customer.io, or were given up."""

    def dead_letter(self, envelopes: Sequence[Envelope], failures: Sequence[Failure]) -> None:
        """Give calls up that have failed for good; a buffer on disk keeps them as dead letters."""

    def keep_refused(self, envelope: Envelope, failure: Failure) -> None:
        """
        Keep a call that never was put as a dead letter; a buffer on disk writes it before long.

        Any thread may, as with `enter`.
        """

    def adopt(self) -> tuple[int, int]:
        """
        Take over the calls of processes that are gone; returns how many, and of how many bytes.
        """

    def sending(self, envelope: Envelope) -> bool:
        """
        A request with this call, which must not be sent twice, is about to be made.

        Returns:
            Whether it may be: whoever comes after this process would know of it.
        """

    def unsent(self, envelope: Envelope) -> None:
        """That request has certainly not arrived."""

    def maybe_sent(self, envelope: Envelope) -> bool:
        """Whether such a request was about to be made when the process died that this is from."""

    def close(self, taken: Sequence[Envelope], *, ending: bool = False) -> list[Envelope]:
        """
        Release all that is pending, *taken* or not; returns what is lost by that.

        Args:
            taken: What was taken and has not ended.

            ending: Whether the process ends, and this may come again for some late calls.
        """

    def failures(self) -> Iterator[DeadLetter]:
        """The dead letters."""

    def resend(self, ids: Sequence[str] | None = None) -> int:
        """Make dead letters ready for `adopt`, those of these *ids* or all; returns how many."""

    def discard(self, ids: Sequence[str] | None = None) -> int:
        """Delete dead letters, those of these *ids* or all; returns how many."""

    def abandon(self) -> None:
        """In a forked child: leave everything to the parent, and start afresh."""
