"""
The one table of findings; each has its row here, the page of the documentation is made of it.

An id is never used again for anything else.
"""

from __future__ import annotations

from cio_events.doctor.finding import Finding, Row, level_of
from cio_events.doctor.table import delivery, records, relay, settings

TABLE: dict[str, Row] = {**settings.ROWS, **records.ROWS, **delivery.ROWS, **relay.ROWS}
"""Each id and what is said of it."""


def found(id_: str, where: str = "", **facts: object) -> Finding:
    """The finding with that id, at this place, with the *facts* that its row asks for."""
    row = TABLE[id_]
    title, why, fix = (text.format_map(facts) for text in (row.title, row.why, row.fix))
    if title.startswith("the "):  # of an option or a logger
        title = f"T{title[1:]}"
    return Finding(id_, level_of(id_), title, why, fix, where)
