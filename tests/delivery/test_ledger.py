"""The ledger: it balances at every read, from threads, interrupts and the collector."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cio_events._delivery.ledger import Ledger, Stats
from tests.support import garbage

SECONDS = 0.7
SIZE = 7


def balanced(stats: Stats) -> Stats:
    """The stats, after a look at whether they add up."""
    assert stats.received == stats.sent + stats.failed + stats.dropped + stats.pending
    assert stats.failed == sum(stats.failed_by_reason.values())
    assert stats.dropped == sum(stats.dropped_by_reason.values())
    assert min(stats.received, stats.sent, stats.failed, stats.dropped, stats.pending) >= 0
    return stats


class Truth:
    """What a worker did to a ledger, counted by itself."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.received = self.sent = self.failed = self.dropped = self.retries = self.full = 0

    def act(self, turn: int) -> None:
        """Do one of everything that can happen to a call."""
        kind = turn % 6
        if kind == 0:
            self.ledger.fail("invalid")
            self.received += 1
            self.failed += 1
        elif kind == 1:
            self.ledger.drop("full")
            self.received += 1
            self.dropped += 1
        elif kind == 2:
            self.ledger.retry()
            self.retries += 1
        elif not self.ledger.admit(SIZE):
            self.full += 1
        else:
            self.received += 1
            if kind == 3:
                self.ledger.settle(SIZE, sent=1, unannounced=1)
                self.sent += 1
                self.ledger.announced(1)
            elif kind == 4:
                self.ledger.settle(SIZE, failed={"rejected": 1}, unannounced=1)
                self.failed += 1
                self.ledger.announced(1)


def assert_truth(ledger: Ledger, *truths: Truth) -> None:
    """The ledger has counted what all together have done."""
    stats = balanced(ledger.stats(0))
    for column in ("received", "sent", "failed", "dropped", "retries"):
        assert getattr(stats, column) == sum(getattr(truth, column) for truth in truths), column
    assert ledger.pending == stats.pending
    assert ledger.pending_bytes == stats.pending * SIZE


def test_call_is_in_one_column_at_a_time() -> None:
    """Received, then pending, then where it ended; the reasons say why."""
    ledger = Ledger(10, 1_000)
    assert ledger.admit(3)
    assert ledger.admit(4)
    assert balanced(ledger.stats(0)) == Stats(2, 0, 0, 0, 2, 0)

    ledger.settle(3, sent=1)
    ledger.settle(4, failed={"rejected": 1}, unannounced=1)
    ledger.fail("invalid")
    ledger.drop("disabled")
    ledger.retry()

    assert balanced(ledger.stats(in_memory=9)) == Stats(
        4, 1, 2, 1, 0, 1, {"rejected": 1, "invalid": 1}, {"disabled": 1}, 9
    )


def test_pending_is_bound_by_count_and_by_bytes() -> None:
    """Just as much as the bounds say, and again when something has ended."""
    by_count, by_bytes = Ledger(2, 1_000), Ledger(1_000, 10)

    assert [by_count.admit(1) for _ in range(3)] == [True, True, False]
    assert [by_bytes.admit(5) for _ in range(3)] == [True, True, False]
    by_count.settle(1, sent=1)
    by_bytes.settle(5, dropped={"closed": 1})
    assert by_count.admit(1)
    assert not by_bytes.admit(6)
    assert by_bytes.admit(5)


def test_adopted_calls_are_beyond_the_bounds() -> None:
    """What a spool has taken over counts as received and pending, however much it is."""
    ledger = Ledger(2, 10)
    ledger.adopt(5, 500)

    assert balanced(ledger.stats(0)) == Stats(5, 0, 0, 0, 5, 0)
    assert not ledger.admit(1)
    ledger.settle(500, sent=5)
    assert ledger.admit(1)


def test_quiet_waits_for_the_signals() -> None:
    """What has ended is over only when everybody was told."""
    ledger = Ledger(10, 100)
    assert ledger.idle()
    ledger.admit(1)
    assert not ledger.idle()
    ledger.settle(1, sent=1, unannounced=1)
    assert not ledger.idle()
    ledger.announced(1)
    assert ledger.idle()


def test_ledger_balances_in_many_threads_at_every_read() -> None:
    """Eight threads change it, two read it, and nothing is lost."""
    ledger = Ledger(200, 10_000)
    truths = [Truth(ledger) for _ in range(8)]
    end = time.monotonic() + SECONDS
    errors: list[BaseException] = []

    def goes_on() -> bool:
        # On a loaded machine, until it was full once.
        now = time.monotonic()
        return now < end or (now < end + 60 and not any(truth.full for truth in truths))

    def work(truth: Truth) -> None:
        turn = 0
        while goes_on():
            truth.act(turn)
            turn += 1

    def read() -> None:
        received = 0
        try:
            while goes_on():
                stats = balanced(ledger.stats(0))
                assert received <= stats.received
                received = stats.received
                assert stats.pending <= 200
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(truth,)) for truth in truths]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert_truth(ledger, *truths)
    assert sum(truth.full for truth in truths) > 0


@contextmanager
def interrupts(handler: Any) -> Iterator[None]:
    """A signal whose handler runs thousands of times a second, between any two lines."""
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_ledger_balances_for_and_after_signal_handlers() -> None:
    """A handler that changes and reads it in the middle of a change neither hangs nor is lost."""
    ledger = Ledger(10_000_000, 10**12)
    outer, inner = Truth(ledger), Truth(ledger)
    turns = 0

    def handler(*_: object) -> None:
        nonlocal turns
        turns += 1
        inner.act(turns)
        balanced(ledger.stats(0))
        ledger.idle()

    with interrupts(handler):
        end = time.monotonic() + SECONDS
        turn = 0
        while time.monotonic() < end:
            outer.act(turn)
            if turn % 7 == 0:
                balanced(ledger.stats(0))
            turn += 1

    assert turns > 100
    assert_truth(ledger, outer, inner)


def test_interrupt_that_is_postponed_is_not_quiet() -> None:
    """A handler that has handed a call in and asks right away is not told that all is over."""
    ledger = Ledger(10, 100)
    told: list[bool] = []

    class Interrupting(dict[str, int]):
        """Reasons that are interrupted while they are counted."""

        def __len__(self) -> int:
            """Do what a signal handler could do here."""
            assert ledger.admit(1)
            told.append(ledger.idle())
            balanced(ledger.stats(0))
            return super().__len__()

    ledger.settle(0, failed=Interrupting())

    assert told
    assert not any(told)
    assert balanced(ledger.stats(0)).pending == len(told)
    assert not ledger.idle()


def test_interrupt_at_the_very_end_of_a_change_is_counted() -> None:
    """What comes when a change has looked for the last time is not left for the next one."""
    ledger = Ledger(10, 100)
    answers: list[bool] = []

    class Interrupted(deque[Any]):
        """What was postponed; somebody interrupts when it is first found empty."""

        def __bool__(self) -> bool:
            if not len(self) and not answers:
                answers.append(True)
                assert ledger.admit(1)
                return False
            return len(self) > 0

    ledger._postponed = Interrupted()
    ledger.retry()

    assert answers
    assert ledger.pending == 1


def test_bounds_hold_for_interrupts_too() -> None:
    """A call that interrupts a full ledger is refused as any other."""
    ledger = Ledger(1, 100)
    answers: list[bool] = []

    class Interrupting(dict[str, int]):
        """Reasons that are interrupted while they are counted."""

        def __len__(self) -> int:
            """Do what a signal handler could do here."""
            answers.append(ledger.admit(1))
            return super().__len__()

    ledger.admit(1)
    ledger.settle(0, failed=Interrupting())

    assert answers
    assert not any(answers)


def test_ledger_balances_for_objects_that_log_when_they_are_collected() -> None:
    """A ``__del__`` that runs inside a change of the same thread neither hangs nor is lost."""
    ledger = Ledger(10_000_000, 10**12)
    outer, inner = Truth(ledger), Truth(ledger)
    turns = 0

    class Logging:
        """Part of a cycle, so that only the collector ends it."""

        def __init__(self) -> None:
            self.myself = self

        def __del__(self) -> None:
            nonlocal turns
            turns += 1
            inner.act(turns)
            balanced(ledger.stats(0))

    with garbage.collecting(every=31):
        for turn in range(1_500):
            Logging()
            outer.act(turn)
            if turn % 5 == 0:
                balanced(ledger.stats(0))

    assert turns == 1_500
    assert_truth(ledger, outer, inner)


@pytest.mark.parametrize("reader", ["stats", "quiet"])
def test_reading_waits_for_nobody_in_the_same_thread(reader: str) -> None:
    """A reader inside a change of its own thread gets an answer, from before or after it."""
    ledger = Ledger(10, 100)
    answers: list[Any] = []

    class Interrupting(dict[str, int]):
        """Reasons that are interrupted while they are counted."""

        def __len__(self) -> int:
            """Do what a signal handler could do here."""
            answers.append(ledger.stats(0) if reader == "stats" else ledger.idle())
            return super().__len__()

    ledger.admit(1)
    ledger.settle(1, dropped=Interrupting(closed=1))

    assert answers in ([Stats(1, 0, 0, 0, 1, 0)], [False])


def test_what_is_lost_makes_room_again() -> None:
    """How large it was is not known: it had its share, and all of it once nothing is pending."""
    ledger = Ledger(10, 1000)
    for size in (100, 300):
        assert ledger.admit(size)
    ledger.lose(1)
    assert ledger.pending_bytes == 200
    ledger.settle(300, sent=1)

    assert balanced(ledger.stats(0)).dropped_by_reason == {"damaged": 1}
    assert ledger.pending_bytes == 0
    assert ledger.admit(1000)
