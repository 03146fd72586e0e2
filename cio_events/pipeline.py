"""
Accepts calls, and owns all that delivers them in the background.

The door is here: what is let in, and what is refused. When accepted calls leave is decided in
`cio_events.flusher`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cio_events import http, lifecycle, signals
from cio_events.buffers import Buffer
from cio_events.buffers.memory import MemoryBuffer
from cio_events.calls import Call
from cio_events.diagnostics import Diagnostics
from cio_events.errors import ParamError
from cio_events.flusher import Flusher
from cio_events.ids import IdSource
from cio_events.ledger import Ledger, Stats
from cio_events.limits import ATTRIBUTE_VALUE_BYTES
from cio_events.messages import Message
from cio_events.options import Options, options_from
from cio_events.origin import marked_as_ours, ours
from cio_events.signals import DroppedReason, FailedReason, Report
from cio_events.wire.encode import encode, too_long_attribute

if TYPE_CHECKING:
    from typing_extensions import Self

# How long a caller who waits for room sleeps between looks at whether the pipeline was closed.
_BLOCKED_SECONDS = 1.0


class Pipeline:
    """
    Takes calls and delivers them to Customer.io in the background.

    As a context manager, it is closed at the end.

    Args:
        options: As in `cio_events.options.Options`. What is not given is looked up in the
            environment as ``CIO_<NAME>``.

    Raises:
        ParamError: An option is unknown or cannot be. What the environment has wrong does not
            raise: calls are then dropped as ``unconfigured``, and a warning names the setting.
    """

    def __init__(self, **options: Any) -> None:
        self.options, problem = options_from(options)
        self._diagnostics = Diagnostics()
        self._closed: DroppedReason | None = None if self.options.enabled else "disabled"
        self._exit_ends: float | None = None
        # Why there is no endpoint, where there is none.
        self._track, self._no_track = self._endpoint(_track_endpoint, options, problem)
        self._app, self._no_app = self._endpoint(_app_endpoint, options, problem)
        self.start_afresh()
        lifecycle.watch(self)

    def __repr__(self) -> str:
        return f"<Pipeline {self.stats()}>"

    @property
    def strict(self) -> bool:
        """
        Whether a record of which no call can be made raises.
        """
        return self.options.strict

    @property
    def closed(self) -> bool:
        """
        Whether `close` was called.
        """
        return self._closed == "closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # The door.

    def send(self, call: Call) -> bool:
        """
        Take *call* for delivery.

        Returns:
            Whether it was taken: it is now pending. Otherwise it has failed or was dropped, and
            ledger and signals say why.

        Raises:
            ParamError: With ``strict``, if *call* is no call or is over a limit.
        """
        now = time.time_ns() // 1_000_000
        return self._offer(call, getattr(call, "id", None) or self._ids.new_id(now), now)

    def accept(self, call: Call, id_: str | None = None) -> str:
        """
        Take *call* for delivery, as `send` does; returns the ULID under which it is known.

        That is the call's own, else *id_*, else a new one.
        """
        now = time.time_ns() // 1_000_000
        id_ = getattr(call, "id", None) or id_ or self._ids.new_id(now)
        self._offer(call, id_, now)
        return id_

    def refuse(self, error: ParamError) -> str:
        """
        Count something of which no call can be made; returns the ULID under which it is known.

        Raises:
            ParamError: *error*, with ``strict``.
        """
        id_ = self._ids.new_id(time.time_ns() // 1_000_000)
        self._refuse(None, id_, error)
        return id_

    def _offer(self, call: Call, id_: str, now: int) -> bool:
        reason = self._closed
        problem = self._no_app if isinstance(call, Message) else self._no_track
        if problem is not None and reason is None:
            reason = self._unconfigured(problem)
        if self.options.before_send is not None and reason is None:
            filtered = self._filtered(call)
            if filtered is None:
                reason = "before_send"
            else:
                call = filtered
        if reason is not None:
            return self._drop(call, id_, reason)
        try:
            envelope = encode(call, id_, now, self.options.api)
        except ParamError as error:
            return self._refuse(call, id_, error)
        size = len(envelope)
        if size > ATTRIBUTE_VALUE_BYTES:
            self._look_for_long_attributes(call)
        if not self._ledger.admit(size) and not self._wait_for_room(size):
            return self._drop(call, id_, self._closed or "full")
        self._buffer.put(envelope)
        self._flusher.notice()
        if not self._expects_exit:
            self._expect_exit()
        if self._exit_ends is not None:
            self._deliver_late()
        return True

    def _unconfigured(self, problem: ParamError) -> DroppedReason:
        self._diagnostics.warn_once(
            f"unconfigured {problem.param}",
            f"calls to Customer.io are dropped, since a setting is wrong. {problem}",
        )
        return "unconfigured"

    def _filtered(self, call: Call) -> Call | None:
        """
        What ``before_send`` makes of *call*; it fails closed.
        """
        before_send = self.options.before_send
        assert before_send is not None  # noqa: S101 - the caller has looked
        try:
            with marked_as_ours():
                filtered = before_send(call)
        except Exception as error:  # noqa: BLE001
            self._diagnostics.warn(
                "before_send", f"a call is dropped: before_send raised {type(error).__name__}"
            )
            return None
        if filtered is not None and not isinstance(filtered, Call):
            self._diagnostics.warn(
                "before_send", "a call is dropped: before_send returned neither a call nor None"
            )
            return None
        return filtered

    def _drop(self, call: Call, id_: str, reason: DroppedReason) -> bool:
        self._ledger.drop(reason)
        if reason == "full":
            self._diagnostics.warn(
                "full",
                f"{self._ledger.pending} calls are pending, more than max_pending or "
                f"max_pending_bytes allow; {self.stats().dropped_by_reason['full']} were dropped "
                "so far",
            )
        if signals.dropped.receivers:
            report = Report(call, id_, 0, reason=reason)
            signals.announce(signals.dropped, self, report=report)
        return False

    def _refuse(self, call: Call | None, id_: str, error: ParamError) -> bool:
        if self.options.strict:
            raise error
        reason: FailedReason = "invalid" if error.limit is None else "too_large"
        self._ledger.fail(reason)
        self._diagnostics.warn_once(f"{reason} {error}", f"a call is not sent: {error}")
        if signals.failed.receivers:
            report = Report(call, id_, 0, reason=reason, detail=str(error))
            signals.announce(signals.failed, self, report=report)
        return False

    def _look_for_long_attributes(self, call: Call) -> None:
        name = too_long_attribute(call)
        if name is not None:
            self._diagnostics.warn_once(
                "long attribute",
                f"Customer.io cuts values over {ATTRIBUTE_VALUE_BYTES} bytes, such as the one of "
                f"{name!r}",
            )

    def _wait_for_room(self, size: int) -> bool:
        """
        Wait until there is room for *size* bytes, if callers are to wait.
        """
        options, ledger = self.options, self._ledger
        if options.on_full != "block" or ours() or size > options.max_pending_bytes:
            return False

        def room() -> bool:
            return self._closed is not None or (
                ledger.pending < options.max_pending
                and ledger.pending_bytes + size <= options.max_pending_bytes
            )

        while self._closed is None and not lifecycle.exiting():
            if self._flusher.wait_until(room, _BLOCKED_SECONDS) and ledger.admit(size):
                return True
        return False

    # What has been taken.

    def flush(self, timeout: float | None = None) -> bool:
        """
        Deliver now what is pending, and wait for it.

        Args:
            timeout: Seconds to wait; None is the option ``timeout``.

        Returns:
            Whether nothing is pending and every signal has been sent.
        """
        timeout = self.options.timeout if timeout is None else timeout
        return self._flusher.wait_until(self._ledger.quiet, timeout)

    def close(self, timeout: float | None = None) -> bool:
        """
        Deliver what is pending, and take nothing more.

        What cannot be delivered in time is dropped as ``closed``.

        Args:
            timeout: Seconds to wait; None is the option ``timeout``.

        Returns:
            Whether everything was delivered.
        """
        timeout = self.options.timeout if timeout is None else timeout
        end = time.monotonic() + timeout
        if self._closed != "closed":
            self._closed = "closed"
        delivered = self.flush(timeout)
        self._flusher.stop(max(end - time.monotonic(), 0.0))
        left = self._flusher.drop_all("closed")
        self._close_endpoints()
        return delivered and not left

    def stats(self) -> Stats:
        """
        What became of all calls so far.
        """
        return self._ledger.stats(in_memory=0)

    # Its life, told by `cio_events.lifecycle`.

    def start_afresh(self) -> None:
        """
        Begin with nothing pending, as in a forked child, where the parent's calls are its own.
        """
        options = self.options
        self._ids = IdSource()
        self._ledger = Ledger(options.max_pending, options.max_pending_bytes)
        self._buffer: Buffer = MemoryBuffer()
        self._flusher = self._new_flusher(threaded=True)
        self._expects_exit = False

    def deliver_before_exit(self, started: float) -> None:
        """
        Deliver what is pending within ``exit_timeout`` from *started*; the rest is dropped.

        What is logged still later, from other exit hooks, is delivered by its own caller.
        """
        self._exit_ends = started + self.options.exit_timeout
        self._deliver_late()

    def _expect_exit(self) -> None:
        self._expects_exit = True
        lifecycle.expect_exit()
        if lifecycle.exiting():
            self._exit_ends = time.monotonic() + self.options.exit_timeout

    def _deliver_late(self) -> None:
        assert self._exit_ends is not None  # noqa: S101 - the caller has looked
        self.flush(max(self._exit_ends - time.monotonic(), 0.0))
        self._flusher.stop(max(self._exit_ends - time.monotonic(), 0.0))
        left = self._flusher.drop_all("exit")
        if left:
            self._diagnostics.warn(
                "exit",
                f"{left} calls could not be delivered within exit_timeout "
                f"({self.options.exit_timeout:g} s) and are lost",
            )
        self._close_endpoints()
        self._flusher = self._new_flusher(threaded=False)

    def _new_flusher(self, *, threaded: bool) -> Flusher:
        return Flusher(
            self,
            self.options,
            self._buffer,
            self._ledger,
            self._diagnostics,
            (self._track, self._app),
            threaded=threaded,
        )

    def _endpoint(
        self,
        make: Callable[[Options], http.Endpoint],
        given: Mapping[str, object],
        problem: ParamError | None,
    ) -> tuple[http.Endpoint | None, ParamError | None]:
        if problem is not None:
            return None, problem
        try:
            return make(self.options), None
        except ParamError as error:
            if error.param in given:
                raise
            return None, error

    def _close_endpoints(self) -> None:
        for endpoint in (self._track, self._app):
            if endpoint is not None:
                endpoint.close()


def _track_endpoint(options: Options) -> http.Endpoint:
    return http.Endpoint(
        _url("track_url", http.track_url, options.region, options.track_url),
        http.basic(_needed("site_id", options.site_id), _needed("api_key", options.api_key)),
        timeout=options.timeout,
        user_agent=options.user_agent,
        session=options.session,
    )


def _app_endpoint(options: Options) -> http.Endpoint:
    return http.Endpoint(
        _url("app_url", http.app_url, options.region, options.app_url),
        http.bearer(_needed("app_api_key", options.app_api_key)),
        timeout=options.timeout,
        user_agent=options.user_agent,
        session=options.session,
    )


def _url(param: str, read: Callable[[str, str | None], str], region: str, url: str | None) -> str:
    try:
        return read(region, url)
    except ParamError as error:
        raise ParamError(param, error.message) from None


def _needed(name: str, value: str | None) -> str:
    if value is None:
        raise ParamError(name, f"is missing; give it as an option or set CIO_{name.upper()}")
    return value


_lock = threading.RLock()  # guards the two below; re-entrant, as an interrupt may log
_configured: list[Pipeline] = []
_default: Pipeline | None = None


def configure(**options: Any) -> Pipeline:
    """
    Make the process's default pipeline.

    The same options again give the same pipeline. With others there is a new default; the one
    before goes on delivering what it has.

    Raises:
        ParamError: As in `Pipeline`.
    """
    global _default
    wanted, _ = options_from(options)
    with _lock:
        _configured[:] = [pipeline for pipeline in _configured if not pipeline.closed]
        for pipeline in _configured:
            if pipeline.options == wanted:
                _default = pipeline
                return pipeline
        _default = Pipeline(**options)
        _configured.append(_default)
        return _default


def default_pipeline() -> Pipeline:
    """
    The process's default pipeline, made from the environment if `configure` was not called.
    """
    return _default or configure()
