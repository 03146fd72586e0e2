"""What is kept of a call that has failed for good: why, and as a dead letter the call too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cio_events._calls.call import Call
from cio_events._exported import exported
from cio_events._wire.encode import remade
from cio_events._wire.envelope import Envelope


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


@exported
@dataclass(frozen=True, slots=True)
class DeadLetter:
    """
    A call that has failed for good.

    Attributes:
        id: The ULID under which it was accepted, which its log line shows as ``cio_event_id``.

        reason: Why it failed, as in `cio_events.signals.FailedReason`.

        status: The HTTP status that Customer.io answered with; None if it was not asked.

        detail: What Customer.io said; it may quote the call.

        failed_at: When it failed.

        envelope: The call, as it was to be sent.

        workspace: Whose call it is: a fingerprint of URLs, site id and key, from which none of
            them can be read; None where it is not known.
    """

    id: str
    reason: str
    status: int | None
    detail: str | None
    failed_at: datetime
    envelope: Envelope
    workspace: str | None = None

    def __repr__(self) -> str:
        return f"<DeadLetter {self.id} reason={self.reason} status={self.status}>"

    @property
    def call(self) -> Call | None:
        """The call, made again from what was to be sent; None where nothing can be read there."""
        return remade(self.envelope)
