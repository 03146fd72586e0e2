"""
The table of options on their page, from the one table in the code.

``python -m tests.contract.options`` writes it into the page.
"""

from __future__ import annotations

from dataclasses import fields

from cio_events.options import ROWS, Options
from tests.contract.pages import DOCS, with_table


def markdown() -> str:
    """A row for each option: its name, its default, what it does and why."""
    lines = ["| option | default | meaning |", "|---|---|---|"]
    defaults = {one.name: one.default for one in fields(Options)}
    for name, row in ROWS.items():
        words = " ".join(filter(None, (row.meaning, row.why))).replace("``", "`")
        lines.append(f"| `{name}` | {_shown(defaults[name])} | {words} |")
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    if default is None:
        return ""
    if isinstance(default, str):
        return f'`"{default}"`'
    return f"`{default:_}`" if type(default) in (int, float) else f"`{default}`"


def updated(page: str) -> str:
    """The text of the page with the table as it is now."""
    return with_table(page, markdown())


if __name__ == "__main__":
    file = DOCS / "options.md"
    file.write_text(updated(file.read_text(encoding="utf-8")), encoding="utf-8")
