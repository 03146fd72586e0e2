"""
What all tests share: a sandbox for each process that runs some, no settings, signals as usual.
"""

from __future__ import annotations

import functools
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

import blinker
import loguru
import pytest
from hypothesis import HealthCheck, given, settings, strategies
from loguru._better_exceptions import ExceptionFormatter

from cio_events import signals
from cio_events._pipeline import default as pipelines
from cio_events._process import exits, forks
from cio_events._sources import attachment
from cio_events.sandbox import Sandbox
from tests.support import nursery, programs, relays, spools, workers
from tests.support.effort import times

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Who starts the tests under nohup, or in the background of a shell, has them ignored; and what
# is ignored, child processes ignore as well.
for _number, _default in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _default)

# Several hundred processes begin here. Where nothing compiled is kept, each compiles all it needs.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# loguru looks for them anew for each sink, which takes longer than most tests with one.
ExceptionFormatter._get_lib_dirs = staticmethod(  # type: ignore[method-assign]
    functools.cache(ExceptionFormatter._get_lib_dirs)
)

settings.register_profile(
    "ours",
    settings.default,
    max_examples=times(100),
    # How long an example takes is the machine's matter.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ours")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """
    Look for garbage neither while tests are collected nor, later, among what all of them share.

    That is over a million objects; to go through them takes longer than most tests do.
    """
    many = workers.count(session.config)
    if many:
        nursery.begin((), ("pytest",), soon=True)
        of_others = ((nursery.OTHERS, *each) for each in programs.ALL)
        # While tests are collected, all cores but one are free; in part of a run, few need these.
        whole = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
        nursery.begin(relays.IMPORTED, *of_others, soon=whole)
    gc.disable()
    try:
        return (yield)
    finally:
        if many:
            _warm_up()
        gc.enable()
        gc.collect()
        gc.freeze()
        # And seldom at all: as often as usual, it takes a tenth of the time of all tests.
        gc.set_threshold(10_000, 20, 50)


@given(strategies.text())
@settings(max_examples=1, database=None)
def _example(_: str) -> None:
    """Have Hypothesis make its table of all characters: in a fresh clone it takes seconds."""


def _warm_up() -> None:
    """Have once what each worker would make for itself."""
    _example()
    # Hypothesis has each collection of garbage call it, to count the time. Python swallows what an
    # alarm's handler raises just then, and the test would wait for it.
    gc.callbacks.clear()
    with Sandbox():  # which imports its server
        pass


@pytest.fixture(scope="session", autouse=True)
def _worker() -> Iterator[None]:
    """Take the process for one that was never forked, and end what children were forked from."""
    forks.detect_fork()
    exits.at_once = False
    yield
    nursery.close()


def pytest_sessionfinish() -> None:
    """End the processes that the workers had their children from."""
    nursery.close()


@pytest.fixture(scope="session")
def _running_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_running_sandbox: Sandbox) -> Iterator[Sandbox]:
    """A Customer.io that has heard of nobody and lets everybody in."""
    _running_sandbox.clear()
    yield _running_sandbox
    _running_sandbox.heal()


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings in the environment, no default pipeline, no receiver, no sink of loguru's."""
    for name in list(os.environ):
        if name.startswith("CIO_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(pipelines, "process", pipelines.Pipelines())
    with spools.closing_all():
        yield
    pipelines.process.close()
    for hook in signals._namespace.values():
        for receiver in list(hook.receivers_for(blinker.ANY)):
            hook.disconnect(receiver)
    loguru.logger.remove()
    for handler in attachment._handlers:  # what becomes of them concerns no other test
        handler.closed = True
