"""The threads of a relay: none of them dies without somebody being told."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable


def thread(
    name: str, run: Callable[[], None], died: Callable[[BaseException], None]
) -> threading.Thread:
    """A daemon thread, not started yet, that does *run*, and tells *died* of what that raises."""

    def watched() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - whoever waits for it has to know
            died(error)

    return threading.Thread(target=watched, name=name, daemon=True)


def course_of(error: BaseException) -> str:
    """By what and where a thread died; the error's own words may hold personal data."""
    return "".join([f"{type(error).__name__}\n", *traceback.format_tb(error.__traceback__)])
