"""
What this package reports about itself: on the logger ``cio_events``, or as a warning.

No report holds a credential, an identifier or a payload; callers see to that.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from contextvars import ContextVar

from cio_events._interrupts import faults, suppress_faults
from cio_events._process.callers import calling_frame, outwards
from cio_events._process.clock import monotonic
from cio_events.errors import CustomerIOWarning

_logger = logging.getLogger("cio_events")

# Long enough that an outage of hours does not fill a log, short enough to be seen in its time.
_SECONDS_BETWEEN_LINES = 60.0

# A name that is made up for each record would be said for ever.
_MOST_NAMES = 20
_LONGEST_NAME = 60


listener: Callable[[str, str], None] | None = None
"""Hears all that there is to say, of which kind and what, also what was said before."""


class Diagnostics:
    """
    Says each kind of thing once, or at most once a minute.

    Args:
        often: Say each thing as often as it comes, but what is said once.
    """

    def __init__(self, *, often: bool = False) -> None:
        self._often = often
        self._once: set[str] = set()
        self._quiet_until: dict[str, float] = {}

    def warn_once(self, kind: str, message: str | Callable[[], str]) -> None:
        """Say *message*, unless something of this *kind* was said before."""
        _tell(kind, message)
        if kind not in self._once:
            self._once.add(kind)
            say(message if isinstance(message, str) else message())

    def warn_few(self, kind: str, name: str, message: str | Callable[[], str]) -> None:
        """
        Say *message* of something called *name*, once for each of the first names of a *kind*.

        The name may come from outside: it is shown without line breaks and escapes, and not
        in full length.
        """
        _tell(kind, f"{shown(name)} {message}")
        key = f"{kind} {name[:_LONGEST_NAME]}"
        if key in self._once:
            return
        said = sum(other.startswith(f"{kind} ") for other in self._once)
        if said > _MOST_NAMES:
            return
        self._once.add(key)
        message = message if isinstance(message, str) else message()
        if said == _MOST_NAMES:
            message += f" (more than {_MOST_NAMES} different ones; no more of them are named)"
        say(f"{shown(name)} {message}")

    def warn(self, kind: str, message: str | Callable[[], str]) -> None:
        """
        Say *message*, unless something of this *kind* was said within the last minute.

        One that takes time to put together may be given as what does so.
        """
        _tell(kind, message)
        now = monotonic()
        if self._often or now >= self._quiet_until.get(kind, 0.0):
            self._quiet_until[kind] = now + _SECONDS_BETWEEN_LINES
            say(message if isinstance(message, str) else message())


def calls(count: int, does: str = "", do: str = "") -> str:
    """So many calls in words, and what one *does* or several *do*."""
    many, verb = ("1 call", does) if count == 1 else (f"{count} calls", do)
    return f"{many} {verb}" if verb else many


origin: ContextVar[Callable[[], str] | None] = ContextVar("cio_events_origin", default=None)
"""Tells which record a call is made of, while one is."""


def where() -> str:
    """
    Which record has the mistake that is said now, or which line of code, as an addition to that.

    ``""`` if neither is known.
    """
    told = origin.get()
    try:
        found = told() if told is not None else _line()
    except faults(Exception):  # what a record holds may raise anything
        return ""
    return f" ({found})" if found else ""


def place(path: str, line: int) -> str:
    """A line of code, as ``cart.py:17``: whose machine it is concerns nobody."""
    return f"{shown(path.replace(chr(92), '/').rpartition('/')[2])}:{line}"


def _line() -> str:
    frame = calling_frame()
    return "" if frame is None else place(frame.f_code.co_filename, frame.f_lineno)


def _tell(kind: str, message: str | Callable[[], str]) -> None:
    if listener is not None:
        listener(kind, message if isinstance(message, str) else message())


def shown(name: str) -> str:
    """A *name* that may come from outside, as one short line without escapes."""
    text = ascii(str.__str__(name)[:_LONGEST_NAME])[1:-1]
    return text if len(name) <= _LONGEST_NAME else f"{text}..."


_process = Diagnostics()

warn_once: Callable[[str, str | Callable[[], str]], None] = _process.warn_once
"""Say something that concerns no pipeline in particular, once for each *kind*."""

warn: Callable[[str, str | Callable[[], str]], None] = _process.warn
"""Say something that concerns no pipeline in particular, at most once a minute for a *kind*."""

warn_few: Callable[[str, str, str | Callable[[], str]], None] = _process.warn_few
"""Say something of a name, once for each of the first names of a *kind*."""


def say(message: str) -> None:
    """Say *message*, and never raise, whatever the application's handlers and filters do."""
    # A dictConfig with disable_existing_loggers disables this logger, which is nobody's wish.
    _logger.disabled = False
    with suppress_faults(Exception):
        if _logger.isEnabledFor(logging.WARNING) and _heard() and not _inside_a_handler():
            _logger.warning(message)
            return
    try:
        # Of no place in the code, since none would tell anything.
        warnings.warn_explicit(message, CustomerIOWarning, "cio_events", 1, "cio_events")
    except faults(Exception):  # most often this one, where warnings are made errors
        with suppress_faults(Exception):
            print(f"cio_events: {message}", file=sys.stderr)  # noqa: T201


def _heard() -> bool:
    """Whether there is a handler that shows what is logged here, if only `logging.lastResort`."""
    logger: logging.Logger | None = _logger
    found = False
    while logger is not None:
        for handler in logger.handlers:
            # A CustomerIOHandler takes nothing of ours, but counts for logging.
            if not getattr(handler, "refuses_diagnostics", False):
                return True
            found = True
        logger = logger.parent if logger.propagate else None
    return not found


def _inside_a_handler() -> bool:
    """
    Whether this thread holds some logging handler's lock.

    To log now could deadlock, and from Python 3.14 on such a record is dropped.
    """
    handle = logging.Handler.handle.__code__
    return any(frame.f_code is handle for frame in outwards(sys._getframe()))
