"""Say once, where ``debug`` asks for it, what in the set-up keeps records from us."""

from __future__ import annotations

import atexit

from cio_events._interrupts import suppress_faults
from cio_events._process import debugging
from cio_events._process.diagnostics import say
from cio_events._process.forks import late_imports
from cio_events._sources import attachment

_reported = False
_expected = False


def expect_report() -> None:
    """Report at the exit, if no record comes by before."""
    global _expected
    if debugging.on and not debugging.listened and not _expected:
        _expected = True
        atexit.register(report)


def report() -> None:
    """Say what keeps records from us, once."""
    global _reported
    if _reported:
        return
    _reported = True
    # Not imported above: only those who debug need it.
    with late_imports():
        from cio_events._sources.setup.obstacles import obstacles

    with suppress_faults(Exception):  # what others have configured may raise anything
        attachment.look()
        for obstacle in obstacles():
            say(f"debug: set-up: {obstacle.text}")
