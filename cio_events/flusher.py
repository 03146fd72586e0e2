"""
The flushing thread: when calls leave, and in which requests.

What an answer means is decided in `cio_events.delivery`, who may travel beside whom in
`cio_events.lanes`; who is told what became of them in `cio_events.outcomes`.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

from cio_events.buffers import ADOPT_INTERVAL, Buffer
from cio_events.delivery import Delivered, Hold, Job, Refused, Split, TryAgain, Verdict, deliver
from cio_events.diagnostics import Diagnostics
from cio_events.http import Endpoint
from cio_events.lanes import Chain, Lane
from cio_events.ledger import Ledger
from cio_events.lifecycle import exiting
from cio_events.options import Options
from cio_events.origin import marked_as_ours
from cio_events.outcomes import Outcomes
from cio_events.signals import DroppedReason
from cio_events.wire import v2
from cio_events.wire.envelope import Envelope, Route

# What may be in the lanes, beside a spool of any size; about 30 MB.
_TAKE_MOST = 100_000

# Requests under way at once, where each call is one: enough to hide the round trip, far below
# what Customer.io calls fair use.
_AT_ONCE = 8

# How often a paused lane is looked at when there is no flush_interval.
_SHORTEST_SLEEP = 0.05

# Between attempts to start a thread where none can be had.
_SECONDS_BETWEEN_STARTS = 1.0

# Somebody who waits for longer looks again; more than some weeks overflows what waits.
_LONGEST_SLEEP = 86_400.0

# Short, and still a time that a request can be given.
_SHORTEST_TIMEOUT = 0.001

_APP_BYTE = Route.APP[0]

NEVER = float("inf")


class _State(Enum):
    AWAKE = "awake"
    GATHERING = "gathering"
    PAUSED = "paused"
    IDLE = "idle"


# Looked up for each call.
_GATHERING, _IDLE = _State.GATHERING, _State.IDLE


class Flusher:
    """
    Delivers what the buffer holds, on a thread of its own, or on the caller's where none starts.

    Args:
        sender: The pipeline, as the sender of signals.

        endpoints: Of the Track and the App API; None without credentials.

        threaded: Whether a thread may be started at all.
    """

    def __init__(
        self,
        sender: object,
        options: Options,
        buffer: Buffer,
        ledger: Ledger,
        diagnostics: Diagnostics,
        endpoints: tuple[Endpoint | None, Endpoint | None],
        *,
        threaded: bool = True,
    ) -> None:
        self._options = options
        self._buffer = buffer
        self._ledger = ledger
        self._diagnostics = diagnostics
        self._outcomes = Outcomes(sender, options, buffer, ledger, diagnostics)
        self._track, self._app = self._lanes = (
            Lane("Track", endpoints[0]),
            Lane("App", endpoints[1]),
        )
        # Guards the lanes against a close that could not wait for the request under way. Never
        # held while the application's code runs.
        self._moving = threading.RLock()
        self._over: DroppedReason | None = None
        self._threaded = threaded
        self._adopt_at = 0.0
        self._adopted = options.spool is None or not options.enabled
        self._lost = 0  # calls of a damaged spool that the ledger knows of
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()  # held by whoever starts the thread
        self._start_again_at = 0.0
        self._turn = threading.Lock()  # held by whoever delivers
        self._deliverer: int | None = None
        self._bell: queue.SimpleQueue[None] | None = None
        self._state = _State.AWAKE
        self._stopping = False
        self._waiters: list[queue.SimpleQueue[None]] = []

    # What other threads call.

    def notice(self) -> None:
        """
        Something was put into the buffer.
        """
        if self._thread is None:
            self._start()
        elif self._state is _IDLE or (
            self._state is _GATHERING and self._ledger.pending_bytes >= v2.BATCH_ROOM
        ):
            self._ring()
        if self._over is not None:
            self.let_go(self._over)  # it came too late for the last round

    def wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """
        Hurry, and wait until *condition* holds, for at most *timeout* seconds.

        Where there is no thread, the caller's does the work.
        """
        end = time.monotonic() + timeout
        if self.runs_here():
            return condition()  # a receiver: nothing moves while it waits
        waiter: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._waiters.append(waiter)
        try:
            if self._thread is None and not condition():
                self._start()
            self._ring()
            while not condition():
                left = end - time.monotonic()
                if left <= 0:
                    return False
                if self._thread is None:
                    if self._stopping:
                        return condition()  # nothing moves any more
                    self._deliver_inline(end, condition)
                else:
                    with suppress(queue.Empty):
                        waiter.get(timeout=min(left, _LONGEST_SLEEP))
            return True
        finally:
            self._waiters.remove(waiter)

    def quiet(self) -> bool:
        """
        Whether nothing is pending, what an earlier process left included, and all is announced.
        """
        return self._adopted and self._ledger.quiet()

    def adopt(self) -> None:
        """
        Look now for calls that nobody delivers.
        """
        self._adopt_at = 0.0
        self._adopted = False
        self.notice()
        self._ring()

    def hurry(self) -> None:
        """
        Deliver now what is pending.
        """
        self._ring()

    def runs_here(self) -> bool:
        """
        Whether this thread delivers or announces, so that it cannot wait for either.
        """
        return self._deliverer == threading.get_ident() or self._outcomes.announces_here()

    def disown(self) -> None:
        """
        In a forked child: leave everything to the parent.

        It matters where a receiver forks: the child returns into the delivery.
        """
        self._stopping = True

    def stop(self, timeout: float) -> None:
        """
        Begin no new request, and wait for the one under way for at most *timeout* seconds.
        """
        self._stopping = True
        self._ring()
        thread = self._thread
        # What a thread that was given up may still do is of no consequence.
        if thread is not None and thread is not threading.current_thread() and self._over is None:
            thread.join(min(timeout, _LONGEST_SLEEP))

    def _start(self) -> None:
        # Not blocking: an interrupt may log while this same thread is starting the other one.
        if time.monotonic() < self._start_again_at or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is not None or self._stopping or not self._threaded or exiting():
                return
            # Here and not in __init__: gevent may have patched the process since then.
            self._bell = queue.SimpleQueue()
            thread = threading.Thread(target=self._run, name="cio_events", daemon=True)
            self._thread = thread
            try:
                _check_uwsgi()
                thread.start()
            except BaseException as error:
                self._thread = None
                if not isinstance(error, RuntimeError):
                    raise
                self._start_again_at = time.monotonic() + _SECONDS_BETWEEN_STARTS
                self._diagnostics.warn_once(
                    "no thread",
                    f"no thread can be started ({error}); calls are sent when the pipeline is "
                    "flushed or the process ends. uWSGI needs the option enable-threads",
                )
        finally:
            self._starting.release()

    def _ring(self) -> None:
        self._state = _State.AWAKE
        if self._bell is not None:
            self._bell.put(None)

    # What runs on the flushing thread.

    def _run(self) -> None:
        if self._thread is not threading.current_thread():
            return  # an interrupt came while it was started, and it was given up
        with marked_as_ours():
            try:
                while not self._stopping:
                    self._sleep()
                    if not self._stopping:
                        self._round_safely(NEVER)
            finally:
                self._thread = None
                self._tell_waiters()

    def _sleep(self) -> None:
        """
        Wait for something to do.
        """
        bell = self._bell
        assert bell is not None  # noqa: S101 - made before the thread
        ready_at = min((lane.ready_at for lane in self._lanes if lane), default=0.0)
        now = time.monotonic()
        if self.quiet():
            self._state = _State.IDLE
            if not self.quiet():
                self._state = _State.AWAKE
                return
            seconds = NEVER if self._options.spool is None else max(self._adopt_at - now, 0.0)
        elif ready_at > now:
            self._state = _State.PAUSED
            seconds = min(max(self._options.flush_interval, _SHORTEST_SLEEP), ready_at - now)
        else:
            self._state = _State.GATHERING
            seconds = self._options.flush_interval
            if self._waiters or self._ledger.pending_bytes >= v2.BATCH_ROOM:
                seconds = 0.0
        try:
            bell.get(timeout=min(seconds, _LONGEST_SLEEP))
            while True:
                bell.get_nowait()
        except queue.Empty:
            pass
        self._state = _State.AWAKE

    def _deliver_inline(self, end: float, condition: Callable[[], bool]) -> None:
        with marked_as_ours():
            self._round_safely(end)
        if not condition():
            # Some lane is paused, or it is another thread's turn.
            time.sleep(max(min(end - time.monotonic(), _SHORTEST_SLEEP), 0.0))

    def _round_safely(self, end: float) -> None:
        # Waits for its turn only where a caller's thread and a new thread of ours meet.
        if not self._turn.acquire(timeout=-1 if end == NEVER else max(end - time.monotonic(), 0)):
            return
        try:
            self._deliverer = threading.get_ident()
            self._round(end)
        except Exception as error:  # noqa: BLE001
            # A fault of ours must not end the thread: what is pending stays, and is tried again.
            self._diagnostics.warn("fault", f"delivery was interrupted by {type(error).__name__}")
            for lane in self._lanes:
                lane.ready_at = time.monotonic() + self._options.retry_base
        finally:
            self._deliverer = None
            self._turn.release()
            self._tell_waiters()

    def _tell_waiters(self) -> None:
        for waiter in list(self._waiters):
            waiter.put(None)

    def _round(self, end: float) -> None:
        """
        Send what may be sent now.
        """
        with self._moving:
            self._adopt()
            self._fill_lanes()
        while True:
            with self._moving:
                lane = self._next_lane()
            self._outcomes.announce()
            if lane is None or time.monotonic() >= end:
                return
            self._send_wave(lane, end)
            self._tell_waiters()

    def _next_lane(self) -> Lane | None:
        """
        The lane whose wave goes next, if any may.
        """
        if self._stopping:
            return None
        for lane in self._lanes:
            self._give_up_expired(lane)
        now = time.monotonic()
        # Without an endpoint, there may be calls of a spool that was filled with other settings.
        ready = [one for one in self._lanes if one and one.endpoint and now >= one.ready_at]
        if not ready:
            return None
        ready.sort(key=Lane.oldest)
        lane, *other = ready
        # One order of arrival: a batch ends where the other destination's next call came. Of one
        # millisecond, what Customer.io is to know of people goes before messages to them.
        until = other[0].oldest() - (lane is self._app) if other else None
        lane.form_wave(until)
        return lane

    def _adopt(self) -> None:
        now = time.monotonic()
        if now >= self._adopt_at:
            self._adopt_at = now + ADOPT_INTERVAL
            count, size = self._buffer.adopt()
            if count:
                self._ledger.adopt(count, size)
            self._adopted = True
        lost = self._buffer.lost - self._lost
        if lost > 0:
            self._lost += lost
            self._ledger.settle(0, dropped={"damaged": lost})

    def _fill_lanes(self) -> None:
        # Not fewer than max_pending: a paused lane must leave room for those of the other.
        room = max(_TAKE_MOST, self._options.max_pending)
        room -= len(self._track.waiting) + len(self._app.waiting)
        taken = self._buffer.take(room)
        for_app = [envelope for envelope in taken if envelope[0] == _APP_BYTE]
        if for_app:
            self._app.waiting += for_app
            taken = [envelope for envelope in taken if envelope[0] != _APP_BYTE]
        self._track.waiting += taken

    def _give_up_expired(self, lane: Lane) -> None:
        oldest = time.time() - self._options.max_age
        if oldest <= 0:
            return
        born_before = int(oldest * 1000)
        for chain in lane.wave:
            for job in chain:
                if job.envelopes[0].accepted < born_before:
                    old = [one for one in job.envelopes if one.accepted < born_before]
                    job.envelopes = [one for one in job.envelopes if one.accepted >= born_before]
                    self._outcomes.failed(old, job.attempts, "expired")
        lane.wave = [chain for chain in map(_without_empty_jobs, lane.wave) if chain]
        old = []
        while lane.waiting and lane.waiting[0].accepted < born_before:
            old.append(lane.waiting.popleft())
        if old:
            self._outcomes.failed(old, 0, "expired")

    def _send_wave(self, lane: Lane, end: float) -> None:
        with self._moving:
            chains = list(lane.wave)
        if len(chains) > 1 and not lane.doubtful:
            self._send_side_by_side(lane, chains, end)
        elif len(chains) > 1:
            self._send_one(lane, chains[0], end)
        elif chains:
            self._send_chain(lane, chains[0], end)
        with self._moving:
            lane.wave = [chain for chain in lane.wave if chain]

    def _send_chain(self, lane: Lane, chain: Chain, end: float) -> None:
        while self._send_one(lane, chain, end):
            pass

    def _send_one(self, lane: Lane, chain: Chain, end: float) -> bool:
        job = self._next_job(lane, chain, end)
        if job is None:
            return False
        self._conclude(lane, chain, job, self._send(lane, job, end))
        return True

    def _next_job(self, lane: Lane, chain: Chain, end: float) -> Job | None:
        """
        What to send now, if anything. Its attempt counts from here: a close may come in between.
        """
        now = time.monotonic()
        if self._stopping or now < lane.ready_at or now >= end:
            return None
        with self._moving:
            if not chain:
                return None
            chain[0].attempts += 1
            return chain[0]

    def _send_side_by_side(self, lane: Lane, wave: list[Chain], end: float) -> None:
        """
        Send several chains at once; all but the requests themselves happens on this thread.
        """
        todo: queue.SimpleQueue[tuple[Chain, Job] | None] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[Chain, Job, Verdict | BaseException]] = queue.SimpleQueue()

        def work() -> None:
            with marked_as_ours():
                while (next_ := todo.get()) is not None:
                    try:
                        done.put((*next_, self._send(lane, next_[1], end)))
                    except BaseException as error:  # noqa: BLE001
                        done.put((*next_, error))

        chains = deque(wave)
        helpers = 0
        for _ in range(min(_AT_ONCE, len(chains))):
            try:
                threading.Thread(target=work, name="cio_events-single", daemon=True).start()
            except RuntimeError:
                break
            helpers += 1
        if not helpers:
            for chain in chains:
                self._send_chain(lane, chain, end)
            return
        under_way = 0
        fault: BaseException | None = None
        while True:
            # Not all at once: what the first requests find out may be that there must be a pause.
            while chains and under_way < helpers and fault is None:
                chain = chains.popleft()
                job = self._next_job(lane, chain, end)
                if job is not None:
                    todo.put((chain, job))
                    under_way += 1
            if not under_way:
                break
            chain, job, result = done.get()
            under_way -= 1
            chains.appendleft(chain)
            try:
                if isinstance(result, BaseException):
                    raise result
                self._conclude(lane, chain, job, result)
            except BaseException as error:  # noqa: BLE001 - raised again when all are concluded
                fault = error
        for _ in range(helpers):
            todo.put(None)
        if fault is not None:
            raise fault

    def _send(self, lane: Lane, job: Job, end: float) -> Verdict:
        (first, *_) = job.envelopes
        if first[0] != _APP_BYTE:
            return self._request(lane, job, end)
        # At most once, also over the death of this process.
        if job.attempts == 1 and self._buffer.maybe_sent(first):
            return Refused("ambiguous", None, "the process that sent it ended before the answer")
        self._buffer.sending(first)
        verdict = self._request(lane, job, end)
        if isinstance(verdict, (TryAgain, Hold)):
            self._buffer.unsent(first)
        return verdict

    def _request(self, lane: Lane, job: Job, end: float) -> Verdict:
        if job.again:
            job.again = False
            self._ledger.retry()
        assert lane.endpoint is not None  # noqa: S101 - the door lets nothing in without one
        timeout = min(self._options.timeout, end - time.monotonic())
        return deliver(job, lane.endpoint, max(timeout, _SHORTEST_TIMEOUT))

    def _conclude(self, lane: Lane, chain: Chain, job: Job, verdict: Verdict) -> None:
        with self._moving:
            # Otherwise a close has given its calls up meanwhile.
            if chain and chain[0] is job:
                self._apply(verdict, lane, chain)
        self._outcomes.announce()

    def _apply(self, verdict: Verdict, lane: Lane, chain: Chain) -> None:
        job = chain[0]
        now = time.monotonic()
        if isinstance(verdict, (TryAgain, Hold)):
            job.again = True
            delay = lane.pause(verdict, now, self._options)
            self._outcomes.delayed(lane.name, verdict, job, delay)
            return
        lane.succeeded(now)
        chain.popleft()
        if isinstance(verdict, Split):
            middle = len(job.envelopes) // 2
            chain.appendleft(Job(job.envelopes[middle:], job.attempts))
            chain.appendleft(Job(job.envelopes[:middle], job.attempts))
        elif isinstance(verdict, Refused):
            self._outcomes.failed(
                job.envelopes, job.attempts, verdict.reason, verdict.status, [verdict.detail]
            )
        else:
            self._delivered(job, verdict)

    def _delivered(self, job: Job, verdict: Delivered) -> None:
        refused = sorted(verdict.refused)
        if refused:
            self._outcomes.failed(
                [job.envelopes[n] for n in refused],
                job.attempts,
                "rejected",
                verdict.status,
                [verdict.refused[n] for n in refused],
            )
        taken = job.envelopes
        if refused:
            taken = [one for n, one in enumerate(taken) if n not in verdict.refused]
        if taken:
            self._outcomes.sent(taken, job.attempts, verdict.status, verdict.receipt)

    def let_go(self, reason: DroppedReason) -> int:
        """
        Leave all that is pending to the spool, or give it up; returns how many were given up.

        The same holds for what is put into the buffer later.
        """
        with self._moving:
            lost = self._let_go(reason)
        self._outcomes.announce()
        self._tell_waiters()
        return lost

    def _let_go(self, reason: DroppedReason) -> int:
        self._over = reason
        taken: list[Envelope] = []
        attempts: dict[Envelope, int] = {}
        for lane in self._lanes:
            for chain in lane.wave:
                for job in chain:
                    taken += job.envelopes
                    attempts.update(dict.fromkeys(job.envelopes, job.attempts))
                chain.clear()
            taken += lane.waiting
            lane.wave = []
            lane.waiting.clear()
        lost = self._buffer.close(taken)
        if lost:
            self._outcomes.lost(lost, attempts, reason)
        self._ledger.leave()
        return len(lost)


def _without_empty_jobs(chain: Chain) -> Chain:
    return type(chain)(job for job in chain if job.envelopes)


def _check_uwsgi() -> None:
    """
    Raise RuntimeError under a uWSGI that does not run threads, though it lets them start.
    """
    uwsgi = sys.modules.get("uwsgi")
    opt = getattr(uwsgi, "opt", {})
    if uwsgi is not None and not (opt.get("enable-threads") or opt.get("threads")):
        raise RuntimeError("uWSGI runs without threads")
