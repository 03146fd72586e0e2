"""Processes that end with whoever started them, however that one ends."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def end_with_standard_input() -> None:
    """End this process when its standard input ends, which whoever started it holds open."""
    threading.Thread(target=_await_end, daemon=True).start()


def _await_end() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


@contextmanager
def held_open() -> Iterator[int]:
    """A file descriptor for the standard input of another process, which ends with this block."""
    read, write = os.pipe()
    try:
        yield read
    finally:
        os.close(read)
        os.close(write)
