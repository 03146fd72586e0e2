"""
pytest's plugin that runs the tests in several processes, each forked when all are collected.

So the suite is imported and collected once, and what a worker needs is there as it begins. A
worker takes a run of tests that stand together from a common queue, sends what became of each,
and takes the next. What is marked ``alone`` comes last, in a worker that has the machine.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from itertools import groupby
from mmap import mmap
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, NamedTuple
from warnings import WarningMessage

import pytest

from tests.support.inside import NUMBER_BYTES, Inside, Told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Three times as many as the smallest machine has cores: the tests wait more than they compute, and
# with twice as many the cores idled for a quarter of the run.
AUTO = 6

# At most so many tests that stand together are taken at once, and fewer towards the end.
_LONGEST_RUN = 24

# Seconds: for a worker that was interrupted to end what it had begun, and between two looks at
# whether one has died.
_GRACE = 10.0
_LOOK = 0.2


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the number of workers be said."""
    # Other than `addoption`, this one takes a letter that pytest does not use.
    parser.getgroup("workers")._addoption(  # type: ignore[attr-defined]
        "-n",
        dest="workers",
        default="auto",
        metavar="COUNT",
        help=f"processes to test in: 0 is this one; auto: {AUTO}, or 0 if files are named",
    )


def count(config: pytest.Config) -> int:
    """How many workers there are to be; 0 is none but this process."""
    said: str = config.option.workers
    if said == "auto":
        named = any(".py" in argument for argument in config.args)
        return 0 if named or config.option.usepdb else AUTO
    if not said.isdecimal():
        raise pytest.UsageError(f"-n: a number or auto, not {said!r}")
    return int(said)


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put last what runs alone, so that nobody waits for it."""
    items.sort(key=_is_alone)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the tests in the workers, and tell what they found as if it had been found here."""
    config = session.config
    workers = count(config)
    broken = session.testsfailed and not config.option.continue_on_collection_errors
    if not workers or broken or config.option.collectonly:
        return None
    alive = [
        thread.name for thread in threading.enumerate() if thread is not threading.current_thread()
    ]
    if alive:
        raise pytest.UsageError(f"threads that run once all is imported: {', '.join(alive)}")
    # Forked children find it made.
    config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.showfspath = False  # the files of several workers take turns
    finished: set[int] = set()
    every = range(len(session.items))
    for alone in (False, True):
        while left := [
            each
            for each in every
            if each not in finished and _is_alone(session.items[each]) is alone
        ]:
            # A second time only if a worker has died, for what it had taken and not begun.
            _Round(session, left, 1 if alone else workers).run(finished)
    return True


class _Worker(NamedTuple):
    """A worker, as the process that forked it sees it."""

    number: int
    pid: int
    receiver: connection.Connection


class _Round:
    """Tests that are run side by side, and the workers that do it."""

    def __init__(self, session: pytest.Session, indices: Sequence[int], count: int) -> None:
        self.session = session
        self.hook = session.config.hook
        self.count = count
        self.runs = list(_runs(session.items, indices, count))
        # Which test each worker is at, from 1; shared with them.
        self.running = memoryview(mmap(-1, count * NUMBER_BYTES)).cast("i")
        self.workers: dict[connection.Connection, _Worker] = {}
        # Which test a worker was seen at, and since when; and for how many seconds it may be.
        self.seen: dict[int, tuple[int, float]] = {}
        self.patience = float(session.config.getini("faulthandler_timeout") or "inf")
        self.interrupted = False

    def run(self, finished: set[int]) -> None:
        """Run them, and add to *finished* which ones were."""
        queue, end = os.pipe()
        on_interrupt = signal.signal(signal.SIGINT, self._note_interrupt)
        try:
            # A reader takes one number: what a pipe has not yet given is there for the next.
            for each in range(len(self.runs)):
                os.write(end, each.to_bytes(NUMBER_BYTES, "big"))
            os.close(end)
            for number in range(min(self.count, len(self.runs))):
                self._fork(number, queue, on_interrupt)
            while self.workers:
                ready = connection.wait(list(self.workers), _LOOK)
                for worker in list(self.workers.values()):
                    # Of one that has ended, somebody, such as a child, may have the pipe open.
                    if worker.receiver in ready or (not ready and _has_ended(worker.pid)):
                        self._receive(worker, finished)
                self._end_hung()
                if self.interrupted:
                    raise KeyboardInterrupt
        finally:
            signal.signal(signal.SIGINT, on_interrupt)
            os.close(queue)
            self._end()

    def _note_interrupt(self, *_: object) -> None:
        # Raised anywhere, it would leave a worker running that was just forked; and pytest cannot
        # tell of one at an instruction that is of no line.
        self.interrupted = True

    def _fork(self, number: int, queue: int, on_interrupt: Any) -> None:
        receiver, sender = multiprocessing.Pipe(duplex=False)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, on_interrupt)
            for each in (receiver, *self.workers):
                each.close()
            Inside(self.session, self.runs, self.running, number, sender).work(queue)
        sender.close()
        self.workers[receiver] = _Worker(number, pid, receiver)

    def _receive(self, worker: _Worker, finished: set[int]) -> None:
        try:
            if not worker.receiver.poll():
                raise EOFError
            told = Told(*worker.receiver.recv())
        except (EOFError, OSError):
            self._note_death(worker, finished)
            return
        finished.add(told.index)
        item = self.session.items[told.index]
        for details, where in told.warnings:
            self.hook.pytest_warning_recorded.call_historic(
                kwargs=dict(zip(("when", "nodeid", "location"), where, strict=True))
                | {"warning_message": WarningMessage(**details)}
            )
        reports = [
            self.hook.pytest_report_from_serializable(config=self.session.config, data=each)
            for each in told.reports
        ]
        self._tell(item, reports)
        self.session.shouldstop = self.session.shouldstop or told.stop
        self._stop_if_asked()

    def _tell(self, item: pytest.Item, reports: list[pytest.TestReport]) -> None:
        self.hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in reports:
            self.hook.pytest_runtest_logreport(report=report)
        self.hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _stop_if_asked(self) -> None:
        if self.session.shouldfail:
            raise self.session.Failed(self.session.shouldfail)
        if self.session.shouldstop:
            raise self.session.Interrupted(self.session.shouldstop)

    def _note_death(self, worker: _Worker, finished: set[int]) -> None:
        """What a worker died of is a failure of the test it was at."""
        del self.workers[worker.receiver]
        worker.receiver.close()
        code = _code(worker.pid)
        index = self.running[worker.number] - 1
        if index < 0 and code == 0:
            return
        if index < 0 or index in finished:
            raise RuntimeError(f"a worker ended with {code} and in no test")
        finished.add(index)
        item = self.session.items[index]
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        report = pytest.TestReport(
            item.nodeid, item.location, {}, "failed", f"the worker {how} in this test", "call"
        )
        self._tell(item, [report])
        self._stop_if_asked()

    def _end_hung(self) -> None:
        """Have a worker that is at one test for too long show its stacks and die."""
        now = time.monotonic()
        for worker in self.workers.values():
            running = self.running[worker.number]
            at, since = self.seen.get(worker.number, (-1, now))
            if at != running:
                self.seen[worker.number] = (running, now)
            elif now - since > self.patience:
                os.kill(worker.pid, signal.SIGABRT)

    def _end(self) -> None:
        """Interrupt what still runs, and kill what goes on."""
        for worker in self.workers.values():
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGINT)
        end = time.monotonic() + _GRACE
        for worker in self.workers.values():
            while not _has_ended(worker.pid) and time.monotonic() < end:
                # Nobody wants to know any more, but a full pipe would hold it up.
                with suppress(EOFError, OSError):
                    if worker.receiver.poll(_LOOK):
                        worker.receiver.recv_bytes()
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
            _code(worker.pid)
            worker.receiver.close()
        self.workers.clear()


def _runs(items: Sequence[pytest.Item], indices: Sequence[int], count: int) -> Iterator[list[int]]:
    """
    Tests of one file that a worker takes at once: ever fewer, so that all end together.

    First come those that share what their file has made, which is made once if one takes them all.
    """
    files = [list(group) for _, group in groupby(indices, lambda each: items[each].path)]
    left = len(indices)
    for share in (True, False):
        for together in files:
            if any(_shares(items[each]) for each in together) is not share:
                continue
            while together:
                most = max(1, min(_LONGEST_RUN, left // (4 * count)))
                run = together[: len(together) if share else most]
                yield run
                left -= len(run)
                del together[: len(run)]


def _shares(item: pytest.Item) -> bool:
    """Whether something is made for it that others of its file use as well."""
    made: Any = getattr(item, "_fixtureinfo", None)
    return made is not None and any(
        one.scope == "module" for each in made.name2fixturedefs.values() for one in each
    )


def _has_ended(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _code(pid: int) -> int:
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return 0
