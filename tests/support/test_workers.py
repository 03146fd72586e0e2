"""What pytest tells of a suite that forked workers run is what it tells of any."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from tests.testing.suites import Run, run_suite

if TYPE_CHECKING:
    from pathlib import Path

INI = """
[pytest]
markers = alone
addopts = -p tests.support.workers
"""

SUITE = """
import os
import signal
import threading
import time
import warnings
from pathlib import Path

import pytest

HERE = Path(__file__).parent

def wait_for(name):
    (HERE / f"{name}.here").touch()
    others = {"one": "two", "two": "one"}
    while not (HERE / f"{others[name]}.here").exists():
        time.sleep(0.005)

@pytest.fixture(scope="session", autouse=True)
def ending():
    (HERE / f"begun-{os.getpid()}").touch()
    yield
    (HERE / f"ended-{os.getpid()}").touch()

@pytest.mark.alone
def test_alone(tmp_path):
    for each in HERE.glob("begun-*"):
        pid = int(each.name.removeprefix("begun-"))
        if pid != os.getpid():
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

def test_passes(tmp_path):
    wait_for("one")

def test_fails():
    print("what it printed")
    assert [1, 2] == [1, 3]

def test_warns():
    warnings.warn("mind the gap")

@pytest.mark.parametrize("number", range(4))
def test_between(number):
    pass

@pytest.mark.skip(reason="not today")
def test_is_skipped():
    pass

@pytest.fixture
def broken():
    yield
    raise RuntimeError("not put away")

def test_leaves_something(broken):
    pass
"""

OTHERS = """
import os
import signal
from test_first import wait_for

def test_beside():
    wait_for("two")

def test_dies():
    os.kill(os.getpid(), signal.SIGKILL)

def test_ends():
    os._exit(0)

def test_child_comes_back():
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)

def test_is_run_after_them():
    pass
"""

FILES = {"pytest.ini": INI, "test_first.py": SUITE, "test_second.py": OTHERS}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the suite is."""
    return tmp_path_factory.mktemp("suite")


@pytest.fixture(scope="module")
def run(directory: Path) -> Run:
    """The suite, in two workers: a test of each waits for one of the other."""
    return run_suite(directory, FILES, "-n2", "--junitxml=junit.xml", plugin=False)


def test_every_test_is_told_once(run: Run) -> None:
    """
    However many workers have died: what one had taken, another runs.

    When ``test_alone`` comes, all of them have ended.
    """
    assert run.code == 1
    assert {name: result.outcome for name, result in run.tests.items()} == {
        **dict.fromkeys(("test_passes", "test_warns", "test_beside", "test_alone"), "passed"),
        **dict.fromkeys([f"test_between[{number}]" for number in range(4)], "passed"),
        **dict.fromkeys(("test_child_comes_back", "test_is_run_after_them"), "passed"),
        **dict.fromkeys(("test_fails", "test_dies", "test_ends"), "failed"),
        "test_leaves_something": "error",
    }
    assert re.search(r"3 failed, 11 passed, 1 skipped, 1 warning, 1 error in", run.out), run.out


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ("test_fails", "assert [1, 2] == [1, 3]"),
        ("test_fails", "what it printed"),
        ("test_leaves_something", "not put away"),
        ("test_dies", "the worker was killed by signal 9 in this test"),
        ("test_ends", "the worker ended with exit code 0 in this test"),
    ],
)
def test_what_failed_says_why(run: Run, test: str, text: str) -> None:
    """As it does where there is one process."""
    assert text in run.tests[test].text


def test_a_warning_says_where_it_comes_from(run: Run) -> None:
    """It crosses over with its text, class and place."""
    assert re.search(r"test_first\.py:\d+: UserWarning: mind the gap", run.out)


def test_the_report_for_machines_has_all(run: Run, directory: Path) -> None:
    """What reads reports reads those of the workers."""
    suite = ET.parse(directory / "junit.xml").getroot()[0]
    counts = {name: suite.attrib[name] for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "15", "failures": "3", "errors": "1", "skipped": "1"}, run.out


def test_the_first_failure_ends_the_run_where_that_is_asked_for(tmp_path: Path) -> None:
    """Also in the other workers, though a test of theirs waits for something."""
    files = {
        "pytest.ini": INI,
        "test_first.py": SUITE.replace("assert [1, 2]", "wait_for('one'); assert [1, 2]"),
        "test_second.py": "import time, pytest\nfrom test_first import wait_for\n"
        "def test_hangs():\n    wait_for('two')\n    time.sleep(1000)\n",
    }
    run = run_suite(tmp_path, files, "-n2", "-x", "-k", "fails or between or hangs", plugin=False)

    assert run.code == 1
    assert "stopping after 1 failures" in run.out
    assert "1 failed" in run.out


def test_an_interrupt_ends_all_workers(tmp_path: Path) -> None:
    """Of a test that another worker is at, the fixtures are put away."""
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "test_first.py").write_text(
        SUITE.replace(
            "fails():",
            "interrupts():\n    wait_for('one')\n"
            "    os.kill(os.getppid(), signal.SIGINT)\n    time.sleep(1000)",
        )
    )
    (tmp_path / "test_second.py").write_text(
        "import time\nfrom test_first import wait_for\n"
        "def test_hangs():\n    wait_for('two')\n    time.sleep(1000)\n"
    )
    run = run_suite(tmp_path, {}, "-n2", "-k", "interrupts or between or hangs", plugin=False)

    assert run.code == 2, run.out
    assert "KeyboardInterrupt" in run.out
    assert len(list(tmp_path.glob("ended-*"))) == 2


AT_NO_LINE = """
import os
import signal

FIRST = os.getpid()

def pytest_runtest_logreport():
    if os.getpid() == FIRST:
        signal.raise_signal(signal.SIGINT)

code = pytest_runtest_logreport.__code__.replace(co_linetable=b"")
pytest_runtest_logreport.__code__ = code
"""


def test_an_interrupt_may_come_at_any_instruction(tmp_path: Path) -> None:
    """Of some, Python knows no line, and pytest could not show where it came."""
    files = {"pytest.ini": INI, "conftest.py": AT_NO_LINE, "test_it.py": "def test_it(): pass\n"}
    run = run_suite(tmp_path, files, "-n1", plugin=False)

    assert run.code == 2, run.out
    assert "KeyboardInterrupt" in run.out


def test_a_test_that_hangs_shows_its_stack_and_fails(tmp_path: Path) -> None:
    """And the others are run."""
    files = {
        "pytest.ini": INI + "faulthandler_timeout = 2\n",
        "test_it.py": "import threading\ndef wait_in_vain(): threading.Event().wait()\n"
        "def test_hangs(): wait_in_vain()\ndef test_is_run_after_it(): pass\n",
    }
    run = run_suite(tmp_path, files, "-n1", plugin=False)

    assert "the worker was killed by signal 6 in this test" in run.tests["test_hangs"].text
    assert "in wait_in_vain" in run.out
    assert run.tests["test_is_run_after_it"].outcome == "passed"


def test_a_thread_of_an_import_is_no_thread_of_a_worker(tmp_path: Path) -> None:
    """It would not run there: that is an error before any test."""
    files = {
        "pytest.ini": INI,
        "test_it.py": "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(1,), name='of the import').start()\n"
        "def test_it(): pass\n",
    }
    run = run_suite(tmp_path, files, "-n2", plugin=False)

    assert run.code != 0
    assert "threads that run once all is imported: of the import" in run.out
