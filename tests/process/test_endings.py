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
from tests.process.endings import (
    ALL,
    ANY,
    ENDINGS,
    KEPT,
    LOST,
    METHODS,
    MODULES,
    SOMEWHERE,
    scripts,
)
from tests.process.life import PRELUDE, ROOT, Running

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX processes")

# Nothing leaves before the end, but what a forked child takes.
MAKE = (
    MODULES
    + """
ENDING, SPOOL = os.environ["ENDING"], os.environ["SPOOL"]
logging.getLogger("cio_events").setLevel(logging.CRITICAL)
memory = make(flush_interval=3600)
spool = cio_events.Pipeline(site_id="site", api_key="key", flush_interval=3600, spool=SPOOL)

def pending():
    return memory.stats().pending + spool.stats().pending

def work(name=ENDING):
    say(name + "/memory")
    spool.track("5", name + "/spool")

def work_and_wait(name=ENDING):
    work(name)
    assert memory.flush(20) and spool.flush(20)

def work_in_time(name=ENDING):
    work(name + ", in time")
    end = time.monotonic() + 20
    while pending() and time.monotonic() < end:
        time.sleep(0.01)

def work_and_look(name=ENDING):
    work(name)
    time.sleep(0.2)
    if pending():
        print(name, flush=True)
"""
)


# What the page says of each.
WORDS = {
    "arrives": ALL,
    "lost": LOST,
    "stays": KEPT,
    "arrives, if there was time": ANY,
    "arrives or stays": SOMEWHERE,
}


def test_the_page_says_the_same() -> None:
    """Of each ending, by the same name, but that the start methods are said once."""
    page = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    table = page.partition("## How a process may end")[2].partition("\n- ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line[:1] == "|"]
    said = {name: (WORDS[memory], WORDS[spool]) for name, memory, spool in rows[2:]}
    of_a_method = tuple(f", {method}" for method in METHODS)

    shown = {
        name.rpartition(", ")[0] if name.endswith(of_a_method) else name: (row.memory, row.spool)
        for name, row in ENDINGS.items()
    }
    assert said == shown


def run(number: int, name: str, script: str, directory: Path, sandbox: Sandbox) -> list[str]:
    """
    Let a process end so, which has a pipeline without a spool and one with its own.

    Returns what it printed.
    """
    spool = str(directory / f"spool{number}")
    environ = {"ENDING": name, "SPOOL": spool, "PYTHONPATH": f"{ROOT}:{directory}"}
    made = "import tasks\nimportable = tasks.work\n" if "loky" in name else ""
    command: list[str] | str = PRELUDE + MAKE + made + script
    if METHODS.get(name) is False or "loky" in name:  # whose children import it
        file = directory / f"script{number}.py"
        file.write_text(str(command))
        command = [sys.executable, str(file)]
    with Running(command, sandbox.url, cwd=ROOT, environ=environ, whole=True) as running:
        printed = running.end().lines
        if "daemon" in name:  # which goes on
            for buffer in ("memory", "spool"):
                wait_for(f"{name}/{buffer}", sandbox, 40 if ENDINGS[name].memory == ALL else 5)
    return printed


def wait_for(name: str, sandbox: Sandbox, seconds: float) -> None:
    """Wait a while for an event: for longer where it has to arrive."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and all(event.name != name for event in sandbox.events):
        time.sleep(0.02)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """
    What became of the call of each ending, by its name and where it waited.

    By the name alone, whether it waited for company.
    """
    directory = tmp_path_factory.mktemp("endings")
    (directory / "tasks.py").write_text(PRELUDE + MAKE)
    with Sandbox() as sandbox:
        with ThreadPoolExecutor(2) as threads:
            done = [
                threads.submit(run, number, *each, directory, sandbox)
                for number, each in enumerate(scripts().items())
            ]
        waiting = {name: "waits" for one in done for name in one.result()}
        arrived = {event.name: "arrives" for event in sandbox.events}
        for spool in directory.glob("spool*"):
            with Pipeline(
                site_id="site", api_key="key", track_url=sandbox.url, spool=str(spool)
            ) as pipeline:
                assert pipeline.flush(20)
        kept = {event.name: "stays" for event in sandbox.events}
    return {**waiting, **kept, **arrived}


@pytest.mark.parametrize("name", list(ENDINGS))
def test_an_ending(outcomes: dict[str, str], name: str) -> None:
    """What the table says."""
    ending = ENDINGS[name]

    assert outcomes.get(f"{name}/memory", "lost") in ending.memory
    assert outcomes.get(f"{name}/spool", "lost") in ending.spool


@pytest.mark.parametrize("name", [name for name, row in ENDINGS.items() if row.at_once])
@pytest.mark.parametrize("where", ["memory", "spool"])
def test_an_ending_in_time(outcomes: dict[str, str], name: str, where: str) -> None:
    """What a forked child takes leaves at once, so that a later end loses nothing."""
    assert outcomes.get(f"{name}, in time/{where}") == "arrives"


@pytest.mark.parametrize("method", [method for method, forked in METHODS.items() if not forked])
def test_a_child_that_was_not_forked_waits_for_company(
    outcomes: dict[str, str], method: str
) -> None:
    """As any process does, for `flush_interval`."""
    assert outcomes.get(f"`with Pool()`, {method}") == "waits"
