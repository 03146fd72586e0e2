"""Runs the rows: every side in its own process, in turns, and the ratios of what came out."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tests.benchmarks import child
from tests.benchmarks.bars import BARS, Bar
from tests.benchmarks.rows import Row
from tests.benchmarks.sides import SIDES
from tests.benchmarks.sink_control import SinkControl, running_sink


@dataclass(slots=True)
class Measured:
    """
    What one side has shown in one row.

    Attributes:
        rounds: The figures of each round.

        trouble: Why there are none; "" when there are.
    """

    rounds: list[dict[str, float]] = field(default_factory=list)
    trouble: str = ""

    def median(self, figure: str) -> float | None:
        """The median of a figure over the rounds."""
        values = [figures[figure] for figures in self.rounds if figure in figures]
        return statistics.median(values) if values else None


@dataclass(frozen=True, slots=True)
class Ratio:
    """
    One side by another.

    Attributes:
        median: The median of the rounds' ratios.

        lowest: The lowest of them.

        highest: The highest.
    """

    median: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class RowResult:
    """What came out of a row."""

    row: Row
    sides: dict[str, Measured]

    def ratio(self, side: str, against: str, figure: str = "") -> Ratio | None:
        """
        The side by another one, round by round; None if one of them shows nothing.

        *figure* is what is compared; "" is the row's own.
        """
        figure = figure or self.row.figure
        if side not in self.sides or against not in self.sides:
            return None
        pairs = zip(self.sides[side].rounds, self.sides[against].rounds, strict=False)
        ratios = [one[figure] / other[figure] for one, other in pairs]
        if not ratios:
            return None
        return Ratio(statistics.median(ratios), min(ratios), max(ratios))


@dataclass(frozen=True, slots=True)
class BarResult:
    """
    Whether a bar was reached.

    Attributes:
        bar: Which.

        against: The side that it was compared with in the end; "" if there was none.

        ratio: None if it could not be told.
    """

    bar: Bar
    against: str
    ratio: Ratio | None

    @property
    def reached(self) -> bool | None:
        """None if it could not be told."""
        return None if self.ratio is None else self.bar.reached(self.ratio.median)


def measure(rows: Sequence[Row], rounds: int, say: Callable[[str], None]) -> list[RowResult]:
    """Run the rows; *say* is told what is going on."""
    with running_sink() as sink:
        return [_measure_row(row, min(rounds, row.most_rounds), sink, say) for row in rows]


def _measure_row(
    row: Row, rounds: int, sink: SinkControl, say: Callable[[str], None]
) -> RowResult:
    sides = {side: Measured() for side in row.sides}
    for number in range(1, rounds + 1):
        for side, measured in sides.items():
            if measured.trouble:
                continue
            say(f"{row.name}, round {number} of {rounds}: {side}")
            answer = child.run(row.task(side, sink.port))
            if answer.trouble:
                sides[side] = Measured(trouble=answer.trouble)
            else:
                measured.rounds.append(answer.figures)
    return RowResult(row, sides)


def judge(results: Sequence[RowResult]) -> list[BarResult]:
    """The bars whose rows were run."""
    by_name = {result.row.name: result for result in results}
    return [_judge(bar, by_name[bar.row]) for bar in BARS if bar.row in by_name]


def _judge(bar: Bar, result: RowResult) -> BarResult:
    there = {
        side: median
        for side in bar.against
        if side in result.sides
        and (median := result.sides[side].median(bar.figure or result.row.figure)) is not None
    }
    if not there:
        return BarResult(bar, "", None)
    best = (min if bar.at_most else max)(there, key=there.__getitem__)
    return BarResult(bar, best, result.ratio(bar.side, best, bar.figure))


def circumstances(results: Sequence[RowResult]) -> dict[str, Any]:
    """When, where and with which versions it was run."""
    names = {side for result in results for side in result.sides if side in SIDES}
    packages = sorted({package for name in names for package in SIDES[name].packages})
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "processors": os.cpu_count(),
        "versions": {package: _version(package) for package in packages},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def as_json(results: Sequence[RowResult], bars: Sequence[BarResult]) -> dict[str, Any]:
    """All that was measured, round by round."""
    return {
        **circumstances(results),
        "rows": {
            result.row.name: {
                "title": result.row.title,
                "figure": result.row.figure,
                "unit": result.row.unit,
                "events": result.row.count,
                "sides": {
                    side: {"trouble": measured.trouble}
                    if measured.trouble
                    else {"rounds": measured.rounds}
                    for side, measured in result.sides.items()
                },
            }
            for result in results
        },
        "bars": [
            {
                "title": one.bar.title,
                "against": one.against,
                "limit": one.bar.limit,
                "at_most": one.bar.at_most,
                "ratio": one.ratio and one.ratio.median,
                "lowest": one.ratio and one.ratio.lowest,
                "highest": one.ratio and one.ratio.highest,
                "reached": one.reached,
            }
            for one in bars
        ],
    }
