"""The result as Markdown, for the page about performance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.harness import BarResult, RowResult
from tests.benchmarks.table import beside, number, spread


def write(
    results: Sequence[RowResult], bars: Sequence[BarResult], circumstances: Mapping[str, Any]
) -> str:
    """When and where it was measured, the bars, and every row."""
    return "\n\n".join([_when_and_where(circumstances), _bars(bars), _rows(results)]) + "\n"


def _when_and_where(circumstances: Mapping[str, Any]) -> str:
    versions = ", ".join(
        f"{package} {version}" for package, version in circumstances["versions"].items() if version
    )
    return (
        f"Measured {circumstances['date'][:10]} with Python {circumstances['python']} on "
        f"{circumstances['processors']} cores ({circumstances['processor']}); {versions}."
    )


def _bars(bars: Sequence[BarResult]) -> str:
    lines = ["| | bar | measured | spread | |", "|---|---|---|---|---|"]
    for one in bars:
        limit = f"{'≤' if one.bar.at_most else '≥'} {one.bar.limit}"
        if one.ratio is None:
            lines.append(f"| {one.bar.title} | {limit} | | | not measured |")
            continue
        words = f"{one.ratio.median:.2f} | {spread(one.ratio)}"
        reached = "reached" if one.reached else "not reached"
        lines.append(f"| {one.bar.title} | {limit} | {words} | {reached} |")
    return "\n".join(lines)


def _rows(results: Sequence[RowResult]) -> str:
    lines = ["| | | |", "|---|--:|---|"]
    for result in results:
        lines.append(f"| **{result.row.title}** | | |")
        for side, measured in result.sides.items():
            value = measured.median(result.row.figure)
            if value is None:
                lines.append(f"| {side} | | {measured.trouble} |")
                continue
            figure = f"{number(value)} {result.row.unit}"
            lines.append(f"| {side} | {figure} | {beside(result.row, measured)} |")
    return "\n".join(lines)
