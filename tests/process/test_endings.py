"""The table of endings in the documentation: what arrives of a call, without and with a spool."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cio_events import Pipeline
from cio_events.sandbox import Sandbox
from tests.process.life import PRELUDE, ROOT, Running

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX processes")

# Nothing leaves before the end, but what a forked child takes.
MAKE = """
import multiprocessing, concurrent.futures
ENDING, SPOOL = os.environ["ENDING"], os.environ["SPOOL"]
logging.getLogger("cio_events").setLevel(logging.CRITICAL)
pipeline = make(flush_interval=3600, spool=SPOOL or None)

def work(name=ENDING):
    say(name + "/" + ("spool" if SPOOL else "memory"))

def work_and_wait(name=ENDING):
    work(name)
    assert pipeline.flush(20)
"""

# All of a start method, one after the other: each child of most methods is a new interpreter.
OF_METHOD = """
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    process = context.Process(target=work, args=("`multiprocessing.Process`, {method}",))
    process.start()
    process.join()
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        executor.submit(work, "`ProcessPoolExecutor`, {method}").result()
    pool = context.Pool(1)
    pool.map(work, ["`Pool`, `close()` and `join()`, {method}"])
    pool.close()
    pool.join()
    with context.Pool(1) as pool:
        pool.map(work_and_wait, ["`with Pool()`, `flush()` at the end of the task, {method}"])
    with context.Pool(1) as pool:
        pool.map(work, ["`with Pool()`, {method}"])
"""

METHODS = ("fork", "spawn", "forkserver")

# What each ending is, and what may become of the call without a spool and with one.
ALL, LOST, KEPT = {"arrives"}, {"lost"}, {"stays"}
ANY, SOMEWHERE = {"arrives", "lost"}, {"arrives", "stays"}
ENDINGS: dict[str, tuple[str, set[str], set[str]]] = {
    "a normal end": ("work()", ALL, ALL),
    "`python -c`, cron": ("work()", ALL, ALL),
    "`sys.exit()`": ("work(); sys.exit(3)", ALL, ALL),
    "an exception that nobody catches": ("work(); raise SystemExit(ValueError('x'))", ALL, ALL),
    "the end of a daemon thread": (
        "t = threading.Thread(target=work, daemon=True); t.start(); t.join()",
        ALL,
        ALL,
    ),
    "`SIGTERM`": ("work(); os.kill(os.getpid(), signal.SIGTERM); time.sleep(20)", LOST, KEPT),
    "`SIGTERM` with `install_signal_handlers()`": (
        (
            "cio_events.install_signal_handlers(); work();"
            "os.kill(os.getpid(), signal.SIGTERM); time.sleep(20)"
        ),
        ALL,
        ALL,
    ),
    "`SIGKILL`, out of memory": ("work(); os.kill(os.getpid(), signal.SIGKILL)", LOST, KEPT),
    "a crash of the interpreter, `os.abort()`": (
        "faulthandler.disable(); work(); os.abort()",
        LOST,
        KEPT,
    ),
    "`os._exit()`": ("work(); os._exit(0)", LOST, KEPT),
    "`os.exec…()`": ("work(); os.execv(sys.executable, [sys.executable, '-c', ''])", LOST, KEPT),
    "`os.fork()` and `os._exit()` in the child": ("forked(work)", ANY, SOMEWHERE),
    "`os.fork()`, `flush()` and `os._exit()` in the child": ("forked(work_and_wait)", ALL, ALL),
    "`os.fork()` and `sys.exit()` in the child": (
        "pid = os.fork()\nif not pid:\n    work()\n    sys.exit(0)\nended(pid)",
        ALL,
        ALL,
    ),
    "python-daemon, in the daemon": (
        (
            "import daemon\npid = os.fork()\nif not pid:\n"
            "    with daemon.DaemonContext(detach_process=True):\n        work()\n"
            "    sys.exit(0)\nended(pid)"
        ),
        ALL,
        ALL,
    ),
    "python-daemon, before the daemon detaches": (
        (
            "import daemon\npid = os.fork()\nif not pid:\n    work()\n"
            "    with daemon.DaemonContext(detach_process=True):\n        pass\n"
            "    sys.exit(0)\nended(pid)"
        ),
        ANY,
        SOMEWHERE,
    ),
    "joblib, backend multiprocessing": (
        (
            "import joblib\n"
            "joblib.Parallel(2, backend='multiprocessing')(joblib.delayed(work)() for _ in [1])"
        ),
        ANY,
        SOMEWHERE,
    ),
    "joblib, backend multiprocessing, `flush()` at the end of the task": (
        (
            "import joblib\njoblib.Parallel(2, backend='multiprocessing')"
            "(joblib.delayed(work_and_wait)() for _ in [1])"
        ),
        ALL,
        ALL,
    ),
    "joblib, backend loky": (
        "import joblib, tasks\njoblib.Parallel(2)([joblib.delayed(tasks.work)(ENDING)])",
        ANY,
        SOMEWHERE,
    ),
    **{
        name.format(method): ("", *expected)
        for method in METHODS
        for name, *expected in (
            ("`multiprocessing.Process`, {}", ALL, ALL),
            ("`ProcessPoolExecutor`, {}", ALL, ALL),
            ("`Pool`, `close()` and `join()`, {}", ALL, ALL),
            ("`with Pool()`, `flush()` at the end of the task, {}", ALL, ALL),
            ("`with Pool()`, {}", ANY, SOMEWHERE),
        )
    },
}


def test_the_page_has_each_ending() -> None:
    """By the same names, but that the start methods are said once."""
    page = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    missing = [name for name in ENDINGS if f"| {name.rpartition(', ')[0]} |" not in page]

    assert [name for name in missing if f"| {name} |" not in page] == []


def run(number: int, name: str, script: str, directory: Path, sandbox: Sandbox) -> None:
    """Let one process end so, without a spool and with one of its own."""
    for spool in ("", str(directory / f"spool{number}")):
        environ = {"ENDING": name, "SPOOL": spool, "PYTHONPATH": f"{ROOT}:{directory}"}
        command: list[str] | str = PRELUDE + MAKE + script
        if name in METHODS or "loky" in name:  # whose children import it
            file = directory / f"script{number}.py"
            file.write_text(str(command))
            command = [sys.executable, str(file)]
        with Running(command, sandbox.url, cwd=ROOT, environ=environ) as running:
            running.end()
            if "daemon" in name:  # which goes on
                wait_for(f"{name}/{'spool' if spool else 'memory'}", sandbox)


def wait_for(name: str, sandbox: Sandbox) -> None:
    """Wait a while for an event."""
    end = time.monotonic() + 5
    while time.monotonic() < end and all(event.name != name for event in sandbox.events):
        time.sleep(0.02)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What became of the call of each ending, by its name and where it waited."""
    directory = tmp_path_factory.mktemp("endings")
    (directory / "tasks.py").write_text(PRELUDE + MAKE)
    scripts = {name: script for name, (script, *_) in ENDINGS.items() if script}
    scripts |= {method: OF_METHOD.format(method=method) for method in METHODS}
    with Sandbox() as sandbox:
        with ThreadPoolExecutor(2) as threads:
            done = [
                threads.submit(run, number, *each, directory, sandbox)
                for number, each in enumerate(scripts.items())
            ]
        for one in done:
            one.result()
        arrived = {event.name: "arrives" for event in sandbox.events}
        for spool in directory.glob("spool*"):
            with Pipeline(
                site_id="site", api_key="key", track_url=sandbox.url, spool=str(spool)
            ) as pipeline:
                assert pipeline.flush(20)
        kept = {event.name: "stays" for event in sandbox.events}
    return {**kept, **arrived}


@pytest.mark.parametrize("name", list(ENDINGS))
def test_an_ending(outcomes: dict[str, str], name: str) -> None:
    """What the table says."""
    _, memory, spool = ENDINGS[name]

    assert outcomes.get(f"{name}/memory", "lost") in memory
    assert outcomes.get(f"{name}/spool", "lost") in spool
