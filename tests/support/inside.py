"""
A worker of the tests, from within: it takes tests, runs them, and sends what became of each.

It is forked by `tests.support.workers`, which tells it.
"""

from __future__ import annotations

import os
import signal
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing import connection
    from warnings import WarningMessage

    import pytest

# Of a number in the queue, and of one that is shared.
NUMBER_BYTES = 4


class Told(NamedTuple):
    """What a worker sends of one test."""

    index: int
    reports: list[dict[str, Any]]
    warnings: list[tuple[dict[str, Any], tuple[Any, ...]]]
    stop: bool | str


class Inside:
    """A worker, as it sees itself: a plugin that keeps what is found until it is sent."""

    def __init__(
        self,
        session: pytest.Session,
        runs: Sequence[Sequence[int]],
        running: memoryview[int],
        number: int,
        sender: connection.Connection,
    ) -> None:
        self.session = session
        self.config = session.config
        self.runs = runs
        self.running = running
        self.number = number
        self.sender = sender
        self.pid = os.getpid()
        self.reports: list[dict[str, Any]] = []
        self.warnings: list[tuple[dict[str, Any], tuple[Any, ...]]] = []

    def work(self, queue: int) -> None:
        """Run tests until there are none; does not return."""
        code = 3
        try:
            self._begin()
            self._run(queue)
            code = 0
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would interrupt the end
            code = 2
        except BaseException:
            traceback.print_exc()
        finally:
            if os.getpid() == self.pid:
                with suppress(BaseException):
                    self.session._setupstate.teardown_exact(None)
            os._exit(code)

    def _begin(self) -> None:
        manager = self.config.pluginmanager
        # What they tell is told by the process that the worker was forked from, which also looks
        # whether it hangs: a thread for each test to look, as faulthandler's, takes longer.
        others = ("faulthandler", "junitxml", "lfplugin", "nfplugin", "stepwiseplugin")
        for name in ("terminalreporter", *others):
            if manager.has_plugin(name):
                manager.unregister(name=name)
        manager.register(self)
        self.warnings.clear()  # what is registered hears of those that came before
        # The file that output is caught in is common to all that were forked.
        capture: Any = manager.get_plugin("capturemanager")
        capture.stop_global_capturing()
        capture.start_global_capturing()
        capture.suspend_global_capture()
        factory = self.config._tmp_path_factory  # type: ignore[attr-defined]
        factory._basetemp = factory.getbasetemp() / f"worker-{self.pid}"
        factory._basetemp.mkdir(0o700)

    def _run(self, queue: int) -> None:
        indices = self._taken(queue)
        index = next(indices, None)
        while index is not None:
            following = next(indices, None)
            self._run_one(index, following)
            if self.session.shouldfail or self.session.shouldstop:
                break
            index = following
        self.running[self.number] = 0

    def _taken(self, queue: int) -> Iterator[int]:
        while number := os.read(queue, NUMBER_BYTES):
            yield from self.runs[int.from_bytes(number, "big")]

    def _run_one(self, index: int, following: int | None) -> None:
        items = self.session.items
        self.running[self.number] = index + 1
        self.config.hook.pytest_runtest_protocol(
            item=items[index], nextitem=None if following is None else items[following]
        )
        if os.getpid() != self.pid:
            os._exit(3)  # a child of the test has come back from it
        told = Told(index, self.reports, self.warnings, self.session.shouldstop)
        self.sender.send(tuple(told))
        self.reports, self.warnings = [], []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep it."""
        self.reports.append(
            self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        )

    def pytest_warning_recorded(
        self, warning_message: WarningMessage, when: str, nodeid: str, location: object
    ) -> None:
        """Keep it, with its text alone."""
        details = {
            "message": str(warning_message.message),
            **{
                name: getattr(warning_message, name)
                for name in ("category", "filename", "lineno", "line")
            },
        }
        self.warnings.append((details, (when, nodeid, location)))
