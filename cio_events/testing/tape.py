"""What a recorder gives the pipelines: it takes their calls, and remembers them."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from cio_events._calls.call import Call
from cio_events._calls.messages import Message, Receipt
from cio_events._calls.ulid import LETTERS, RANDOM_LETTERS, IdSource
from cio_events._pipeline.recording import Ended
from cio_events._process.callers import calling_line
from cio_events._wire.encode import call_of
from cio_events._wire.envelope import Envelope, accepted_at, ulid_of
from cio_events.signals import DroppedReason, FailedReason
from cio_events.testing.notes import Notes

if TYPE_CHECKING:
    from cio_events.errors import ParamError

# What a seeded clock shows first: the beginning of 2026 (UTC), in milliseconds.
_SEEDED_START = 1_767_225_600_000
_SEEDED_STEP = 1000

_SENT = 200


@dataclass(slots=True, eq=False)
class Entry:
    """
    A recorded call.

    Attributes:
        call: The call, made again from the bytes that would have been sent.

        where: The line that made it, as " at file:line", or nothing.

        asserted: Whether the test has looked at it.
    """

    call: Call
    where: str
    asserted: bool = False


@dataclass(slots=True)
class Failure:
    """How the next calls are to fail, and how many of them."""

    reason: FailedReason
    status: int | None
    detail: str | None
    times: int


class Tape:
    """
    A `cio_events._pipeline.recording.Recording`.

    Args:
        seed: As in `cio_events.testing.Recorder`.

    Attributes:
        entries: What was recorded, in order.

        notes: What was heard of records that made no call.

        failures: How the next calls are to fail.

        lenient: How many ask that a wrong record does not raise.
    """

    def __init__(self, seed: int | None) -> None:
        self._ids = IdSource() if seed is None else IdSource(_seeded(seed))
        self._clock = None if seed is None else itertools.count(_SEEDED_START, _SEEDED_STEP)
        self.entries: list[Entry] = []
        self.notes: Notes = Notes()
        self.failures: list[Failure] = []
        self.lenient: int = 0

    def clear(self) -> None:
        """Forget what was recorded."""
        self.entries.clear()
        self.failures.clear()
        self.notes = Notes()

    @property
    def raises(self) -> bool:
        """Whether a record of which no call can be made raises."""
        return not self.lenient

    @property
    def keeps_time(self) -> bool:
        """Whether its clock goes before the time at which a record was logged."""
        return self._clock is not None

    def now(self) -> int:
        """The time in Unix milliseconds."""
        return time.time_ns() // 1_000_000 if self._clock is None else next(self._clock)

    def new_id(self, milliseconds: int) -> str:
        """A ULID of that time."""
        return self._ids.new_id(milliseconds)

    def accepted(self, envelope: Envelope) -> Ended:
        """Record a call."""
        call, id_ = call_of(envelope), ulid_of(envelope)
        line = calling_line()
        self.entries.append(Entry(call, f", at {line}" if line else ""))
        self.notes.arrived = True
        failure = self.failures[0] if self.failures else None
        if failure is not None:
            failure.times -= 1
            if not failure.times:
                self.failures.remove(failure)
            return Ended(call, id_, failure.status, failure.reason, failure.detail)
        receipt = None
        if isinstance(call, Message):
            queued_at = datetime.fromtimestamp(accepted_at(envelope) / 1000, timezone.utc)
            receipt = Receipt(id_, queued_at)
        return Ended(call, id_, _SENT, receipt=receipt)

    def refused(self, call: Call | None, error: ParamError) -> None:
        """Note that no call could be made of something."""
        self.notes.refused(call, error)

    def dropped(self, call: Call, reason: DroppedReason) -> None:
        """Note that a pipeline has not accepted *call*."""
        self.notes.dropped(call, reason)


def _seeded(seed: int) -> Callable[[int], list[str]]:
    source = random.Random(seed)
    return lambda count: ["".join(source.choices(LETTERS, k=RANDOM_LETTERS)) for _ in range(count)]
