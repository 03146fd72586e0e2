"""
pytest's plugin: the fixtures ``cio`` and ``cio_sandbox``, and no test that reaches Customer.io.

It imports pytest alone. `cio_events` is imported when a fixture is first used, or by whoever
tests it; until then, this module keeps for it that the process may reach loopback alone.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cio_events.sandbox import Sandbox
    from cio_events.testing import Recorder
    from cio_events.testing.workspace import TestSandbox

only_loopback: bool = False
"""Whether `cio_events` keeps this process on loopback; it looks here when it is imported."""

_VARIABLE = "CIO_ONLY_LOOPBACK"
_OURS = "pytest"  # what we set it to, so that cio_live does not lift what others have set

_STATE: pytest.StashKey[tuple[bool, str | None]] = pytest.StashKey()
_RECORDER: pytest.StashKey[Recorder] = pytest.StashKey()
_SANDBOX: pytest.StashKey[TestSandbox] = pytest.StashKey()


# Before and after all tests.


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini option."""
    parser.addini(
        "cio_strict",
        "a test with the fixture cio fails if it leaves calls unasserted",
        type="bool",
        default=False,
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Bind this process to loopback before anything of the application is imported."""
    _begin(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark, and bind this process where nothing has done so yet."""
    config.addinivalue_line(
        "markers", "cio_live: calls of this test may reach Customer.io, or whatever host is set"
    )
    _begin(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave this process as it was."""
    if _STATE in config.stash:
        before, variable = config.stash[_STATE]
        _hold(before)
        _set_variable(variable)


def _begin(config: pytest.Config) -> None:
    if _STATE not in config.stash:
        config.stash[_STATE] = only_loopback, os.environ.get(_VARIABLE)
        _hold(True)
        if not os.environ.get(_VARIABLE):
            _set_variable(_OURS)


def _hold(only: bool) -> None:  # noqa: FBT001
    global only_loopback
    only_loopback = only
    # Not imported: where nobody has, there is nothing to hold.
    recording = sys.modules.get("cio_events._pipeline.recording")
    if recording is not None:
        recording.bind(only_loopback=only)


def _set_variable(value: str | None) -> None:
    if value is None:
        os.environ.pop(_VARIABLE, None)
    else:
        os.environ[_VARIABLE] = value


# Each test.


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let the calls of a test out that is marked so."""
    _blocked()  # what a thread of an earlier test did is no fault of this one
    if item.get_closest_marker("cio_live") is None:
        return (yield)
    variable = os.environ.get(_VARIABLE)
    _hold(False)
    if variable == _OURS:
        _set_variable(None)
    try:
        return (yield)
    finally:
        _hold(True)
        _set_variable(variable)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose fixtures' calls were blocked."""
    result = yield
    _fail_if_blocked()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose calls were blocked, or left unasserted where that is asked for."""
    result = yield
    _fail_if_blocked()
    recorder = item.stash.get(_RECORDER, None)
    left = None if recorder is None else _left_in(recorder)
    if left is not None:
        pytest.fail(left, pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose calls were blocked while it ended."""
    result = yield
    _fail_if_blocked()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what was recorded, and what was blocked, where a test has failed."""
    report = yield
    if report.failed:
        recorder = item.stash.get(_RECORDER, None)
        lines = [] if recorder is None else [recorder.summary(whole=bool(recorder.verbose))]
        lines += _blocked()
        if lines:
            report.sections.append(("Customer.io calls", "\n".join(lines)))
        sandbox = item.stash.get(_SANDBOX, None)
        if sandbox is not None:
            report.sections.append(("Customer.io sandbox", sandbox.summary()))
    return report


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show in what calls differ that a test has compared: their reprs hold no payload."""
    if op != "==" or "cio_events.testing" not in sys.modules:
        return None
    from cio_events.testing.comparing import compared

    return compared(left, right)


def _left_in(recorder: Recorder) -> str | None:
    """What is left unasserted, where none may be."""
    try:
        recorder.check()
    except AssertionError as error:
        return str(error)
    return None


def _blocked() -> list[str]:
    """What was blocked since this was last asked."""
    loopback: Any = sys.modules.get("cio_events._http.loopback")
    if loopback is None:
        return []
    found = []
    while loopback.noted:
        found.append(str(loopback.noted.popleft()))
    return found


def _fail_if_blocked() -> None:
    found = list(dict.fromkeys(_blocked()))
    if found:
        most = 10
        more = [f"… and {len(found) - most} more"] if len(found) > most else []
        advice = "the fixture cio records them; a test marked cio_live may send them"
        pytest.fail("\n".join([*found[:most], *more, advice]), pytrace=False)


# The fixtures.


@pytest.fixture
def cio(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    """An open Recorder: it takes all calls to Customer.io, and asserts what they were."""
    from cio_events.testing import Recorder

    recorder = Recorder()
    recorder.verbose = request.config.get_verbosity() > 0
    if request.config.getini("cio_strict"):
        recorder.strict()
    request.node.stash[_RECORDER] = recorder
    with recorder:
        yield recorder


@pytest.fixture(scope="session")
def _cio_sandbox_of_session() -> Iterator[tuple[Sandbox, Iterator[int]]]:
    from cio_events.sandbox import Sandbox

    with Sandbox() as sandbox:
        yield sandbox, itertools.count(1)


@pytest.fixture
def cio_sandbox(
    request: pytest.FixtureRequest, _cio_sandbox_of_session: tuple[Sandbox, Iterator[int]]
) -> Iterator[TestSandbox]:
    """A Customer.io of this test's own, to which all its pipelines deliver."""
    from cio_events.testing.workspace import workspace

    sandbox, numbers = _cio_sandbox_of_session
    with workspace(sandbox, next(numbers)) as test:
        request.node.stash[_SANDBOX] = test
        yield test
