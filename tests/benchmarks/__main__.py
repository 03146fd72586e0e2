"""``python -m tests.benchmarks``: runs the rows, prints the table, keeps the result."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.benchmarks import harness, markdown, picture, table
from tests.benchmarks.rows import ROWS, Row

_ROUNDS = 5

# Characters, where no terminal says how wide it is.
_PAGE = 132


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    names = ",".join(row.name for row in ROWS)
    parser.add_argument("--rows", type=_rows, default=ROWS, metavar="A,B", help=f"of {names}")
    parser.add_argument("--sides", type=re.compile, metavar="REGEX", help="only those it finds")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="few events, figures mean nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all figures")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the tables, for a page")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the row `tagged`")
    options = parser.parse_args(arguments)

    rows = [row.quickly() if options.quick else row for row in options.rows]
    if options.sides:
        rows = [row.only(options.sides) for row in rows]
    console = Console()
    if not console.is_terminal:
        console.width = _PAGE
    with console.status("") as status:
        results = harness.measure(rows, options.rounds, status.update)
    bars = harness.judge(results)
    table.show(console, results, bars)
    if options.json:
        kept = harness.as_json(results, bars)
        options.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        page = markdown.write(results, bars, harness.circumstances(results))
        options.markdown.write_text(page, encoding="utf-8")
    if options.svg:
        _draw(options.svg, results, parser)


def _rows(names: str) -> list[Row]:
    by_name = {row.name: row for row in ROWS}
    try:
        return [by_name[name.strip()] for name in names.split(",")]
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"there is no row {error}") from None


def _draw(
    file: Path, results: Sequence[harness.RowResult], parser: argparse.ArgumentParser
) -> None:
    tagged = [result for result in results if result.row.name == "tagged"]
    if not tagged:
        parser.error("the picture shows the row `tagged`, which was not run")
    where = harness.circumstances(results)
    footnote = (
        f"{where['date'][:10]}, Python {where['python']}, {where['processors']} cores, "
        f"{where['processor']}; written to /dev/null, the server's answers held back"
    )
    file.write_text(picture.draw(tagged[0], footnote), encoding="utf-8")


if __name__ == "__main__":
    main()
