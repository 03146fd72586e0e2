"""The flushing thread: when there is a round of delivery, and who waits for it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from enum import Enum
from operator import length_hint
from queue import Empty
from typing import NamedTuple

from cio_events._delivery.blocked import Blocked, Caller
from cio_events._delivery.buffer import Adopter, Buffer
from cio_events._delivery.condition import Condition, ThreadState
from cio_events._delivery.destination import Destination
from cio_events._delivery.dispatcher import NEVER, Dispatcher
from cio_events._delivery.ledger import Ledger
from cio_events._delivery.outcomes import Outcomes
from cio_events._interrupts import faults, holds
from cio_events._process import exits
from cio_events._process.clock import monotonic
from cio_events._process.diagnostics import Diagnostics
from cio_events._process.mailbox import Mailbox
from cio_events._process.suppression import THREAD_NAME, without_capture
from cio_events._wire.envelope import Envelope
from cio_events.options import Options
from cio_events.signals import DroppedReason

# How often a paused destination is looked at when there is no flush_interval.
_SHORTEST_SLEEP = 0.05

# Before a round that follows one in which nothing could be sent.
_MOMENT = 0.005

# How long a caller who waits for room sleeps between looks at whether the pipeline was closed.
_BLOCKED_SECONDS = 1.0

# Between attempts to start a thread where none can be had.
_SECONDS_BETWEEN_STARTS = 1.0

# Somebody who waits for longer looks again; more than some weeks overflows what waits.
_LONGEST_SLEEP = 86_400.0


class _State(Enum):
    AWAKE = "awake"
    GATHERING = "gathering"
    PAUSED = "paused"
    IDLE = "idle"


# Looked up for each call.
_GATHERING, _IDLE = _State.GATHERING, _State.IDLE


class _Waiter(NamedTuple):
    is_done: Callable[[], bool]
    bell: Mailbox[None]


class Worker:
    """
    Delivers what the buffer holds, on a thread of its own, or on the caller's where none starts.

    Attributes:
        blocked: Callers that wait for room.

    Args:
        sender: The pipeline, as the sender of signals.

        destinations: Where calls go.

        adopter: Takes over the calls of processes that are gone; None where nobody does.

        threaded: Whether a thread may be started at all.
    """

    def __init__(
        self,
        sender: object,
        options: Options,
        buffer: Buffer,
        ledger: Ledger,
        diagnostics: Diagnostics,
        destinations: Sequence[Destination],
        *,
        adopter: Adopter | None = None,
        threaded: bool = True,
    ) -> None:
        self._options = options
        self._ledger = ledger
        self._diagnostics = diagnostics
        self._outcomes = Outcomes(sender, options, buffer, ledger, diagnostics)
        self._dispatcher = Dispatcher(
            options, buffer, ledger, self._outcomes, destinations, adopter
        )
        self._threaded = threaded
        # Bytes that fill a request, so that nothing is gained by waiting for more.
        self._full = min((each.sharing.room for each in destinations if each.sharing), default=0)
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()  # held by whoever starts the thread
        self._start_again_at = 0.0
        self._retiring = False
        self._urgent = False  # whether what is pending is to wait for no company
        self._turn = threading.RLock()  # held by whoever delivers
        self._deliverer: int | None = None
        self._bell: Mailbox[None] | None = None
        self._state = _State.AWAKE
        self._waiters: list[_Waiter] = []
        self.blocked = Blocked()

    # What other threads call.

    def notify(self) -> None:
        """Something was put into the buffer."""
        if self._thread is None:
            self._start()
        elif self._state is _IDLE or (
            self._state is _GATHERING and self._ledger.pending_bytes >= self._full
        ):
            self._ring()
        if self._dispatcher.over is not None:
            self.release(self._dispatcher.over)  # it came too late for the last round

    def wait_until(self, is_done: Callable[[], bool], timeout: float) -> bool:
        """
        Have what waits tried now, and wait until *is_done* says so, for at most *timeout* seconds.

        Where there is no thread, the caller's does the work.
        """
        end = monotonic() + timeout
        if self.runs_here():
            return is_done()  # a receiver: nothing moves while it waits
        waiter = _Waiter(is_done, Mailbox())
        self._waiters.append(waiter)
        try:
            if self._thread is None and not is_done():
                self._start()
            self._dispatcher.try_now()
            self.wake()
            while not is_done():
                left = end - monotonic()
                if left <= 0:
                    return False
                if self._thread is None:
                    if self._dispatcher.stopping:
                        return is_done()  # nothing moves any more
                    self._deliver_inline(end, is_done)
                else:
                    with suppress(Empty):
                        waiter.bell.get(timeout=min(left, _LONGEST_SLEEP))
            return True
        finally:
            self._waiters.remove(waiter)

    def wait_for_room(
        self,
        entering: Iterator[Envelope],
        admit: Callable[[], bool],
        is_open: Callable[[], bool],
    ) -> bool:
        """
        Wait until the call *entering* is admitted: first come, first served.

        Args:
            entering: The call, as long as it waits.

            admit: Lets it in, if there is room; returns whether there was.

            is_open: Whether it is of any use to wait.

        Returns:
            Whether it was admitted.
        """
        if self.runs_here() or self.blocked.admits_here():
            return False
        caller = Caller(entering, admit)
        try:
            self.blocked.callers.append(caller)
            while is_open():
                if self._thread is None:
                    self._start()
                self.wake()
                self.blocked.admit()
                if self._thread is None:
                    # Nobody else makes room.
                    self._deliver_inline(
                        monotonic() + _BLOCKED_SECONDS, lambda: caller not in self.blocked.callers
                    )
                    self.blocked.admit()
                with suppress(Empty):
                    if caller.bell.get(timeout=_BLOCKED_SECONDS if self._thread else 0):
                        break
        finally:
            self.blocked.leave(caller)
        return not length_hint(entering)

    def condition(self) -> Condition:
        """How delivery fares, for whoever looks into it; nothing is changed."""
        thread = self._thread
        state: ThreadState = "none" if thread is None else "runs"
        if thread is not None and not thread.is_alive() and self._bell is not None:
            state = "lost"
        elif thread is None and self._start_again_at and self._ledger.pending:
            state = "refused"
        bell = self._bell
        before_patch = state == "runs" and bell is not None and bell.made_before()
        return Condition(state, self._dispatcher.conditions(), before_patch=before_patch)

    def idle(self) -> bool:
        """
        Whether nothing is pending, what an earlier process left included, and all is announced.
        """
        return self._dispatcher.adopted and self._ledger.idle()

    def adopt(self) -> None:
        """Look now for calls that nobody delivers."""
        self._dispatcher.adopt_soon()
        self.notify()
        self.wake()

    def wake(self) -> None:
        """Deliver now what is pending."""
        self._urgent = True
        self._ring()

    def retire(self) -> None:
        """Have the thread end as soon as nothing is pending; the next call starts another."""
        if self._thread is not None:
            self._retiring = True
            self.wake()

    def runs_here(self) -> bool:
        """Whether this thread delivers or announces, so that it cannot wait for either."""
        return self._deliverer == threading.get_ident() or self._outcomes.announces_here()

    def detach(self) -> None:
        """
        In a forked child: leave everything to the parent.

        It matters where a receiver forks: the child returns into the delivery.
        """
        self._dispatcher.stopping = True

    def stop(self, timeout: float) -> None:
        """Begin no new request, and wait for the one under way for at most *timeout* seconds."""
        self._dispatcher.stop()
        self._ring()
        thread = self._thread
        # What a thread that was given up may still do is of no consequence.
        if (
            thread is not None
            and thread is not threading.current_thread()
            and self._dispatcher.over is None
        ):
            thread.join(min(timeout, _LONGEST_SLEEP))

    def release(self, reason: DroppedReason, end: float = NEVER) -> int:
        """
        Leave all that is pending to the spool, or give it up; returns how many were given up.

        The same holds for what is put into the buffer later. Receivers are told until *end*
        (`monotonic`).
        """
        lost = self._dispatcher.release(reason)
        self.blocked.look_again()
        self._outcomes.announce(end)
        self._tell_waiters()
        return lost

    def discard(self, reason: DroppedReason) -> None:
        """Give up all that is pending, what lies in the spool too; another may then deliver."""
        self._dispatcher.discard(reason)
        self.blocked.look_again()
        self._outcomes.announce()
        self._tell_waiters()

    def _start(self) -> None:
        # Not twice: an interrupt may log while this same thread is starting the other one.
        if monotonic() < self._start_again_at or holds(self._starting):
            return
        with self._starting:
            if (
                self._thread is not None
                or self._dispatcher.stopping
                or not self._threaded
                or exits.exiting()
            ):
                return
            # Here and not in __init__: gevent may have patched the process since then.
            self._bell = Mailbox()
            thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
            try:
                self._thread = thread
                _check_uwsgi()
                thread.start()
            except BaseException as error:
                self._thread = None
                self._ring()  # if it was started, it ends
                if not isinstance(error, faults(RuntimeError)):
                    raise
                self._start_again_at = monotonic() + _SECONDS_BETWEEN_STARTS
                self._diagnostics.warn_once(
                    "no thread",
                    f"no thread can be started ({error}); calls are sent when the pipeline is "
                    "flushed or the process ends. uWSGI needs the option enable-threads",
                )
                # The caller delivers then, perhaps in an exit hook: uWSGI's come too late to
                # import OpenSSL, and would crash.
                self._dispatcher.prepare()

    def _ring(self) -> None:
        self._state = _State.AWAKE
        if self._bell is not None:
            self._bell.put(None)

    # What runs on the flushing thread.

    def _run(self) -> None:
        if self._thread is not threading.current_thread():
            return  # an interrupt came while it was started, and it was given up
        without_capture(self._go_round)
        if self._ledger.pending:
            self._start()  # a call came while the thread retired

    def _go_round(self) -> None:
        try:
            while (
                not self._dispatcher.stopping
                and not (self._retiring and self.idle())
                and self._thread is threading.current_thread()
            ):
                self._sleep()
                self._urgent = False
                if not self._dispatcher.stopping:
                    self._round_safely(NEVER)
        finally:
            if self._thread is threading.current_thread():
                self._retiring = False
                self._thread = None
            self._tell_waiters()

    def _sleep(self) -> None:
        """Wait for something to do, and then for what may share its request."""
        if self.idle():
            self._state = _State.IDLE
            if self.idle():  # still, now that notify() rings
                self._listen(max(self._dispatcher.adopt_at - monotonic(), 0.0))
        if not self.idle():
            self._wait_for_company()
        self._state = _State.AWAKE

    def _wait_for_company(self) -> None:
        ready_at = self._dispatcher.ready_at()
        if ready_at:
            # What was taken from the buffer has waited.
            self._state = _State.PAUSED
            seconds = max(ready_at - monotonic(), _MOMENT)
            seconds = min(max(self._options.flush_interval, _SHORTEST_SLEEP), seconds)
        else:
            self._state = _State.GATHERING
            seconds = self._options.flush_interval
            if (
                self._urgent
                or self._waiters
                or self.blocked
                or exits.at_once
                or self._dispatcher.stopping
                or self._ledger.pending_bytes >= self._full
            ):
                seconds = 0.0
        self._listen(seconds)

    def _listen(self, seconds: float) -> None:
        """Wait until somebody rings, for at most so long."""
        bell = self._bell
        assert bell is not None  # noqa: S101 - made before the thread
        with suppress(Empty):
            bell.get(timeout=min(seconds, _LONGEST_SLEEP))
            while True:
                bell.get_nowait()

    def _deliver_inline(self, end: float, is_done: Callable[[], bool]) -> None:
        without_capture(self._round_safely, end)
        if not is_done():
            # Some destination is paused, or it is another thread's turn.
            time.sleep(max(min(end - monotonic(), _SHORTEST_SLEEP), 0.0))

    def _round_safely(self, end: float) -> None:
        if holds(self._turn):
            return
        try:
            # Waits for its turn only where a caller's thread and a new thread of ours meet.
            seconds = -1 if end == NEVER else max(end - monotonic(), 0)
            if not self._turn.acquire(timeout=seconds):
                return
            self._deliver(end)
        except faults(Exception) as error:
            # A fault of ours must not end the thread: what is pending stays, and is tried again.
            self._diagnostics.warn("fault", f"delivery was interrupted by {type(error).__name__}")
            self._dispatcher.postpone(self._options.retry_base)
        finally:
            try:  # noqa: SIM105 - one call, before which no interrupt comes
                self._turn.release()
            except RuntimeError:  # it was somebody else's
                pass
            self._tell_waiters()

    def _deliver(self, end: float) -> None:
        try:
            self._deliverer = threading.get_ident()
            for _ in self._dispatcher.run(end):
                self.blocked.admit()
                # Whoever woke for each request would take the interpreter from this thread.
                for waiter in list(self._waiters):
                    if waiter.is_done():
                        waiter.bell.put(None)
        finally:
            self._deliverer = None

    def _tell_waiters(self) -> None:
        for waiter in list(self._waiters):
            waiter.bell.put(None)


def _check_uwsgi() -> None:
    """Raise RuntimeError under a uWSGI that does not run threads, though it lets them start."""
    uwsgi = sys.modules.get("uwsgi")
    opt = getattr(uwsgi, "opt", {})
    if uwsgi is not None and not (opt.get("enable-threads") or opt.get("threads")):
        raise RuntimeError("uWSGI runs without threads")
