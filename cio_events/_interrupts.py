"""
What interrupts our code on its own thread, and what it raises there.

A time limit, a Ctrl-C or an alarm raises between any two lines of ours, by a signal's handler or
into the thread itself. It is meant for the application, whatever its class is, and no ``except``
clause of ours may take it.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # in no stubs
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import CodeType, FrameType
from typing import TypeVar

E = TypeVar("E", bound=BaseException)

# What raises no class of an application's: Python, and what is beneath us.
_KNOWN = sys.stdlib_module_names | {
    "blinker",
    "charset_normalizer",
    "cio_events",
    "idna",
    "loguru",
    "orjson",
    "redis",
    "requests",
    "socks",
    "structlog",
    "urllib3",
}

_HAS_VARARGS = 0x04  # of a code object's flags


def holds(lock: threading.RLock) -> bool:
    """Whether this thread holds *lock*: then this is an interrupt of its own work."""
    # What threading.Condition asks too; a flag of our own could be left behind by an exception.
    owned: bool = lock._is_owned()  # type: ignore[attr-defined] # noqa: SLF001
    return owned


def faults(*kinds: type[E]) -> tuple[type[E], ...]:
    """
    *kinds*, for an ``except`` clause that lets pass what an interrupt has raised.

    As in ``except faults(Exception):``. It is asked for only when something was raised.
    """
    error = sys.exc_info()[1]
    return () if error is not None and is_interrupt(error) else kinds


class suppress_faults(suppress):  # noqa: N801 - named as the class that it is made from
    """`contextlib.suppress`, which lets pass what an interrupt has raised."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        """Whether *error* ends here."""
        caught = super().__exit__(kind, error, traceback)  # type: ignore[arg-type]
        return bool(caught) and error is not None and not is_interrupt(error)


def interrupt_behind(
    error: BaseException | None, handled: BaseException | None
) -> BaseException | None:
    """
    The interrupt that *error* is, or that the libraries beneath us have made it of; None if none.

    They take what is raised amid a request for an error of the connection, if it is of its kind;
    and urllib3 gives its own error the traceback of what it was made of.

    Args:
        error: What was caught.

        handled: What was being handled before, which is no part of it.
    """
    found = None
    while error is not None and error is not handled:
        if not isinstance(error, Exception) or is_interrupt(error):
            found = error
        error = error.__cause__ or error.__context__
    return found


def bare(interrupt: BaseException) -> BaseException:
    """
    Return *interrupt* without the frames that it has come through, but a handler's own.

    Those of a request hold credentials, and error trackers show the variables of each frame.
    """
    traceback = interrupt.__traceback__
    while traceback is not None and not handles_signal(traceback.tb_frame):
        traceback = traceback.tb_next
    return interrupt.with_traceback(traceback)


def is_interrupt(error: BaseException) -> bool:
    """
    Whether *error*, which was caught on its way up, was raised by an interrupt.

    Either it came through the handler of a signal, or it was raised into this thread
    (``PyThreadState_SetAsyncExc``): then its innermost frame is one that never raises its class.
    What is raised so into code that a record's value runs cannot be told from what that raises.
    """
    traceback = error.__traceback__
    if traceback is None:
        return False
    frame = traceback.tb_frame  # of who has caught it
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
        frame = traceback.tb_frame
        if handles_signal(frame):
            return True
    return _is_known(frame.f_globals.get("__name__")) and _is_foreign(error)


def handles_signal(frame: FrameType) -> bool:
    """Whether *frame* is that of a signal's handler."""
    # It gets what it has interrupted, which is also what it returns to; but may let go of it.
    return gets_what_it_interrupts(frame) or frame.f_code in _handlers()


def gets_what_it_interrupts(frame: FrameType) -> bool:
    """The same, as far as *frame* itself tells."""
    code, back = frame.f_code, frame.f_back
    if back is None or not (code.co_argcount or code.co_flags & _HAS_VARARGS):
        return False
    found, names = frame.f_locals, code.co_varnames
    given = [found.get(name) for name in names[: code.co_argcount]]
    if code.co_flags & _HAS_VARARGS:
        given += found.get(names[code.co_argcount + code.co_kwonlyargcount], ())
    return any(each is back for each in given)


def _handlers() -> Iterator[CodeType]:
    # Not signal.getsignal(), which looks up names for numbers, a hundred times as long.
    for number in range(1, _signal.NSIG):
        handler = _signal.getsignal(number)
        code = getattr(getattr(handler, "__func__", handler), "__code__", None)
        if code is not None:
            yield code


def _is_known(module: object) -> bool:
    return str(module).partition(".")[0] in _KNOWN


def _is_foreign(error: BaseException) -> bool:
    """Whether its class is Python code of somebody else's: no extension raises it by itself."""
    name = type(error).__module__
    if _is_known(name):
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return name == "__main__" or str(file).endswith((".py", ".pyc"))
