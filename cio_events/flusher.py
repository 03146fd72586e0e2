"""
The flushing thread: when calls leave, and what happens to ledger, buffer and signals then.

What an answer means is decided in `cio_events.delivery`, who may travel beside whom in
`cio_events.lanes`.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum

from cio_events import signals
from cio_events.buffers import ADOPT_INTERVAL, Buffer, Failure
from cio_events.delivery import Delivered, Hold, Job, Refused, Split, TryAgain, Verdict, deliver
from cio_events.diagnostics import Diagnostics
from cio_events.http import Endpoint
from cio_events.lanes import Chain, Lane
from cio_events.ledger import Ledger
from cio_events.lifecycle import exiting
from cio_events.options import Options
from cio_events.origin import marked_as_ours
from cio_events.signals import DroppedReason, FailedReason, Report, Retry
from cio_events.wire import v2
from cio_events.wire.encode import call_of
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

# What giving up waits for a conclusion under way: longer than any takes, but for slow receivers.
_CONCLUSION_SECONDS = 0.2

_APP_BYTE = Route.APP[0]

NEVER = float("inf")


class _State(Enum):
    AWAKE = "awake"
    GATHERING = "gathering"
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
        self._sender = sender
        self._options = options
        self._buffer = buffer
        self._ledger = ledger
        self._diagnostics = diagnostics
        self._track, self._app = self._lanes = (
            Lane("Track", endpoints[0]),
            Lane("App", endpoints[1]),
        )
        # Guards the lanes against a close that could not wait for the request under way.
        # Re-entrant, since a receiver may close the pipeline.
        self._moving = threading.RLock()
        self._given_up: DroppedReason | None = None
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
                    try:
                        waiter.get(timeout=left)
                    except queue.Empty:
                        return condition()
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
        Whether it is this thread that delivers, so that it cannot wait for delivery.
        """
        return self._deliverer == threading.get_ident()

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
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

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
                if self._given_up is not None:
                    self.let_go(self._given_up)
                self._tell_waiters()

    def _sleep(self) -> None:
        """
        Wait for something to do.
        """
        bell = self._bell
        assert bell is not None  # noqa: S101 - made before the thread
        ready_at = min((lane.ready_at for lane in self._lanes if lane), default=NEVER)
        now = time.monotonic()
        if self.quiet():
            self._state = _State.IDLE
            if not self.quiet():
                self._state = _State.AWAKE
                return
            seconds = None if self._options.spool is None else max(self._adopt_at - now, 0.0)
        else:
            self._state = _State.GATHERING
            seconds = max(self._options.flush_interval, _SHORTEST_SLEEP if ready_at > now else 0)
            if ready_at > now:
                seconds = min(seconds, ready_at - now)
            elif self._waiters or self._ledger.pending_bytes >= v2.BATCH_ROOM:
                seconds = 0.0
        try:
            bell.get(timeout=seconds)
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
        while time.monotonic() < end:
            with self._moving:
                lane = self._next_lane()
            if lane is None:
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
        # One order of arrival: a batch ends where the other destination's next call came.
        lane.form_wave(until=other[0].oldest() if other else None)
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
            self._ledger.announced(lost)

    def _fill_lanes(self) -> None:
        room = _TAKE_MOST - len(self._track.waiting) - len(self._app.waiting)
        to_track, to_app = self._track.waiting.append, self._app.waiting.append
        for envelope in self._buffer.take(room):
            (to_app if envelope[0] == _APP_BYTE else to_track)(envelope)

    def _give_up_expired(self, lane: Lane) -> None:
        born_before = int((time.time() - self._options.max_age) * 1000)
        for chain in lane.wave:
            for job in chain:
                if job.envelopes[0].accepted < born_before:
                    old = [one for one in job.envelopes if one.accepted < born_before]
                    job.envelopes = [one for one in job.envelopes if one.accepted >= born_before]
                    self._fail(old, job.attempts, "expired")
        lane.wave = [chain for chain in map(_without_empty_jobs, lane.wave) if chain]
        old = []
        while lane.waiting and lane.waiting[0].accepted < born_before:
            old.append(lane.waiting.popleft())
        if old:
            self._fail(old, 0, "expired")

    def _send_wave(self, lane: Lane, end: float) -> None:
        if len(lane.wave) == 1:
            (chain,) = lane.wave
            while chain and self._may_send(lane, end):
                job = chain[0]
                self._conclude(lane, chain, job, self._send(lane, job, end))
        else:
            self._send_side_by_side(lane, end)
        lane.wave = [chain for chain in lane.wave if chain]

    def _send_side_by_side(self, lane: Lane, end: float) -> None:
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

        helpers = 0
        for _ in range(min(_AT_ONCE, len(lane.wave))):
            try:
                threading.Thread(target=work, name="cio_events-single", daemon=True).start()
            except RuntimeError:
                break
            helpers += 1
        under_way = 0
        for chain in lane.wave:
            todo.put((chain, chain[0]))
            under_way += 1
        if not helpers:
            todo.put(None)
            work()
        fault: BaseException | None = None
        while under_way:
            chain, job, result = done.get()
            under_way -= 1
            if isinstance(result, BaseException):
                fault = result
                continue
            self._conclude(lane, chain, job, result)
            if chain and fault is None and helpers and self._may_send(lane, end):
                todo.put((chain, chain[0]))
                under_way += 1
        for _ in range(helpers):
            todo.put(None)
        if fault is not None:
            raise fault

    def _may_send(self, lane: Lane, end: float) -> bool:
        now = time.monotonic()
        return now >= lane.ready_at and now < end and not self._stopping

    def _send(self, lane: Lane, job: Job, end: float) -> Verdict:
        (first, *_) = job.envelopes
        if first[0] != _APP_BYTE:
            return self._request(lane, job, end)
        # At most once, also over the death of this process.
        if not job.attempts and self._buffer.maybe_sent(first):
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
        return deliver(job, lane.endpoint, timeout)

    def _conclude(self, lane: Lane, chain: Chain, job: Job, verdict: Verdict) -> None:
        with self._moving:
            # Otherwise a close has given its calls up meanwhile.
            if chain and chain[0] is job:
                self._apply(verdict, lane, chain)

    def _apply(self, verdict: Verdict, lane: Lane, chain: Chain) -> None:
        job = chain[0]
        now = time.monotonic()
        if isinstance(verdict, (TryAgain, Hold)):
            self._try_again(lane, job, verdict, now)
            return
        lane.succeeded(now)
        chain.popleft()
        if isinstance(verdict, Split):
            middle = len(job.envelopes) // 2
            chain.appendleft(Job(job.envelopes[middle:], job.attempts))
            chain.appendleft(Job(job.envelopes[:middle], job.attempts))
        elif isinstance(verdict, Refused):
            self._fail(
                job.envelopes, job.attempts, verdict.reason, verdict.status, [verdict.detail]
            )
        else:
            self._delivered(job, verdict)

    def _try_again(self, lane: Lane, job: Job, verdict: TryAgain | Hold, now: float) -> None:
        delay = lane.pause(verdict, now, self._options)
        job.again = True
        if isinstance(verdict, Hold):
            self._diagnostics.warn_once(
                f"held {lane.name} {verdict.status}",
                f"the {lane.name} API answers with status {verdict.status}: look at the "
                f"credentials, the region ({self._options.region}) and the URL; nothing is lost, "
                f"delivery is tried again every {self._options.hold_interval:g} s",
            )
        else:
            self._diagnostics.warn(
                f"retry {lane.name} {verdict.reason}",
                f"the {lane.name} API cannot be reached for now ({verdict.reason}"
                f"{'' if verdict.status is None else f', status {verdict.status}'}); "
                f"{self._ledger.pending} calls wait and are tried again",
            )
        reason = "held" if isinstance(verdict, Hold) else verdict.reason
        retry = Retry(reason, verdict.status, job.attempts, delay, len(job.envelopes))
        signals.announce(signals.retrying, self._sender, retry=retry)

    # Where calls end.

    def _delivered(self, job: Job, verdict: Delivered) -> None:
        taken = job.envelopes
        if verdict.refused:
            taken = [one for n, one in enumerate(job.envelopes) if n not in verdict.refused]
        self._buffer.forget(taken)
        self._ledger.settle(sum(map(len, taken)), sent=len(taken))
        try:
            if signals.sent.receivers:
                for envelope in taken:
                    report = Report(
                        call_of(envelope),
                        envelope.id,
                        job.attempts,
                        verdict.status,
                        receipt=verdict.receipt,
                    )
                    signals.announce(signals.sent, self._sender, report=report)
        finally:
            self._ledger.announced(len(taken))
            if verdict.refused:
                refused = sorted(verdict.refused)
                self._fail(
                    [job.envelopes[n] for n in refused],
                    job.attempts,
                    "rejected",
                    verdict.status,
                    [verdict.refused[n] for n in refused],
                )

    def _fail(
        self,
        envelopes: Sequence[Envelope],
        attempts: int,
        reason: FailedReason,
        status: int | None = None,
        details: Sequence[str | None] = (),
    ) -> None:
        details = details or [None] * len(envelopes)
        for envelope, detail in zip(envelopes, details, strict=True):
            self._buffer.bury(envelope, Failure(reason, status, detail))
        self._ledger.settle(sum(map(len, envelopes)), failed={reason: len(envelopes)})
        self._diagnostics.warn(
            f"failed {reason}",
            f"{len(envelopes)} calls have failed for good ({reason}"
            f"{'' if status is None else f', status {status}'}); "
            "the signal cio_events.signals.failed tells which",
        )
        try:
            if signals.failed.receivers:
                for envelope, detail in zip(envelopes, details, strict=True):
                    report = Report(
                        call_of(envelope), envelope.id, attempts, status, reason, detail
                    )
                    signals.announce(signals.failed, self._sender, report=report)
        finally:
            self._ledger.announced(len(envelopes))

    def let_go(self, reason: DroppedReason) -> int:
        """
        Leave all that is pending to the spool, or give it up; returns how many were given up.

        Where a receiver takes too long to be waited for, the flushing thread does it later.
        """
        if not self._moving.acquire(timeout=_CONCLUSION_SECONDS):
            self._given_up = reason
            return self._ledger.pending
        try:
            return self._let_go(reason)
        finally:
            self._moving.release()

    def _let_go(self, reason: DroppedReason) -> int:
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
            self._ledger.settle(sum(map(len, lost)), dropped={reason: len(lost)})
        self._ledger.leave()
        try:
            if signals.dropped.receivers:
                for envelope in lost:
                    report = Report(
                        call_of(envelope), envelope.id, attempts.get(envelope, 0), reason=reason
                    )
                    signals.announce(signals.dropped, self._sender, report=report)
        finally:
            self._ledger.announced(len(lost))
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
