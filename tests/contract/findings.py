"""
The findings of the doctor on their page, from the one table in the code.

``python -m tests.contract.findings`` writes them into the page.
"""

from __future__ import annotations

import re
from itertools import groupby

from cio_events.doctor.finding import level_of
from cio_events.doctor.table import TABLE
from tests.contract.pages import DOCS, with_table


def markdown() -> str:
    """A section for each area, and a row for each finding that says that something is wrong."""
    parts = []
    wrong = [(id_, row) for id_, row in TABLE.items() if level_of(id_) in ("warning", "error")]
    for area, rows in groupby(wrong, key=lambda one: one[1].area):
        lines = [f"### {area}", "", "| id | what | why, and how to mend it |", "|---|---|---|"]
        lines += [
            f"| {id_} | {_shown(row.title)} | {_shown(row.why)} **{_shown(row.fix)}** |"
            for id_, row in rows
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _shown(text: str) -> str:
    """What is filled in stands in capitals, as in the help of a command."""
    filled = re.sub(r"(?<!\{)\{(\w+)[^}]*\}", lambda match: match[1].upper(), text)
    return filled.replace("{{", "{").replace("}}", "}").replace("|", "\\|")


def updated(page: str) -> str:
    """The text of the page with the findings as they are now."""
    return with_table(page, markdown())


if __name__ == "__main__":
    file = DOCS / "doctor.md"
    file.write_text(updated(file.read_text(encoding="utf-8")), encoding="utf-8")
