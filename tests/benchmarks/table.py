"""The result as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from tests.benchmarks.harness import BarResult, Measured, Ratio, RowResult
from tests.benchmarks.rows import Row

if TYPE_CHECKING:
    from rich.console import Console


def show(console: Console, results: Sequence[RowResult], bars: Sequence[BarResult]) -> None:
    """Print the rows, and then the bars."""
    console.print(_rows(results))
    if bars:
        console.print(_bars(bars))


def number(value: float) -> str:
    """A figure with as many digits as mean something."""
    if value >= 1_000:
        return f"{value:,.0f}".replace(",", " ")
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(ratio: Ratio) -> str:
    """The lowest and the highest of the rounds' ratios."""
    return f"{ratio.lowest:.2f} to {ratio.highest:.2f}"


def beside(row: Row, measured: Measured) -> str:
    """The further figures of a side."""
    medians = ((measured.median(figure), unit) for figure, unit in row.beside)
    return ", ".join(f"{number(value)} {unit}" for value, unit in medians if value is not None)


def _rows(results: Sequence[RowResult]) -> Table:
    table = Table(title="Side by side: medians of the rounds, and ratios to the side marked *")
    table.add_column("", max_width=46)
    table.add_column("figure", justify="right", no_wrap=True)
    table.add_column("beside it", justify="right", min_width=30)
    table.add_column("÷ *", justify="right", no_wrap=True)
    table.add_column("spread", justify="right", no_wrap=True)
    for result in results:
        row = result.row
        events = f"{row.count:,} events".replace(",", " ")
        table.add_section()
        table.add_row(f"[bold]{row.title}[/] ({events})")
        for side, measured in result.sides.items():
            value = measured.median(row.figure)
            if value is None:
                table.add_row(f"  {side}", "", f"[dim]{escape(measured.trouble)}[/]")
                continue
            mark = " *" if side == row.reference else ""
            ratio = result.ratio(side, row.reference)
            table.add_row(
                f"  {side}{mark}",
                f"{number(value)} {row.unit}",
                beside(row, measured),
                "" if ratio is None or mark else f"{ratio.median:.2f}",
                "" if ratio is None or mark else spread(ratio),
            )
    return table


def _bars(bars: Sequence[BarResult]) -> Table:
    table = Table(title="To reach")
    table.add_column("")
    table.add_column("bar", justify="right")
    table.add_column("ratio", justify="right")
    table.add_column("spread", justify="right")
    table.add_column("compared with")
    table.add_column("", no_wrap=True)
    for one in bars:
        limit = f"{'≤' if one.bar.at_most else '≥'} {one.bar.limit}"
        if one.ratio is None:
            table.add_row(one.bar.title, limit, "", "", "", "[dim]not measured[/]")
            continue
        word = "[green]reached[/]" if one.reached else "[red]not reached[/]"
        ratio = f"{one.ratio.median:.2f}"
        table.add_row(one.bar.title, limit, ratio, spread(one.ratio), one.against, word)
    return table
