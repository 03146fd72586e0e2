"""
Where accepted calls wait until their outcome is known: in memory, or in a spool on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cio_events.wire.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Failure:
    """
    Why a call failed for good.

    Attributes:
        reason: One of the reasons in `cio_events.signals`.

        status: The HTTP status that Customer.io answered with; None if it was not asked.

        detail: What Customer.io said; it may quote the call.
    """

    reason: str
    status: int | None
    detail: str | None


class Buffer(Protocol):
    """
    What the pipeline needs of the place where calls wait. Only the flushing thread takes.
    """

    def put(self, envelope: Envelope) -> None:
        """
        Keep one more call.

        Any thread may, also from within a signal handler or a ``__del__`` that interrupted
        another `put`. It neither waits for anything slow nor raises.
        """

    def take(self, most: int) -> list[Envelope]:
        """
        The next calls that were not taken yet, oldest first; they stay until `forget` or `bury`.
        """

    def forget(self, envelopes: Sequence[Envelope]) -> None:
        """
        These calls have arrived at Customer.io, or were given up.
        """

    def bury(self, envelope: Envelope, failure: Failure) -> None:
        """
        Give a call up that has failed for good; a buffer on disk keeps it as a dead letter.
        """
