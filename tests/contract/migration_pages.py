"""
Which page of the documentation has which migration table.

``python -m tests.contract.migration_pages`` writes them into their pages.
"""

from __future__ import annotations

from tests.contract.migration import GO, PYTHON, markdown
from tests.contract.migration_node import NODE
from tests.contract.pages import DOCS, with_table

PAGES = {
    "migrating/go-customerio.md": GO,
    "migrating/customerio.md": PYTHON,
    "migrating/customerio-node.md": NODE,
}

if __name__ == "__main__":
    for name, rows_of_page in PAGES.items():
        file = DOCS / name
        file.write_text(
            with_table(file.read_text(encoding="utf-8"), markdown(rows_of_page)), encoding="utf-8"
        )
