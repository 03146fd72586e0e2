"""Listen to what the package says of records, for the recorder or the workspace that is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cio_events._pipeline import recording
from cio_events._process import debugging, diagnostics
from cio_events._sources import debugging as outcomes
from cio_events.testing.notes import Notes
from cio_events.testing.tape import Tape

_of_workspace: Notes | None = None


def listen_for(notes: Notes | None) -> None:
    """Note there what is said while no recorder is open; None is nowhere any more."""
    global _of_workspace
    _of_workspace = notes
    look()


def look() -> None:
    """Listen if a recorder or a workspace is open, and no more if none is."""
    listens = recording.current is not None or _of_workspace is not None
    debugging.listen(listens=listens)
    diagnostics.listener = _hear if listens else None
    outcomes.listener = _learn if listens else None


def _notes() -> Notes | None:
    current = recording.current
    return current.notes if isinstance(current, Tape) else _of_workspace


def _hear(kind: str, message: str) -> None:
    notes = _notes()
    if notes is not None:
        notes.heard(kind, message)


def _learn(fields: Mapping[Any, Any], event: object, outcome: str) -> None:
    notes = _notes()
    if notes is not None:
        notes.outcome(fields, event, outcome)
