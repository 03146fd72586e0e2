"""What the engine needs of the place where calls wait: a buffer, and who adopts others' calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cio_events._buffers.failures import Failure
from cio_events._wire.envelope import Envelope

# In seconds: soon enough for whoever resends dead letters and waits to see them go, at the cost
# of a look at one directory.
ADOPT_INTERVAL = 10.0


class Buffer(Protocol):
    """Hands out calls, and is told how each of them ends. Only the flushing thread takes."""

    def take(self, most: int) -> Sequence[Envelope]:
        """
        Return the next calls not taken yet, oldest first; they stay until they have ended.

        A `Bundle` comes alone, and may have more than *most*.
        """

    def forget(self, envelopes: Sequence[Envelope]) -> None:
        """These calls have arrived at Customer.io, or were given up."""

    def dead_letter(self, envelopes: Sequence[Envelope], failures: Sequence[Failure]) -> None:
        """Give calls up that have failed for good; a lasting buffer keeps them as dead letters."""

    def sending(self, envelope: Envelope) -> bool:
        """
        A request with this call, which must not be sent twice, is about to be made.

        Any thread may call this, `unsent` and `maybe_sent`.

        Returns:
            Whether it may be made: it is noted, for who adopts the call if this process dies.
        """

    def unsent(self, envelope: Envelope) -> None:
        """That request has certainly not arrived."""

    def maybe_sent(self, envelope: Envelope) -> bool:
        """Whether the process that left this call died when about to make such a request."""

    def close(self, taken: Sequence[Envelope], *, ending: bool = False) -> list[Envelope]:
        """
        Release all that is pending, *taken* or not; returns what is lost by that.

        Args:
            taken: What was taken and has not ended.

            ending: Whether the process ends, and this may come again for some late calls.
        """


class Adopter(Protocol):
    """Takes over the calls of processes that are gone, for its buffer to hand out."""

    @property
    def lost(self) -> int:
        """How many calls are gone with a damaged file."""

    @property
    def adopted(self) -> tuple[int, int]:
        """How many of the pending calls were adopted, and of how many bytes."""

    @property
    def behind(self) -> bool:
        """Whether `adopt` has left something for later, since it was too much at once."""

    def adopt(self) -> tuple[int, int]:
        """Take calls over; returns how many, and of how many bytes."""
