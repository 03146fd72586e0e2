"""
The pages of the documentation as tests read them: their sections, blocks of code and tables.

The README is one of the pages. A page is known by its path below ``docs/``, without the suffix; a
section by its page and heading, ``"tags#Who is asking"``, and the top of a page by the page alone.
"""

from __future__ import annotations

import re

from tests.support.scripts import ROOT

DOCS = ROOT / "docs"


def _pages() -> dict[str, str]:
    files = {"README": ROOT / "README.md"}
    files |= {
        path.relative_to(DOCS).with_suffix("").as_posix(): path
        for path in sorted(DOCS.rglob("*.md"))
    }
    return {name: path.read_text(encoding="utf-8") for name, path in files.items()}


def _sections(page: str, text: str) -> dict[str, str]:
    top, *others = re.split(r"^##+ (.+)\n", text, flags=re.MULTILINE)
    named = zip(others[::2], others[1::2], strict=True)
    return {page: top} | {f"{page}#{heading}": part for heading, part in named}


PAGES = _pages()

SECTIONS = {
    section: part for page in PAGES for section, part in _sections(page, PAGES[page]).items()
}


def blocks(section: str, language: str) -> list[str]:
    """The code blocks of that language in a section."""
    return re.findall(rf"^```{language}\n(.*?)^```$", SECTIONS[section], re.M | re.S)


def table(section: str, first: str) -> list[list[str]]:
    """The rows of the table in a section whose first column has that heading."""
    lines = SECTIONS[section].splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def with_table(text: str, table: str) -> str:
    """The text of a page with *table* between its comments ``<!-- table -->``."""
    between = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- /table -->)", re.DOTALL)
    return between.sub(lambda _: f"\n{table}\n", text, count=1)
