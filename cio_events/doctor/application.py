"""Set this process up as the application is: import it, or have Django do so."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cio_events._calls.ulid import new_id
from cio_events._pipeline import recording
from cio_events._process.diagnostics import shown
from cio_events.doctor.finding import Finding
from cio_events.doctor.table import found
from cio_events.errors import CustomerIOError

if TYPE_CHECKING:
    from cio_events._calls.call import Call
    from cio_events._wire.envelope import Envelope
    from cio_events.errors import ParamError
    from cio_events.signals import DroppedReason


class _Nowhere:
    """A `cio_events._pipeline.recording.Recording` that keeps nothing, and nobody hears of it."""

    raises = False
    keeps_time = False

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def new_id(self, milliseconds: int) -> str:
        return new_id(milliseconds)

    def accepted(self, envelope: Envelope) -> None:
        del envelope

    def refused(self, call: Call | None, error: ParamError) -> None:
        pass

    def dropped(self, call: Call, reason: DroppedReason) -> None:
        pass


@contextmanager
def sending_nothing() -> Iterator[None]:
    """Have no pipeline of this process send anything, or touch its spool."""
    nowhere = _Nowhere()
    recording.open_(nowhere)
    recording.only_looked_at = True
    try:
        yield
    finally:
        recording.only_looked_at = False
        recording.close(nowhere)


def imported(module: str) -> Finding:
    """Import *module*, such as ``shop.wsgi``; what follows a colon is not looked at."""
    _look_here()
    name = module.partition(":")[0]
    try:
        import_module(name)
    # Also what ends a process, as a settings file may do.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return found("E004", place_of(error), module=shown(name), error=told(error))
    return found("I003", module=shown(name))


def set_up_django(settings: str) -> Finding:
    """Have Django set up with the module *settings*, such as ``shop.settings``."""
    _look_here()
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    try:
        import_module("django").setup()
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return found("E005", place_of(error), module=shown(settings), error=told(error))
    return found("I003", module=shown(settings))


def told(error: BaseException) -> str:
    """
    What *error* is, and what it came of: our own words, or what names something of the code.

    Another text may hold anything.
    """
    kind = type(error).__name__
    for one in _chained(error):
        if isinstance(one, CustomerIOError):
            return f"{kind} ({one})"
        if isinstance(one, (ImportError, AttributeError, NameError)) and one.name:
            cause = "" if one is error else f"{type(one).__name__}: "
            return f"{kind} ({cause}{shown(one.name)})"
    return kind


def _chained(error: BaseException) -> Iterator[BaseException]:
    """*error* and what it came of, the first cause first."""
    chain: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in chain:
        chain.append(one)
        one = one.__cause__ or one.__context__
    return reversed(chain)


def place_of(error: BaseException) -> str:
    """The line that raised *error*, below the working directory if there is one."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    here = str(Path.cwd()) + os.sep
    own = [frame for frame in frames if frame.filename.startswith(here)] or frames
    outside = [frame for frame in own if "importlib" not in frame.filename]
    if not outside or outside[-1].filename == __file__:
        return ""
    return f"{_short(outside[-1].filename)}:{outside[-1].lineno}"


def _short(path: str) -> str:
    return path.removeprefix(str(Path.cwd()) + os.sep)


def _look_here() -> None:
    # As `python -m` does; an installed command does not.
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
