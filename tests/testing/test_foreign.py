"""A suite that does not touch us, with the plugin installed and without: nothing changes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.scripts import environment, run_python
from tests.testing.suites import WITHOUT_OTHERS, Run, run_suite

CONFTEST = """
import json
import logging
import os
import signal
import socket
import sys
import threading
import warnings


def state():
    return {
        "modules": sorted(sys.modules),
        "environment": dict(os.environ),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "filters": [repr(one) for one in warnings.filters],
        "loggers": sorted(logging.root.manager.loggerDict),
        "handlers": [type(one).__name__ for one in logging.root.handlers],
        "level": logging.root.level,
        "signals": [str(signal.getsignal(number)) for number in (2, 14, 15)],
        "importers": [type(one).__name__ for one in sys.meta_path],
        "hooks": [type(one).__name__ for one in (sys.excepthook, threading.excepthook)],
        "sockets": [socket.getaddrinfo.__module__, socket.socket.connect.__qualname__],
    }


def pytest_sessionfinish(session):
    with open(os.environ["STATE"], "w") as file:
        json.dump({"amid": session.config.amid, "end": state()}, file)
"""

SUITE = """
import http.server
import logging
import socketserver
import subprocess
import sys
import threading
import unittest
import urllib.request
import warnings

import pytest

import conftest

log = logging.getLogger("theirs")


def test_passes(tmp_path, capsys):
    print("printed")
    assert capsys.readouterr().out == "printed\\n"


def test_fails():
    print("shown")
    log.warning("logged")
    assert {"a": 1} == {"a": 2}


def test_raises():
    raise RuntimeError("out of socks")


@pytest.fixture
def broken():
    yield
    raise RuntimeError("in the teardown")


def test_teardown(broken):
    pass


@pytest.mark.parametrize("number", [1, 2])
def test_several(number):
    assert number == 1


@pytest.mark.xfail(strict=True)
def test_expected_to_fail():
    assert False


@pytest.mark.skip(reason="not today")
def test_skipped():
    pass


def test_warns():
    warnings.warn("be warned")


def test_caplog(caplog, monkeypatch):
    monkeypatch.setenv("THEIRS", "1")
    log.error("bad %s", "socks")
    assert caplog.record_tuples == [("theirs", logging.ERROR, "bad socks")]


class TheirTest(unittest.TestCase):
    def test_case(self):
        with self.subTest("one"):
            self.assertEqual(1, 1)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_their_own_http():
    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}/") as answer:
            assert answer.status == 204
        thread.join()


def test_child():
    code = "import sys; print(sorted(name for name in sys.modules if 'cio' in name))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\\n"


def test_state(pytestconfig):
    pytestconfig.amid = conftest.state()
"""

# Unknown marks and settings are errors, and so are the plugin's own warnings, had it any.
INI = """
[pytest]
addopts = --strict-markers --strict-config -W error::pytest.PytestWarning
"""

FILES = {"pytest.ini": INI, "conftest.py": CONFTEST, "test_theirs.py": SUITE}

OUR_VARIABLE = "CIO_ONLY_LOOPBACK"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Run, dict[str, Any]]]:
    """With the plugin and without it: what pytest said, and the state of its process."""
    home = tmp_path_factory.mktemp("theirs")
    found = []
    for arguments in ([], ["-p", "no:cio_events"]):
        run = run_suite(
            home,
            FILES,
            *arguments,
            *WITHOUT_OTHERS,
            fresh=True,
            plugin=False,
            PYTEST_DISABLE_PLUGIN_AUTOLOAD="",
            STATE=str(home / "state"),
        )
        assert (home / "state").exists(), run.out
        found.append((run, json.loads((home / "state").read_text())))
    return found


def shown(run: Run) -> str:
    """What pytest has printed, but for the list of plugins and how long all took."""
    text = re.sub(r"(plugins: |, )cio-events-[^,\n]+(, )?", r"\1", run.out)
    text = re.sub(r", (?=\n)|(?<=plugins: ), |plugins: \n", "", text)
    return re.sub(r"in \d+\.\d+s( \(\d+:\d+:\d+\))?", "in no time", text)


def test_its_outcomes_and_its_report_are_the_same(
    runs: list[tuple[Run, dict[str, Any]]],
) -> None:
    """Letter by letter, warnings and captured output too."""
    (run, _), (without, _) = runs

    assert run.code == without.code == 1
    assert "cio-events" in run.out
    assert shown(run) == shown(without)
    outcomes = {name: result.outcome for name, result in run.tests.items()}
    assert outcomes["test_passes"] == outcomes["test_child"] == "passed"
    assert outcomes["test_fails"] == outcomes["test_raises"] == "failed"
    assert "1 warning" in run.out
    assert "5 failed" not in run.out


@pytest.mark.parametrize("when", ["amid", "end"])
def test_its_process_is_the_same(runs: list[tuple[Run, dict[str, Any]]], when: str) -> None:
    """But for one module, which imports nothing, and one variable, for child processes."""
    (_, states), (_, others) = runs
    state, other = states[when], others[when]

    assert set(state["modules"]) - set(other["modules"]) == {"pytest_cio_events"}
    assert set(other["modules"]) - set(state["modules"]) == set()
    assert state["environment"].pop(OUR_VARIABLE) == "pytest"
    assert OUR_VARIABLE not in other["environment"]
    for part in set(state) - {"modules"}:
        assert state[part] == other[part], part


# Alternately, so that what the machine does besides concerns both; the fastest of each counts, and
# where the machine is busy there are more of them.
COST = """
import contextlib, io, time
import pytest

def run(*arguments):
    with contextlib.redirect_stdout(io.StringIO()):
        started = time.process_time()
        assert pytest.main(["-q", "-p", "no:cacheprovider", *arguments]) == 0
        return time.process_time() - started

for more in (["--collect-only"], []):
    taken = {"cio_events": [], "no:cio_events": []}
    for turn in range(20):
        for plugin, times in taken.items():
            times.append(run("-p", plugin, *more))
        if turn >= 2 and min(taken["cio_events"][1:]) <= 1.5 * min(taken["no:cio_events"][1:]):
            break
    print(min(taken["cio_events"][1:]) / min(taken["no:cio_events"][1:]))
"""

MANY = """
import pytest

@pytest.mark.parametrize("number", range(25))
def test_one(number):
    pass
"""


def test_it_costs_next_to_nothing(tmp_path: Path) -> None:
    """To collect tests, and to run such as do nothing; the bound is for a machine that is busy."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_many.py").write_text(MANY)
    env = environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")

    out, _ = run_python("-c", COST, env=env, cwd=tmp_path)

    to_collect, to_run = map(float, out.split())
    assert to_collect <= 1.5
    assert to_run <= 1.5
