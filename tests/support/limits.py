"""Time limits as applications set them: a signal's handler that raises, each of its own kind."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from billiard.pool import soft_timeout_sighandler
from celery.exceptions import SoftTimeLimitExceeded
from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty


class LimitError(Exception):
    """What a time limit raises: an `Exception`, as those of Celery and RQ are."""


def alarmed(handler: Callable[..., object], block: Callable[[], object]) -> None:
    """Have *handler* called while *block* waits on this thread."""
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        block()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def timed_out(*_: object) -> None:
    """What `signal.alarm` is often used for."""
    raise TimeoutError


def forgetful(signum: int, frame: FrameType | None) -> None:
    """A handler that has let go of the frame when it raises."""
    del frame
    raise LimitError


class Job:
    """Something with a handler of its own."""

    def stop(self, *_: object) -> None:
        """Raise from a call further down."""
        timed_out()


LIMITS: dict[str, tuple[Callable[..., object], type[BaseException]]] = {
    "celery": (soft_timeout_sighandler, SoftTimeLimitExceeded),
    "rq": (
        UnixSignalDeathPenalty(1, JobTimeoutException).handle_death_penalty,
        JobTimeoutException,
    ),
    "alarm": (timed_out, TimeoutError),
    "Ctrl-C": (signal.default_int_handler, KeyboardInterrupt),
    "forgetful": (forgetful, LimitError),
    "method": (Job().stop, TimeoutError),
}
