"""The queue between threads: whatever comes when, a timeout holds, and nothing is lost."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty

import pytest

from cio_events._process.mailbox import Mailbox
from tests.behaviour.watching import eventually


def test_timeouts_hold_while_others_put_and_get() -> None:
    """Those of `queue.SimpleQueue` do not: one of them waits forever."""
    box: Mailbox[int] = Mailbox()
    over = threading.Event()
    got: list[int] = []

    def get() -> None:
        while not over.is_set():
            with suppress(Empty):
                got.append(box.get(0.0003))

    threads = [threading.Thread(target=get, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    for n in range(1_000):
        box.put(n)
        time.sleep(0.0003 if n % 2 else 0)
    assert eventually(lambda: len(got) == 1_000)
    over.set()
    assert eventually(lambda: not any(thread.is_alive() for thread in threads))
    assert sorted(got) == list(range(1_000))


def test_all_who_wait_are_woken() -> None:
    """Each by an item of its own, though all were put at once."""
    box: Mailbox[int] = Mailbox()
    together = threading.Barrier(4)

    def get() -> None:
        box.get(20.0)
        together.wait(20.0)  # none gets two

    threads = [threading.Thread(target=get) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(3):
        box.put(n)
    together.wait(20.0)
    for thread in threads:
        thread.join(20.0)

    with pytest.raises(Empty):
        box.get(0)
