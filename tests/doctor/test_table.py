"""The table of findings: ids that stay, and words that can be filled in."""

from __future__ import annotations

import dataclasses
import re
import string
from pathlib import Path

import pytest

import cio_events.doctor
from cio_events.doctor import Finding, table
from cio_events.doctor.examination import CHECKS
from cio_events.doctor.finding import level_of
from cio_events.doctor.table import TABLE, delivery, found, records, relay, settings

ROOMS = "\n".join(
    path.read_text(encoding="utf-8")
    for path in Path(cio_events.doctor.__file__).parent.glob("*.py")
)


def test_a_finding_is_frozen() -> None:
    """With six fields, which are documented."""
    finding = found("I010", versions="all")

    assert finding == Finding("I010", "ok", "all", "", "", "")
    with pytest.raises(dataclasses.FrozenInstanceError):
        finding.id = "I011"  # type: ignore[misc]


def test_no_id_is_there_twice() -> None:
    """Nor in two parts of the table; a number means one thing, whatever its letter."""
    parts = (settings.ROWS, records.ROWS, delivery.ROWS, relay.ROWS)
    numbers = [id_[1:] for part in parts for id_ in part]

    assert len(TABLE) == sum(map(len, parts))
    assert sorted(numbers) == sorted(set(numbers))
    assert all(re.fullmatch(r"[EWIS]\d{3}", id_) for id_ in TABLE)
    assert all((id_[1] == "9") == (row.area == "relay") for id_, row in TABLE.items())


def test_each_row_is_of_a_check() -> None:
    """Or of the application, or the doctor itself."""
    areas = {row.area for row in TABLE.values()}

    assert areas == {check.name for check in CHECKS} | {"application", "doctor"}


@pytest.mark.parametrize("id_", TABLE)
def test_what_is_wrong_says_why_and_how_to_mend_it(id_: str) -> None:
    """And what is well does not; a sentence that goes on has no full stop in its title."""
    row = TABLE[id_]

    assert bool(row.why and row.fix) == (level_of(id_) in ("warning", "error"))
    assert not row.title.endswith(".")
    for text in (row.why, row.fix):
        assert text.endswith((".", "}", "")) if text else True


@pytest.mark.parametrize("id_", TABLE)
def test_each_finding_is_found_somewhere(id_: str) -> None:
    """An id that nothing finds any more is retired, and its row goes."""
    assert f'"{id_}"' in ROOMS


@pytest.mark.parametrize("id_", TABLE)
def test_the_words_to_fill_in_are_plain_names(id_: str) -> None:
    """So that no text from outside is ever a format."""
    row = TABLE[id_]
    names = {
        name
        for text in (row.title, row.why, row.fix)
        for _, name, _, _ in string.Formatter().parse(text)
        if name is not None
    }

    assert all(name.isidentifier() for name in names)
    assert table.found(id_, **dict.fromkeys(names, 7)).id == id_
