"""One side, one measure, one process: reads a task, prints its figures as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.benchmarks import measures
from tests.benchmarks.lifeline import end_with_standard_input, held_open
from tests.benchmarks.measures import MEASURES, Bench, Figures
from tests.benchmarks.sides import SIDES, ours
from tests.benchmarks.sink_control import SinkControl

# A million events have to get into a spool and out of it.
TIMEOUT = 900.0


@dataclass(frozen=True, slots=True)
class Task:
    """
    What one process has to measure.

    Attributes:
        side: The side's name; of an import, the statement.

        measure: The name of the measure.

        port: The sink's.

        count: How many events are wanted.

        round_trip: How many seconds the sink takes to answer.

        threads: How many threads make the calls.

        held: Whether the sink holds all answers back during the calls.

        directory: Where files go; "" is a fresh one.
    """

    side: str
    measure: str
    port: int
    count: int
    round_trip: float = 0.0
    threads: int = 1
    held: bool = False
    directory: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a task: figures, or why there are none."""

    figures: Figures
    trouble: str = ""


def run(task: Task) -> Answer:
    """Do a task in a process of its own."""
    with held_open() as lifeline:
        process = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.child", json.dumps(asdict(task))],
            stdin=lifeline,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    if process.returncode != 0:
        words = process.stderr.strip().splitlines()
        return Answer({}, words[-1] if words else f"ended with {process.returncode}")
    return Answer(**json.loads(process.stdout.splitlines()[-1]))


def _answer(task: Task, directory: Path) -> Answer:
    if task.measure == "import_time":
        try:
            return Answer(measures.import_time(task.side))
        except subprocess.CalledProcessError:
            return Answer({}, "not installed")
    side = SIDES[task.side]
    if side.missing():
        return Answer({}, "not installed")
    sink = SinkControl(task.port)
    sink.reset()

    def open_bench() -> Bench:
        opened = side.open(sink.url, directory)
        return Bench(side, opened, sink, task.count, task.round_trip, task.threads, task.held)

    if task.measure == "recovery":
        filled = run(replace(task, side=ours.SPOOLED, measure="fill", directory=str(directory)))
        if filled.trouble:
            return filled
        sink.reset(task.round_trip)
        return Answer(measures.recovery(open_bench))
    bench = open_bench()
    try:
        return Answer(MEASURES[task.measure](bench))
    finally:
        bench.opened.close()


def main() -> None:
    """Do the task in the first argument."""
    end_with_standard_input()
    task = Task(**json.loads(sys.argv[1]))
    with tempfile.TemporaryDirectory() as fresh:
        answer = _answer(task, Path(task.directory or fresh))
    print(json.dumps(asdict(answer)), flush=True)
    # Not exit(): the sides' own ends of life, which may wait for a server, are not what is
    # measured; and a spool has to be left as a killed process leaves it.
    os._exit(0)


if __name__ == "__main__":
    main()
