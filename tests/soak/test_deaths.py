"""How a process that was soaked ended is told, whatever it could still print."""

from __future__ import annotations

import pytest

from tests.soak.__main__ import ledger_from


def test_the_last_line_is_the_ledger() -> None:
    """Whatever was printed before it."""
    assert ledger_from('ready\n{"sent": 5}\n', 0, "a warning") == {"sent": 5}


@pytest.mark.parametrize("code", [0, 1, -9])
@pytest.mark.parametrize("printed", ["", "ready\n", '{"sent": 5', "null\n"])
def test_a_death_is_told_with_its_status_and_last_words(printed: str, code: int) -> None:
    """Half a line, or none, is no fault of whoever reads it."""
    assert ledger_from(printed, code, "Killed\n") == f"ended with {code}: Killed"
    assert ledger_from(printed, code, "") == f"ended with {code}: it said nothing"
