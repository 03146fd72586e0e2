"""
What a pipeline does at the end of its process: deliver in time, and then give up the rest.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from cio_events import signals
from cio_events._delivery.ledger import Ledger
from cio_events._delivery.refusals import Refusals
from cio_events._delivery.worker import Worker
from cio_events._process import exits
from cio_events._process.clock import monotonic
from cio_events._process.diagnostics import Diagnostics, calls
from cio_events.options import Options

if TYPE_CHECKING:
    from cio_events._destinations.chosen import Destinations

# How much of the time for the exit is kept for receivers who hear of what is given up.
_SHARE_OF_RECEIVERS = 0.25


class EndOfProcess:
    """The part of a pipeline that `cio_events._process.exits` tells of the end."""

    options: Options
    _destinations: Destinations
    _worker: Worker
    _ledger: Ledger
    _diagnostics: Diagnostics
    _refusals: Refusals
    _expects_exit: bool
    _exit_left: float | None

    if TYPE_CHECKING:  # the pipeline has these

        def flush(self, timeout: float | None = None) -> bool:
            """Deliver now what is pending, and wait for it."""

        def _new_worker(self, *, threaded: bool) -> Worker: ...

        def _close_endpoints(self) -> None: ...

    def wake(self) -> None:
        """Begin to deliver what is pending, without waiting for company or for the outcome."""
        self._worker.wake()

    def flush_in_time(self, started: float, timeout: float | None = None) -> bool:
        """
        Deliver what is pending.

        Args:
            started: When the time began (`monotonic`).

            timeout: Seconds from then on; None is the option ``exit_timeout``.
        """
        # Who presses Ctrl-C during an exit does not want to wait, and no traceback either.
        with suppress(KeyboardInterrupt):
            return self.flush(max(self._end(started, timeout) - monotonic(), 0.0))
        return False

    def say_pending(self) -> None:
        """Say how much could not be delivered in time, and what becomes of it."""
        pending, late = self._ledger.pending, "could not be delivered before the end and"
        if self.options.spool is not None:
            told = calls(pending, f"{late} stays in the spool", f"{late} stay in the spool")
        else:
            told = calls(
                pending,
                f"{late} is lost if nothing else delivers it",
                f"{late} are lost if nothing else delivers them",
            )
        if pending:
            self._diagnostics.warn("in time", told)

    def forget_pending(self) -> None:
        """Give up what is pending, as ``closed``, and go on with what comes later."""
        for destination in self._destinations:
            destination.give_up()
        self._worker.stop(0.0)
        self._worker.discard("closed")
        self._worker = self._new_worker(threaded=True)

    def deliver_before_exit(self, started: float, timeout: float | None = None) -> None:
        """
        Deliver what is pending for the last time.

        What is left then stays in the spool, or is dropped as ``exit``.

        What is logged still later, from other exit hooks, is delivered by its own caller.
        """
        end = self._end(started, timeout)
        delivered = self._flush_until(end)
        # No thread survives what comes now.
        self._worker.stop(max(end - monotonic(), 0.0) if delivered else 0.0)
        self._give_up(end)
        self._refusals.say_in_all()
        self._worker = self._new_worker(threaded=False)
        self._exit_left = max(end - monotonic(), 0.0)

    def _end(self, started: float, timeout: float | None) -> float:
        return started + (self.options.exit_timeout if timeout is None else timeout)

    def _flush_until(self, end: float) -> bool:
        """Deliver what is pending, and leave receivers time to hear of the rest until *end*."""
        started = monotonic()
        left = max(end - started, 0.0)
        if self.options.spool is None and signals.dropped.has_receivers_for(self):
            left *= 1 - _SHARE_OF_RECEIVERS
        return self.flush_in_time(started, left)

    def _expect_exit(self) -> None:
        exits.expect_exit(self)
        self._expects_exit = True
        if exits.exiting():
            self._exit_left = self.options.exit_timeout

    def _deliver_late(self, left: float) -> None:
        if self._worker.runs_here():
            return  # who delivers below us goes on with this call
        end = monotonic() + left
        # What is needed to send has begun to go, once the interpreter is taken apart.
        delivered = not sys.is_finalizing() and self._flush_until(end)
        if delivered:
            self._close_endpoints()
        else:
            self._give_up(end)
        # Only what is spent here counts; other exit hooks may take their time.
        self._exit_left = max(end - monotonic(), 0.0)

    def _give_up(self, end: float) -> None:
        """Leave what is pending to the spool, or give it up; receivers are told until *end*."""
        lost = self._worker.release("exit", end)
        late = "could not be delivered before the exit and"
        if lost:
            self._diagnostics.warn("exit", calls(lost, f"{late} is lost", f"{late} are lost"))
        elif self._ledger.pending and self.options.spool is not None:
            left = calls(
                self._ledger.pending, f"{late} stays in the spool", f"{late} stay in the spool"
            )
            self._diagnostics.warn("exit", left)
        self._close_endpoints()
