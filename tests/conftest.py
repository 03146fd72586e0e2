"""
What all tests share: a sandbox, no settings, signals as usual; and how the workers take turns.

The suite runs in several processes (pytest-xdist), each of which has a sandbox of its own. A test
that is marked ``alone`` comes last, and no other test runs beside it.
"""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from cio_events._pipeline import default as pipelines
from cio_events._sources import attachment
from cio_events.sandbox import Sandbox
from tests.support import nursery, spools
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

settings.register_profile("ours", settings.default, max_examples=times(100))
settings.load_profile("ours")

# Twice as many as the smallest machine has cores: the tests wait more than they compute.
WORKERS = 4

ROOT = Path(__file__).parents[1]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Test a file, or what a file holds, in this process; what the environment says goes first."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return 0 if any(".py" in argument for argument in config.args) else WORKERS


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """
    Look for garbage neither while tests are collected nor, later, among what all of them share.

    That is over a million objects; to go through them takes longer than most tests do.
    """
    gc.disable()
    try:
        _import_own_share_first(session.config)
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def _import_own_share_first(config: pytest.Config) -> None:
    """
    Have each worker begin with another file, so that in a new checkout none compiles them all.

    What fails here fails again as its file is collected, and is told there.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    files = sorted(file for one in config.args for file in Path(one).glob("**/test_*.py"))
    left_out = [Path(one).absolute() for one in config.getoption("ignore") or ()]
    first = len(files) * number // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for file in (*files[first:], *files[:first]):
            if not {file.absolute(), *file.absolute().parents}.intersection(left_out):
                with suppress(Exception, pytest.skip.Exception):
                    import_module(
                        ".".join(file.absolute().relative_to(ROOT).with_suffix("").parts)
                    )


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put last what runs alone, so that nobody waits for it."""
    items.sort(key=_is_alone)


# Outermost, so that the suite's guard against hanging does not count the time spent waiting here.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Hold the workers' common lock during a test: all of them at once, or one that is alone."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    # The directory of all workers of this run; see pytest-xdist's "How-tos".
    common = item.config._tmp_path_factory.getbasetemp().parent  # type: ignore[attr-defined]
    with (common / "alone.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if _is_alone(item) else fcntl.LOCK_SH)
        try:
            return (yield)
        finally:
            # By name, as a forked child may still have the file open.
            fcntl.flock(lock, fcntl.LOCK_UN)


def pytest_sessionfinish() -> None:
    """End the process that tests' children were forked from."""
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
    """No settings in the environment, and no default pipeline before and after."""
    for name in list(os.environ):
        if name.startswith("CIO_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(pipelines, "process", pipelines.Pipelines())
    with spools.closing_all():
        yield
    pipelines.process.close()
    for handler in attachment._handlers:  # what becomes of them concerns no other test
        handler.closed = True
