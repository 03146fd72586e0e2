"""
What the end of its process does to a pipeline: it delivers in time, and then gives up the rest.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from cio_events._delivery.ledger import Ledger
from cio_events._delivery.refusals import Refusals
from cio_events._delivery.worker import Worker
from cio_events._process import exits
from cio_events._process.clock import monotonic
from cio_events._process.diagnostics import Diagnostics
from cio_events.options import Options

# How much of exit_timeout receivers may take to hear of what was given up.
_SHARE_OF_RECEIVERS = 0.5


class EndOfProcess:
    """
    The part of a pipeline that `cio_events._process.exits` tells of the end.
    """

    options: Options
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
        """
        Begin to deliver what is pending, without waiting for company or for the outcome.
        """
        self._worker.wake()

    def flush_in_time(self, started: float, timeout: float | None = None) -> bool:
        """
        Deliver what is pending.

        Args:
            started: When the time began (`time.monotonic`).

            timeout: Seconds from then on; None is the option ``exit_timeout``.
        """
        # Who presses Ctrl-C during an exit does not want to wait, and no traceback either.
        with suppress(KeyboardInterrupt):
            return self.flush(self._left(started, timeout))
        return False

    def deliver_before_exit(self, started: float, timeout: float | None = None) -> None:
        """
        Do the same for the last time: the rest stays in the spool, or is dropped as ``exit``.

        What is logged still later, from other exit hooks, is delivered by its own caller.
        """
        delivered = self.flush_in_time(started, timeout)
        # No thread survives what comes now.
        self._worker.stop(self._left(started, timeout) if delivered else 0.0)
        self._give_up()
        self._refusals.say_in_all()
        self._worker = self._new_worker(threaded=False)
        self._exit_left = self._left(started, timeout)

    def _left(self, started: float, timeout: float | None) -> float:
        budget = self.options.exit_timeout if timeout is None else timeout
        return max(started + budget - time.monotonic(), 0.0)

    def _expect_exit(self) -> None:
        self._expects_exit = True
        exits.expect_exit(self)
        if exits.exiting():
            self._exit_left = self.options.exit_timeout

    def _deliver_late(self, left: float) -> None:
        if self._worker.runs_here():
            return  # who delivers below us goes on with this call
        started = time.monotonic()
        # What is needed to send has begun to go, once the interpreter is taken apart.
        delivered = not sys.is_finalizing() and self.flush_in_time(started, left)
        # Only what is spent here counts; other exit hooks may take their time.
        self._exit_left = max(left - (time.monotonic() - started), 0.0)
        if delivered:
            self._close_endpoints()
        else:
            self._give_up()

    def _give_up(self) -> None:
        # Receivers that take their time must not put the end off without an end.
        until = monotonic() + self.options.exit_timeout * _SHARE_OF_RECEIVERS
        lost = self._worker.release("exit", until)
        if lost:
            self._diagnostics.warn(
                "exit", f"{lost} calls could not be delivered before the exit and are lost"
            )
        elif self._ledger.pending and self.options.spool is not None:
            self._diagnostics.warn(
                "exit",
                f"{self._ledger.pending} calls could not be delivered before the exit and stay "
                "in the spool",
            )
        self._close_endpoints()
