"""When a process has come to rest: all its threads sleep, and none has woken up meanwhile."""

from __future__ import annotations

import re
import time
from pathlib import Path

PATIENCE = 40
_INTERVAL = 0.05


def wait_until_asleep(pid: int) -> None:
    """Wait until it rests: who waits for a lock of Python's wakes up again and again."""
    end = time.monotonic() + PATIENCE
    while True:
        before = _switches(pid)
        time.sleep(_INTERVAL)
        if before is not None and before == _switches(pid):
            return
        assert time.monotonic() < end, f"process {pid} does not come to rest"


def _switches(pid: int) -> list[tuple[str, list[str]]] | None:
    """How often each of its threads was given a core; None while one of them runs or ends."""
    found = []
    for task in sorted(Path(f"/proc/{pid}/task").iterdir()):
        try:
            status = (task / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None  # it has ended meanwhile
        if "State:\tS" not in status:
            return None
        found.append((task.name, re.findall(r"switches:\t(\d+)", status)))
    return found
