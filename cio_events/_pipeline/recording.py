"""
Where calls go instead of to Customer.io, while a test records them or may reach loopback alone.

A pipeline looks here before it lets a call in; `cio_events.testing` opens and closes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cio_events import signals
from cio_events._destinations.instead import instead
from cio_events._http import loopback
from cio_events.signals import DroppedReason, FailedReason, Report

if TYPE_CHECKING:
    from cio_events._calls.call import Call
    from cio_events._calls.messages import Receipt
    from cio_events._delivery.ledger import Ledger
    from cio_events._wire.envelope import Envelope
    from cio_events.errors import ParamError


@dataclass(frozen=True, slots=True)
class Ended:
    """How a recorded call ends: as sent, unless there is a *reason* for it to fail."""

    call: Call
    id: str
    status: int | None
    reason: FailedReason | None = None
    detail: str | None = None
    receipt: Receipt | None = None


class Recording(Protocol):
    """Who takes all calls of the process."""

    @property
    def raises(self) -> bool:
        """Whether a record of which no call can be made raises."""

    @property
    def keeps_time(self) -> bool:
        """Whether its clock goes before the time at which a record was logged."""

    def now(self) -> int:
        """The time, in Unix milliseconds."""

    def new_id(self, milliseconds: int) -> str:
        """A ULID of that time."""

    def accepted(self, envelope: Envelope) -> Ended | None:
        """Take a call that a pipeline has accepted; None if nobody is to hear of it."""

    def refused(self, call: Call | None, error: ParamError) -> None:
        """No call could be made of something."""

    def dropped(self, call: Call, reason: DroppedReason) -> None:
        """A pipeline has not accepted *call*."""


_opened: list[Recording] = []

current: Recording | None = None
"""Who records now: the one opened last; None where calls are delivered."""

only_looked_at: bool = False
"""Whether this process is only looked at, so that a pipeline makes no files either."""

on: bool = loopback.bound()
"""Whether there is anything to look at: looked up for each call, so that others cost no more."""


def open_(recording: Recording) -> None:
    """Have all pipelines hand their calls to *recording*."""
    _opened.append(recording)
    _look()


def close(recording: Recording) -> None:
    """Have them no more; it need not be the one opened last."""
    if recording in _opened:
        _opened.remove(recording)
    _look()


def bind(*, only_loopback: bool = True) -> None:
    """Let this process reach loopback alone, or no longer."""
    loopback.bind(only_loopback=only_loopback)
    _look()


def _look() -> None:
    global current, on
    current = _opened[-1] if _opened else None
    on = current is not None or loopback.bound()


def diverted() -> bool:
    """Whether calls need neither credentials nor leave: a test has said where they go."""
    return current is not None or instead.track is not None


def keeps_time() -> bool:
    """Whether the time at which a record was logged does not count."""
    return current is not None and current.keeps_time


def record(recording: Recording, sender: object, ledger: Ledger, envelope: Envelope) -> None:
    """Hand *envelope* to *recording*, and end it at once in the *ledger* and for receivers."""
    ended = recording.accepted(envelope)
    if ended is None:
        return
    report = Report(
        ended.call, ended.id, 1, ended.status, ended.reason, ended.detail, ended.receipt
    )
    if ended.reason is None:
        ledger.send()
        signals.announce(signals.sent, sender, report=report)
    else:
        ledger.fail(ended.reason)
        signals.announce(signals.failed, sender, report=report)
