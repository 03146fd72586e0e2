"""Accept calls or refuse them, and own all that delivers them in the background."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from math import floor
from typing import TYPE_CHECKING, Literal

from cio_events._buffers.failures import Failure
from cio_events._buffers.memory import MemoryBuffer
from cio_events._calls.call import Call, IdType
from cio_events._calls.messages import Message
from cio_events._calls.ulid import IdSource
from cio_events._calls.validation import Data
from cio_events._calls.verbs import with_own_verbs
from cio_events._delivery.condition import Condition
from cio_events._delivery.ledger import Ledger, Stats
from cio_events._delivery.refusals import Refusals
from cio_events._delivery.worker import Worker
from cio_events._destinations import endpoints
from cio_events._destinations.chosen import chosen
from cio_events._exported import exported
from cio_events._pipeline import recording
from cio_events._pipeline.before_send import BeforeSend
from cio_events._pipeline.encoding import Encoder
from cio_events._pipeline.exit import EndOfProcess
from cio_events._pipeline.guard import Guard
from cio_events._pipeline.verbs import BackgroundVerbs
from cio_events._process import debugging, exits, forks, suppression
from cio_events._process.clock import monotonic
from cio_events._process.diagnostics import Diagnostics
from cio_events._process.suppression import mark_records, suppressed
from cio_events._process.tracebacks import without_locals
from cio_events._wire.encode import encode_refused
from cio_events._wire.envelope import Envelope
from cio_events._wire.plain_event import encode_event
from cio_events.errors import ParamError
from cio_events.options import Options, options_from
from cio_events.signals import DroppedReason, FailedReason

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from cio_events._buffers.failures import DeadLetter
    from cio_events._buffers.spool import Spool
    from cio_events.options import OptionArguments


@exported
@with_own_verbs
class Pipeline(BackgroundVerbs, EndOfProcess):
    """
    Accepts calls and delivers them to Customer.io in the background.

    As a context manager, it is closed at the end.

    Args:
        options: As in `cio_events.options.Options`. What is not given is looked up in the
            environment as ``CIO_<NAME>``.

    Raises:
        ParamError: An option is unknown or invalid. What the environment has wrong does not
            raise: calls are then dropped as ``unconfigured``, and a warning names the setting.
    """

    @without_locals
    def __init__(self, **options: Unpack[OptionArguments]) -> None:
        self.options: Options
        self.options, problem = options_from(options)
        self._diagnostics = Diagnostics(often=self.options.debug)
        if self.options.debug:
            debugging.switch_on()
        self._closed: DroppedReason | None = None if self.options.enabled else "disabled"
        found = endpoints.find(self.options, options, problem)
        _, self._track, self._app, self._relay, self._no_track, self._no_app = found
        self._spool = self._new_spool(found)
        self._buffer = MemoryBuffer() if self._spool is None else self._spool
        self._begin()
        if self.options.session is not None:
            mark_records()
        exits.expect_end_of_uvicorn()
        forks.watch(self)
        forks.in_child(suppression.renew)
        if self._spool is not None and self._closed is None and not recording.diverted():
            # What an earlier process left there does not wait for this one's first call.
            self._worker.adopt()

    def _begin(self) -> None:
        options = self.options
        self._ledger = Ledger(options.max_pending, options.max_pending_bytes)
        self._refusals = Refusals(
            self, self._ledger, self._diagnostics, strict=lambda: self.strict, to=options.to
        )
        self._worker = self._new_worker(threaded=True)
        self._ids = IdSource()
        # Looked up for each call.
        self.id_type: IdType | Literal["auto"] = options.id_type
        self._encoder = Encoder(options.api, self._diagnostics, strict=lambda: self.strict)
        self._guard = Guard()
        self._before_send = (
            None
            if options.before_send is None
            else BeforeSend(options.before_send, self._diagnostics)
        )
        # Whether an event needs no `Track`: nobody looks at it, and v1 has another form of it.
        self._fast_path = (
            self._no_track is None
            and options.before_send is None
            and options.api == "v2"
            # Nobody overtakes who waits for room.
            and options.on_full == "drop"
        )
        self._expects_exit = False
        # Once the end has come: how many seconds of exit_timeout were not used yet.
        self._exit_left: float | None = None

    def __repr__(self) -> str:
        return f"<Pipeline {self.stats()}>"

    @property
    def strict(self) -> bool:
        """Whether a record of which no call can be made raises."""
        recorder = recording.current
        return self.options.strict if recorder is None else recorder.raises

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed == "closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What is accepted, and what is refused.

    def send(self, call: Call) -> bool:
        """
        Accept *call* for delivery.

        Returns:
            Whether it was accepted: it is now pending. Otherwise it has failed or was dropped, and
            ledger and signals say why.

        Raises:
            ParamError: With ``strict``, if *call* is no call or is over a limit.
        """
        return self.accept(call)[1] is None

    def accept(self, call: Call) -> tuple[str, FailedReason | DroppedReason | None]:
        """
        Accept *call* for delivery, as `send` does.

        Returns:
            The ULID under which it is known, and why it was not accepted; None if it was.
        """
        if forks.forks_without_hooks:
            forks.detect_fork()
        return self._offer(call)

    def accept_event(
        self, customer: object, name: object, data: Data, logged_at: float | None = None
    ) -> str | None:
        """
        Accept an event by the fast path: what `accept` does with a `Track`, without making one.

        Returns:
            The ULID under which it is known. None if this way does not lead there: then nothing
            was done, and the event has to come by `accept`.
        """
        if self._closed is not None or not self._fast_path or forks.forks_without_hooks:
            return None
        if recording.on and (
            recording.current is not None or self._guard.outside(self._relay or self._track)
        ):
            return None
        now = time.time_ns() // 1_000_000
        id_ = self._ids.new_id(now)
        seconds = now // 1000 if logged_at is None else floor(logged_at)
        envelope = encode_event(customer, name, data, id_, now, seconds, self.id_type)
        if envelope is None:
            return None
        try:
            # Inline, as another call would take as long as one of these lines.
            if not self._ledger.admit(len(envelope), self._buffer.enter, iter((envelope,))):
                return None
            if self._spool is not None:
                self._spool.write()
            self._worker.notify()
            if not self._expects_exit or self._exit_left is not None:
                self._mind_exit()
        except BaseException:
            self._worker.wake()  # an interrupted notify() may not have woken it
            self._deliver()
            raise
        return id_

    def refuse(self, error: ParamError) -> FailedReason:
        """
        Count something of which no call can be made; returns the reason that it counts under.

        Raises:
            ParamError: *error*, with ``strict``.
        """
        if forks.forks_without_hooks:
            forks.detect_fork()
        return self._fail(None, self._ids.new_id(time.time_ns() // 1_000_000), error)

    def _offer(self, call: Call) -> tuple[str, FailedReason | DroppedReason | None]:
        """Let *call* in, or not; returns what `accept` does."""
        recorder = recording.current
        now = time.time_ns() // 1_000_000 if recorder is None else recorder.now()
        ids = self._ids if recorder is None else recorder
        if not issubclass(type(call), Call):  # isinstance() would ask what the value says it is
            id_ = ids.new_id(now)
            return id_, self._fail(None, id_, ParamError("call", "must be a call of cio_events"))
        id_ = getattr(call, "id", None) or ids.new_id(now)
        reason = self._shut(call)
        if self._before_send is not None and reason is None:
            ledger = self._ledger
            filtered = self._before_send.filter(call)
            if self._ledger is not ledger:
                # before_send has forked: in the child, the call is the parent's
                return id_, None
            if filtered is None:
                reason = "before_send"
            else:
                call = filtered
                id_ = getattr(call, "id", None) or id_
        if reason is not None:
            return id_, self._drop(call, id_, reason)
        try:
            envelope = self._encoder.envelope(call, id_, now)
        except ParamError as error:
            failed = self._fail(call, id_, error)
            self._keep_refused(call, id_, now, Failure(failed, None, str(error)))
            return id_, failed
        if recorder is not None:
            recording.record(recorder, self, self._ledger, envelope)
            return id_, None
        endpoint = self._relay or (self._app if isinstance(call, Message) else self._track)
        blocked = self._guard.blocked(call, endpoint)
        if blocked is not None:
            self._refusals.say_blocked(blocked)
            return id_, self._drop(call, id_, "disabled")
        try:
            if not self._admit(len(envelope), iter((envelope,))):
                return id_, self._drop(call, id_, self._closed or "full")
            self._deliver()
        except BaseException:
            self._worker.wake()  # an interrupted notify() may not have woken it
            self._deliver()
            raise
        return id_, None

    def _shut(self, call: Call) -> DroppedReason | None:
        """Why *call* cannot be accepted, whatever it says; None if it can."""
        if recording.diverted():
            return None if self._closed == "disabled" else self._closed
        problem = self._no_app if isinstance(call, Message) else self._no_track
        if self._closed is None and problem is not None:
            self._refusals.say_unconfigured(problem)
            return "unconfigured"
        return self._closed

    def _fail(self, call: Call | None, id_: str, error: ParamError) -> FailedReason:
        if recording.current is not None:
            recording.current.refused(call, error)
        return self._refusals.fail(call, id_, error)

    def _drop(self, call: Call, id_: str, reason: DroppedReason) -> DroppedReason:
        if recording.current is not None:
            recording.current.dropped(call, reason)
        self._refusals.drop(call, id_, reason)
        return reason

    def _deliver(self) -> None:
        """Have what was admitted delivered; to do so again does no harm."""
        if self._spool is not None:
            self._spool.write()
        self._worker.notify()
        self._mind_exit()

    def _mind_exit(self) -> None:
        """
        Have the end of the process wait for what was put; what comes after it leaves at once.
        """
        if not self._expects_exit:
            self._expect_exit()
        if self._exit_left is not None:
            self._deliver_late(self._exit_left)

    def _keep_refused(self, call: Call, id_: str, now: int, failure: Failure) -> None:
        """Have *call* kept as a dead letter, where there is a spool."""
        if self._spool is None or recording.diverted():
            return
        envelope = encode_refused(call, id_, now)
        if envelope is not None:
            self._spool.keep_refused(envelope, failure)
            self._worker.notify()  # its thread writes
            if not self._expects_exit:
                self._expect_exit()

    def _admit(self, size: int, entering: Iterator[Envelope]) -> bool:
        """Let a call of *size* bytes in, once there is room, if callers are to wait for that."""

        def admit() -> bool:
            return self._ledger.admit(size, self._buffer.enter, entering)

        # Nobody overtakes who waits for room.
        if not self._worker.blocked.callers and admit():
            return True
        options = self.options
        if options.on_full != "block" or suppressed() or size > options.max_pending_bytes:
            return False
        return self._worker.wait_for_room(
            entering, admit, lambda: self._closed is None and not exits.exiting()
        )

    # What has been accepted.

    def flush(self, timeout: float | None = None) -> bool:
        """
        Deliver now what is pending, and wait for it.

        Args:
            timeout: Seconds to wait; None is the option ``timeout``.

        Returns:
            Whether nothing is pending and every signal has been sent.
        """
        if forks.forks_without_hooks:
            forks.detect_fork()
        if recording.current is not None and self._ledger.idle():
            return True  # and what another process left in a spool stays there
        timeout = self.options.timeout if timeout is None else timeout
        delivered = self._worker.wait_until(self._worker.idle, timeout)
        # What a close has left in the spool is pending still.
        return delivered and not (self._closed == "closed" and self._ledger.pending > 0)

    def close(self, timeout: float | None = None) -> bool:
        """
        Deliver what is pending, and accept nothing more.

        What cannot be delivered in time stays in the spool, or is dropped as ``closed``.

        Args:
            timeout: Seconds to wait; None is the option ``timeout``.

        Returns:
            Whether everything was delivered.
        """
        timeout = self.options.timeout if timeout is None else timeout
        end = monotonic() + timeout
        if self._closed != "closed":
            self._closed = "closed"
        delivered = self.flush(timeout)
        self._worker.stop(max(end - monotonic(), 0.0))
        self._worker.release("closed")
        self._refusals.say_in_all()
        self._close_endpoints()
        exits.forget(self)
        return delivered and self._ledger.idle() and not self._ledger.pending

    def failures(self) -> Iterator[DeadLetter]:
        """
        The calls that have failed for good and lie in the spool; none without a spool.

        They are those of all pipelines that share its directory.
        """
        return iter(()) if self._spool is None else self._spool.failures()

    def resend(self, ids: Sequence[str] | None = None) -> int:
        """
        Make calls that have failed pending again.

        Args:
            ids: Their ULIDs; None is all of them.

        Returns:
            How many there were. They count as received once more, in whichever process takes
            them first.
        """
        count = 0 if self._spool is None else self._spool.resend(ids)
        if count and self._closed is None:
            self._worker.adopt()
        return count

    def discard(self, ids: Sequence[str] | None = None) -> int:
        """
        Delete calls that have failed from the spool.

        Args:
            ids: Their ULIDs; None is all of them.

        Returns:
            How many there were.
        """
        return 0 if self._spool is None else self._spool.discard(ids)

    def stats(self) -> Stats:
        """What became of all calls so far."""
        if forks.forks_without_hooks:
            forks.detect_fork()
        return self._ledger.stats(0 if self._spool is None else self._spool.in_memory)

    def condition(self) -> Condition:
        """How delivery fares, for the doctor; nothing is changed."""
        return self._worker.condition()

    # What it is made of, and made of again in a forked child.

    def start_afresh(self) -> None:
        """
        Begin with nothing pending, as in a forked child, where the parent's calls are its own.
        """
        self._worker.detach()
        self._buffer.abandon()
        self._begin()

    def retire(self) -> None:
        """Keep no thread once nothing is pending; a later call starts one again."""
        self._worker.retire()

    def _new_spool(self, found: endpoints.Found) -> Spool | None:
        if self.options.spool is None or recording.only_looked_at:
            return None
        # Not imported above: a process without a spool does not need SQLite.
        with forks.late_imports():
            from cio_events._buffers.spool import Spool

        return Spool(
            self.options.spool,
            report=self._diagnostics.warn,
            adopts=any(map(endpoints.may_be_reached, (self._track, self._app, self._relay))),
            workspace=found.workspace(),
            max_age=self.options.max_age,
        )

    def _new_worker(self, *, threaded: bool) -> Worker:
        self._destinations = chosen(self.options, self._track, self._app, self._relay)
        return Worker(
            self,
            self.options,
            self._buffer,
            self._ledger,
            self._diagnostics,
            self._destinations,
            adopter=self._spool,
            threaded=threaded,
        )

    def _close_endpoints(self) -> None:
        for endpoint in (self._track, self._app, self._relay):
            if endpoint is not None:
                endpoint.close()
