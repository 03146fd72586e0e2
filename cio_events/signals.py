"""
blinker signals that tell what became of every call, and what their receivers get.

The sender is the pipeline. `sent`, `failed` and `dropped` carry ``report``, a `Report`;
`retrying` carries ``retry``, a `Retry`. They are sent from the flushing thread; for a call that
the pipeline refuses from the caller's, and for what a close leaves undelivered from the closing
one. What receivers log is not captured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import blinker

from cio_events._calls.call import Call
from cio_events._exported import exported
from cio_events._interrupts import faults
from cio_events._process import diagnostics
from cio_events._process.suppression import mark_records, without_capture

if TYPE_CHECKING:
    from cio_events._calls.messages import Receipt

FailedReason: TypeAlias = Literal["invalid", "rejected", "too_large", "expired", "ambiguous"]
"""
Why a call failed for good.

- ``invalid``: no call can be made of the record
- ``rejected``: Customer.io refused it; ``status`` and ``detail`` are what it said
- ``too_large``: it is over one of Customer.io's limits, and was never sent
- ``expired``: it was older than ``max_age`` before it could be delivered
- ``ambiguous``: a message that Customer.io may have received or not; it is not sent again
"""

DroppedReason: TypeAlias = Literal[
    "full", "unconfigured", "disabled", "before_send", "closed", "exit", "damaged"
]
"""
Why a call was given up without asking Customer.io.

- ``full``: ``max_pending`` or ``max_pending_bytes`` was reached
- ``unconfigured``: there are no credentials, or a setting cannot be read
- ``disabled``: the pipeline has ``enabled=False``, or the process may reach loopback alone
- ``before_send``: ``before_send`` returned None, or raised
- ``closed``: the pipeline was closed
- ``exit``: the interpreter ended before it could be delivered
- ``damaged``: it was in a spool file that is damaged; which call it was is not known, so that
  there is a count and no signal
"""

RetryReason: TypeAlias = Literal[
    "no_connection", "no_answer", "rate_limited", "server_error", "held"
]
"""
Why a request will be sent again.

- ``no_connection``: Customer.io could not be reached
- ``no_answer``: the connection broke, or no answer came in time
- ``rate_limited``: status 429
- ``server_error``: status 408 or 5xx, or an answer that makes no sense
- ``held``: credentials, region or URL are wrong; nothing is lost while they are
"""


@exported
@dataclass(frozen=True, slots=True)
class Report:
    """
    What became of one call.

    Attributes:
        call: The call, made again from what was sent; None if none could be made of the record.

        id: The ULID under which it was accepted, which its log line shows as ``cio_event_id``.

        attempts: How many requests it was part of.

        status: The HTTP status of the last answer; None if there was none.

        reason: A `FailedReason` or `DroppedReason`; None for a call that was sent.

        detail: What Customer.io said of it, or which parameter is wrong. It may quote the call.

        receipt: Customer.io's receipt of a transactional message.

        to: Where the call went or was to go.
    """

    call: Call | None
    id: str
    attempts: int
    status: int | None = None
    reason: FailedReason | DroppedReason | None = None
    detail: str | None = None
    receipt: Receipt | None = None
    to: Literal["customer.io", "redis"] = "customer.io"

    def __repr__(self) -> str:
        return f"<Report {self.id} reason={self.reason} status={self.status}>"


@exported
@dataclass(frozen=True, slots=True)
class Retry:
    """
    A request that will be sent again.

    Attributes:
        reason: A `RetryReason`.

        status: The HTTP status of the answer; None if there was none.

        attempt: How often it has been sent, 1 or more.

        delay: How long until it is sent again, in seconds.

        calls: How many calls it carries.

        detail: What is known of the cause: what the server or the system said. It may quote a
            call.
    """

    reason: RetryReason
    status: int | None
    attempt: int
    delay: float
    calls: int
    detail: str | None = field(default=None, repr=False)


_namespace = blinker.Namespace()

sent: blinker.NamedSignal = _namespace.signal("sent")
failed: blinker.NamedSignal = _namespace.signal("failed")
dropped: blinker.NamedSignal = _namespace.signal("dropped")
retrying: blinker.NamedSignal = _namespace.signal("retrying")


def announce(signal: blinker.NamedSignal, sender: object, **kwargs: object) -> None:
    """Send *signal*; a receiver that raises starves none of the others."""
    if not signal.receivers or signal.is_muted:
        return
    mark_records()
    without_capture(_tell_receivers, signal, sender, kwargs)


def _tell_receivers(
    signal: blinker.NamedSignal, sender: object, kwargs: dict[str, object]
) -> None:
    fatal: BaseException | None = None
    for receiver in list(signal.receivers_for(sender)):
        try:
            receiver(sender, **kwargs)
        except faults(Exception, SystemExit) as error:
            diagnostics.warn_once(
                f"receiver of {signal.name}",
                f"a receiver of the signal {signal.name!r} raised {type(error).__name__}",
            )
        except BaseException as error:  # noqa: BLE001 - after all others, raised again
            fatal = error
    if fatal is not None:
        raise fatal
