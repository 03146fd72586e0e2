"""
What a signal's handler raises, a time limit say, passes through a log call of ours at any line.

It reaches its owner, whatever its class is, and leaves nothing behind: no count, no lock, no call.
"""

from __future__ import annotations

import ast
import dis
import linecache
import logging
import signal
import sys
import threading
from collections import UserList
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from rq.timeouts import JobTimeoutException, TimerDeathPenalty

import cio_events
from cio_events import Pipeline
from cio_events._interrupts import is_interrupt
from cio_events._pipeline import default
from cio_events._process import diagnostics, forks, suppression
from cio_events.sandbox import Sandbox
from tests.support import garbage
from tests.support.effort import THOROUGH
from tests.support.limits import LIMITS, LimitError, alarmed

if TYPE_CHECKING:
    from typing_extensions import Self

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs POSIX signals")

OURS = str(Path(cio_events.__file__).parent)

# A signal comes the first time that a place is reached, at each of so many places.
_STEP = 2 if THOROUGH else 43

# Before these, Python looks for no signal; to raise amid a call, of which the names of arguments
# are known already, would even crash it.
_QUIET = (
    *("NOP", "SETUP_FINALLY", "SETUP_WITH"),
    *("PRECALL", "CALL", "CALL_KW", "CALL_FUNCTION_EX", "CALL_FUNCTION_KW"),
)


def exceed(signum: int, frame: FrameType | None) -> None:
    """What is done when the time is up."""
    raise LimitError


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, exceed)
    yield
    signal.signal(signal.SIGUSR1, before)


def _between(room: str) -> set[int]:
    """
    Lines of a module at which no handler runs, since nothing was called since the line before.

    They are where something is entered or left: Python leaves a lock there if it is made to raise.
    """
    lines = set()
    for node in ast.walk(ast.parse(Path(room).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Try) and node.finalbody:
            first = node.finalbody[0]
            lines.add((first.body[0] if isinstance(first, ast.Try) else first).lineno)
    return lines


class Interrupt:
    """
    Have a signal come at the moment number *moment* at which one may, amid code of ours.

    Moments are before each line and behind each call, the first time that they come.
    """

    _lines: ClassVar[dict[str, set[int]]] = {}
    _names: ClassVar[dict[CodeType, list[str]]] = {}

    def __init__(self, moment: int) -> None:
        self.moment = moment
        self.seen: set[tuple[int, int]] = set()
        self.where = ""
        self._entered: set[tuple[FrameType, int]] = set()
        self._called: dict[FrameType, int] = {}  # on which line

    def __enter__(self) -> Self:
        sys.settrace(self._enter)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _enter(self, frame: FrameType, event: str, _: object) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(OURS) or _finalizes(frame):
            return None
        frame.f_trace_opcodes = True
        if code.co_filename not in self._lines:
            self._lines[code.co_filename] = _between(code.co_filename)
        if code not in self._names:
            self._names[code] = [dis.opname[each] for each in code.co_code]
        # At hand for each opcode of it: to look them up takes longer than all else.
        return partial(self._trace, id(code), self._lines[code.co_filename], self._names[code])

    def _trace(
        self, code: int, lines: set[int], names: list[str], frame: FrameType, event: str, _: object
    ) -> Any:
        if event in ("line", "opcode") and self._may_come(lines, names, frame, event):
            place = (code, frame.f_lasti)
            if place not in self.seen:
                self.seen.add(place)
                self.moment -= 1
            if self.moment == 0:
                self.moment = -1
                sys.settrace(None)
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                signal.raise_signal(signal.SIGUSR1)
        return frame.f_trace

    def _may_come(self, lines: set[int], names: list[str], frame: FrameType, event: str) -> bool:
        name, line = names[frame.f_lasti], frame.f_lineno
        between = line in lines
        if event == "opcode":
            called = self._called.pop(frame, None)
            if name.startswith("CALL"):
                self._called[frame] = line
            return called is not None and (called == line or not between)
        return not between and name not in _QUIET and not self._leaves(frame, line)

    def _leaves(self, frame: FrameType, line: int) -> bool:
        """Whether the ``with`` of that *line* is left."""
        text = linecache.getline(frame.f_code.co_filename, line)
        if not text.lstrip().startswith("with "):
            return False
        entered = (frame, line) in self._entered
        self._entered.add((frame, line))
        return entered


def _finalizes(frame: FrameType | None) -> bool:
    """Whether the garbage collector has called this; what is raised there reaches nobody."""
    while frame is not None and frame.f_code.co_filename.startswith(OURS):
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def apart(call: Callable[[], object]) -> Iterator[object]:
    """
    Have *call* handle exceptions where nobody else does: in a generator, which keeps its own.

    To raise between two opcodes leaves one there, as if it were being handled for ever.
    """
    yield call()


class Hostile(UserList[int]):
    """A value that cannot be read."""

    def __iter__(self) -> Iterator[object]:
        raise ValueError


PLAIN = {"event": "bought", "cio_customer": "5", "price": 13.99}
WAYS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "fast": ({}, [PLAIN]),
    "slow": ({"before_send": lambda call: call}, [{**PLAIN, "of": {1, 2}, "bad": Hostile()}]),
    "refused": ({}, [{**PLAIN, "cio_customer": None}]),
    "blocked": ({"on_full": "block", "max_pending": 1}, [PLAIN] * 3),
}


def locks_of(pipeline: Pipeline) -> list[Any]:
    """All locks that a log call may take."""
    worker, buffer = pipeline._worker, pipeline._buffer
    found = [
        pipeline._ledger._lock,
        worker._starting,
        worker.blocked._admitting,
        worker._turn,
        default._lock,
        forks._guard,
        forks._importing,
    ]
    if pipeline.options.spool is not None:
        found += [buffer._lock, buffer._turn, buffer._dead_letters.lock]
    return found


def assert_nothing_is_left(pipeline: Pipeline, where: str) -> None:
    """No lock is held, nobody waits, nothing waits in memory that should not, all adds up."""
    assert not any(lock._is_owned() for lock in locks_of(pipeline)), where
    assert not pipeline._worker.blocked, where
    assert not suppression.suppressed(), where
    assert diagnostics.origin.get() is None, where
    stats = pipeline.stats()
    assert stats.received == stats.sent + stats.failed + stats.dropped + stats.pending, where
    assert stats.in_memory == 0, where


# What is interrupted while it is opened, a file or a database, is closed by its finalizer.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("new", [False, True], ids=["", "first"])
@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("spooled", [False, True], ids=["memory", "spool"])
def test_a_time_limit_at_every_line(
    sandbox: Sandbox, tmp_path: Path, way: str, *, spooled: bool, new: bool
) -> None:
    """It is raised out of the log call, which is whole or was not made, and the next is fine."""
    if new and way != "fast":
        pytest.skip("what a first call does is the same for each")
    options, records = WAYS[way]
    if spooled:
        options = {**options, "spool": str(tmp_path / "spool")}
    logging.getLogger("cio_events").addHandler(quiet := logging.NullHandler())
    pipeline, received = None, 0
    try:
        for moment in count(1, _STEP):
            if pipeline is None or new:
                if pipeline is not None:
                    assert pipeline.close(20)
                    received += pipeline.stats().sent
                pipeline = Pipeline(
                    site_id="site",
                    api_key="key",
                    track_url=sandbox.url,
                    flush_interval=0.001,
                    timeout=20,
                    **options,
                )
                processor = cio_events.CustomerIOProcessor(pipeline)
            reached = False
            with Interrupt(moment) as interrupt:
                try:
                    for record in records:
                        next(apart(lambda: processor(None, "info", dict(record))))  # noqa: B023
                except LimitError:
                    reached = True
            if not interrupt.where:
                break
            assert reached, interrupt.where
            assert_nothing_is_left(pipeline, interrupt.where)
            if moment % 10 == 1:
                assert pipeline.flush(20), interrupt.where
    finally:
        logging.getLogger("cio_events").removeHandler(quiet)
        assert pipeline is not None
        delivered = pipeline.close(20)
        garbage.collect()  # now, as a later test would be blamed for what is found then
    assert delivered
    assert moment > 100
    received += pipeline.stats().sent
    ids = [event["id"] for request in sandbox.requests for event in request.body["batch"]]
    assert len(ids) == len(set(ids)) == received


@pytest.fixture
def full() -> Iterator[Pipeline]:
    """A pipeline that is full, whose callers wait for room."""
    url = "http://127.0.0.1:1"
    pipeline = Pipeline(
        site_id="site", api_key="key", track_url=url, on_full="block", max_pending=1
    )
    logging.getLogger("cio_events").addHandler(quiet := logging.NullHandler())
    assert pipeline.track("5", "first")
    yield pipeline
    pipeline.close(0)
    logging.getLogger("cio_events").removeHandler(quiet)


def blocking(pipeline: Pipeline) -> Callable[[], object]:
    """A log call that waits for room."""
    processor = cio_events.CustomerIOProcessor(pipeline)
    return lambda: processor(None, "info", dict(PLAIN))


@pytest.mark.parametrize("limit", list(LIMITS))
def test_a_time_limit_while_a_log_call_waits_for_room(full: Pipeline, limit: str) -> None:
    """Those of Celery and RQ as they raise them, and others."""
    handler, kind = LIMITS[limit]

    with pytest.raises(kind):
        alarmed(handler, blocking(full))

    stats = full.stats()
    assert (stats.received, stats.failed, stats.pending) == (1, 0, 1)
    assert not full._worker.blocked


def test_a_time_limit_that_is_raised_into_the_thread(full: Pipeline) -> None:
    """As RQ's does where there are no signals."""
    block = blocking(full)
    TimerDeathPenalty(0.05, JobTimeoutException).setup_death_penalty()

    with pytest.raises(JobTimeoutException):
        block()

    assert (full.stats().received, full.stats().failed) == (1, 0)


@pytest.mark.parametrize("option", ["before_send", "receiver", "value"])
def test_a_time_limit_in_code_of_the_application_that_we_call(
    sandbox: Sandbox, option: str
) -> None:
    """It is not taken for what that code raises itself."""

    def wait(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGUSR1)

    class Slow(UserList[int]):
        def __iter__(self) -> Iterator[int]:
            wait()
            return iter([1])

    record = {**PLAIN, "of": Slow()} if option == "value" else dict(PLAIN)
    if option == "receiver":
        record["cio_customer"] = None
        cio_events.signals.failed.connect(wait)
    with Pipeline(
        site_id="site",
        api_key="key",
        track_url=sandbox.url,
        before_send=wait if option == "before_send" else None,
    ) as pipeline:
        with pytest.raises(LimitError):
            cio_events.CustomerIOProcessor(pipeline)(None, "info", record)
        assert pipeline.flush(20)
        assert pipeline.stats().pending == 0


def test_what_a_value_raises_is_no_interrupt() -> None:
    """Whatever it is, and also where the log call is a signal handler's."""

    class Odd:
        def __iter__(self) -> Iterator[object]:
            raise LimitError

    def meet(*_: object) -> None:
        try:
            list(Odd())  # type: ignore[call-overload]
        except LimitError as error:
            met.append(is_interrupt(error))

    met: list[bool] = []
    meet()
    alarmed(meet, lambda: threading.Event().wait(0.2))

    assert met == [False, False]
