"""Run ``before_send``, which looks at each call before it is accepted, and may change it."""

from __future__ import annotations

from collections.abc import Callable

from cio_events._calls.call import Call
from cio_events._interrupts import faults
from cio_events._process.diagnostics import Diagnostics
from cio_events._process.suppression import mark_records, without_capture


class BeforeSend:
    """
    Runs the application's function, and says what is wrong with it.

    Args:
        function: Returns the call to be sent; None drops it.
    """

    def __init__(self, function: Callable[[Call], Call | None], diagnostics: Diagnostics) -> None:
        self._function = function
        self._diagnostics = diagnostics

    def filter(self, call: Call) -> Call | None:
        """Return what it makes of *call*; None drops it, and so does a function that fails."""
        mark_records()
        try:
            filtered = without_capture(self._function, call)
        except faults(Exception) as error:
            self._drop(f"before_send raised {type(error).__name__}")
            return None
        if filtered is not None and not isinstance(filtered, Call):
            self._drop("before_send returned neither a call nor None")
            return None
        return filtered

    def _drop(self, why: str) -> None:
        self._diagnostics.warn("before_send", f"a call is dropped: {why}")
