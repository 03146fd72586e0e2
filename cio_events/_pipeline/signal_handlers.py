"""
Delivery before a signal ends the process, for applications that ask for it.

Python runs no exit hooks when a signal's default ends the process, as SIGTERM's does.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, TypeAlias

from cio_events._calls.validation import valid_seconds
from cio_events._exported import exported
from cio_events._process import exits
from cio_events._process.callers import outwards
from cio_events._process.clock import monotonic
from cio_events.errors import ParamError
from cio_events.options import EXIT_TIMEOUT

# These tell something, or stop and continue; they end no process.
_ENDLESS = frozenset(
    getattr(signal, name, None)
    for name in ("SIGCHLD", "SIGCONT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH")
)

# No process can handle these.
_SOVEREIGN = frozenset(getattr(signal, name, None) for name in ("SIGKILL", "SIGSTOP"))

# Rooms whose locks the flushing thread needs.
_WITH_LOCKS = ("cio_events._delivery.ledger", "cio_events._buffers")

# A signal that came in the wrong moment is raised again after this time.
_MOMENT_SECONDS = 0.005

_Earlier: TypeAlias = "Callable[[int, FrameType | None], Any] | int"


@exported
def install_signal_handlers(
    signals: Iterable[int] = (signal.SIGTERM, signal.SIGINT), *, timeout: float | None = None
) -> None:
    """
    Have all pipelines deliver before one of these signals ends the process.

    Then the handler that was there before is called; where there was none, the signal's default
    ends the process, and what could not be delivered is dropped as ``exit``. What is still logged
    after the first signal, by requests that are served to their end, say, leaves at once. A second
    signal does not wait. A signal that was ignored stays ignored, and `KeyboardInterrupt` is
    raised at once, as it leads to an exit in good order.

    Servers that handle SIGTERM themselves and then exit in good order, as gunicorn and Celery
    do, need none of this. ASGI servers are better served by
    `cio_events.integrations.asgi.DeliverAtShutdown`, which waits for the last request too. To
    install again changes the timeout.

    Args:
        signals: Which; each has to be one that ends a process.

        timeout: Seconds to wait at the most; None is each pipeline's ``exit_timeout``.

    Raises:
        ParamError: An argument is invalid, or a signal's handler was not installed from Python.
        RuntimeError: This is not the main thread, the only one that may install handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("install_signal_handlers has to be called on the main thread")
    if timeout is not None:
        valid_seconds(timeout, "timeout")
    if not isinstance(signals, Iterable):
        raise ParamError("signals", "must be signals, such as [signal.SIGTERM]")
    for number, earlier in [(number, _earlier(number)) for number in signals]:
        if isinstance(earlier, _Handler):
            earlier.timeout = timeout
        elif earlier not in (signal.SIG_IGN, signal.default_int_handler):
            signal.signal(number, _Handler(earlier, timeout))


def _earlier(number: int) -> _Earlier:
    if number not in signal.valid_signals():
        raise ParamError("signals", f"has {number!r}, which is no signal")
    if number in _ENDLESS:
        raise ParamError("signals", f"has {number!r}, which does not end a process")
    if number in _SOVEREIGN:
        raise ParamError("signals", f"has {number!r}, which no process can handle")
    earlier = signal.getsignal(number)
    if earlier is None:
        raise ParamError("signals", f"has {number!r}, whose handler was not installed from Python")
    return earlier


class _Handler:
    """Delivers, and passes the signal on."""

    def __init__(self, earlier: _Earlier, timeout: float | None) -> None:
        self.timeout = timeout
        self._earlier = earlier
        self._delivering = False
        self._put_off_since: float | None = None

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if not self._delivering:
            if self._put_off(signum, frame):
                return
            self._delivering = True
            try:
                self._deliver()
            finally:
                self._delivering = False
        self._pass_on(signum, frame)

    def _put_off(self, signum: int, frame: FrameType | None) -> bool:
        """
        See to it that *signum* comes again, if delivery had to wait for the interrupted code.
        """
        if not _holds_a_lock(frame) or not hasattr(signal, "pthread_kill"):
            return False
        now = monotonic()
        if self._put_off_since is None:
            self._put_off_since = now
        if now - self._put_off_since > (EXIT_TIMEOUT if self.timeout is None else self.timeout):
            return False  # it is stuck there
        again = threading.Timer(
            _MOMENT_SECONDS, signal.pthread_kill, (threading.get_ident(), signum)
        )
        again.daemon = True
        try:
            again.start()
        except RuntimeError:
            return False
        return True

    def _deliver(self) -> None:
        self._put_off_since = None
        if callable(self._earlier):
            exits.flush(self.timeout)
        else:
            exits.end(self.timeout)

    def _pass_on(self, signum: int, frame: FrameType | None) -> None:
        if callable(self._earlier):
            self._earlier(signum, frame)
            return
        signal.signal(signum, signal.SIG_DFL)
        signal.raise_signal(signum)
        # The kernel spares the first process of a container; this is what a shell would report.
        os._exit(128 + signum)


def _holds_a_lock(frame: FrameType | None) -> bool:
    """Whether the code that was interrupted may hold a lock that the flushing thread needs."""
    handle = logging.Handler.handle.__code__
    return any(
        one.f_code is handle or str(one.f_globals.get("__name__")).startswith(_WITH_LOCKS)
        for one in outwards(frame)
    )
