"""The signals that end a command, noted as they come: the command itself ends in good order."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

TICK_SECONDS = 0.1
"""How soon one is seen by whoever looks; waiting in short steps works on every system."""


def noted() -> list[int]:
    """Gets SIGINT and SIGTERM, as they come from now on."""
    signals: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        signals.append(number)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, note)
    return signals
