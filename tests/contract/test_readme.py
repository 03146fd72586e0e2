"""The README's word, and the map of CONTRIBUTING.md: short, true, and leading somewhere."""

from __future__ import annotations

import re

from tests.contract.pages import PAGES, SECTIONS, blocks
from tests.support.scripts import ROOT

README = PAGES["README"]


def test_it_is_short() -> None:
    """The rest is on the pages of ``docs/``."""
    assert len(README.splitlines()) <= 150


def test_the_first_line_is_the_promise() -> None:
    """The one-line example stands before everything else, and is the one in the recipes."""
    first = re.search(r"```text\n(.*)\n```", README)
    assert first is not None

    assert README.index(first[0]) < README.index("## ")
    assert first[1] in SECTIONS["README#structlog"]


def test_two_commands_do_all_the_set_up() -> None:
    """Each makes a virtual environment of its own; .ci/run runs these very lines."""
    commands = [block.strip() for block in blocks("README#In a checkout", "sh")]

    quickstart, tests, _ = commands
    assert re.findall(r"^python3 -m venv .*$", README, re.MULTILINE) == [quickstart, tests]
    assert quickstart.endswith("python examples/quickstart.py")
    assert tests.endswith("python -m pytest -q")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'grep -E "^python3 -m venv .*$1" README.md' in script
    assert re.findall(r"^readme_command (\w+)$", script, re.MULTILINE) == ["pytest", "quickstart"]


def test_every_page_is_linked() -> None:
    """Each link leads to a file that is there, and no page has to be guessed."""
    targets = {target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target}

    assert {target for target in targets if not (ROOT / target).exists()} == set()
    pages = {f"docs/{page}.md" for page in PAGES if page != "README" and "/" not in page}
    assert pages - targets == {"docs/changelog.md"}


def test_no_room_is_too_large() -> None:
    """Whoever opens one reads it whole."""
    rooms = (ROOT / "cio_events").rglob("*.py")
    sizes = {room.name: len(room.read_text(encoding="utf-8").splitlines()) for room in rooms}

    assert {name: size for name, size in sizes.items() if size > 500} == {}


def test_every_command_of_ours_is_there() -> None:
    """What a page has somebody run with `python -m tests.…` can be run."""
    for page in [ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        text = page.read_text(encoding="utf-8")
        for name in {*re.findall(r"-m (tests[.\w]+\w)", text)}:
            place = ROOT / name.replace(".", "/")
            file = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
            assert file.exists(), (page.name, name)
            assert place.is_dir() or "__main__" in file.read_text(encoding="utf-8"), name


def test_the_map_has_all_rooms() -> None:
    """
    What CONTRIBUTING.md names in its map is there, and no folder or file of the top is left out.
    """
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    package = ROOT / "cio_events"
    rows = re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)

    named = {name.strip("/") for row in rows for name in re.findall(r"`([^`]+)`", row)}
    there = {path.name for path in package.iterdir() if path.name[:2] != "__"} - {"py.typed"}
    assert named == there | {"__main__.py"}
    # From the first row towards the last, as `.importlinter` holds it.
    contracts = (ROOT / ".importlinter").read_text(encoding="utf-8")
    layers = contracts.partition("layers =")[2].partition("\n\n")[0].split("\n")
    floor = {
        room: n for n, line in enumerate(layers) for room in re.findall(r"events\.(\w+)", line)
    }
    floors = [min(floor[name] for name in re.findall(r"`(\w+)(?:/|\.py)`", row)) for row in rows]
    assert floors == sorted(floors)
    paths = re.findall(r"`(_\w+/[\w/.]+)`", text)
    assert [path for path in paths if not (package / path).exists()] == []
