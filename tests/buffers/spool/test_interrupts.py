"""A signal handler, a destructor or an exception may come between any two lines of a spool."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from contextlib import suppress

import pytest

from cio_events._buffers.spool import buffer, file, upkeep, writer
from tests.support import garbage
from tests.support.effort import times
from tests.support.spools import drain, envelope, left_in, number_of, opened

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs POSIX signals")


@pytest.fixture(autouse=True)
def _looks_each_time(monkeypatch):
    # So that each call runs the same lines.
    monkeypatch.setattr(writer, "_LOOK_INTERVAL", 0.0)


@pytest.fixture
def spool(tmp_path):
    """A spool."""
    spool = opened(tmp_path / "spool")
    yield spool
    spool.close()


class Interrupts:
    """Calls *action* before the line number *line* that runs in the spool's modules."""

    rooms = (buffer.__file__, upkeep.__file__, writer.__file__, file.__file__)

    def __init__(self, line, action):
        self.line, self.action = line, action
        self.seen = 0

    def __enter__(self):
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def _trace(self, frame, event, _):
        if frame.f_code.co_filename not in self.rooms:
            return None
        if event == "line":
            self.seen += 1
            if self.seen == self.line:
                sys.settrace(None)
                self.action()
        return self._trace


def lines_of(do):
    """How many lines of the spool's modules *do* runs."""
    with Interrupts(-1, None) as count:
        do()
    return count.seen


def test_a_put_within_a_put_loses_nothing(spool):
    """At each line of `put`, an interrupt that puts another call keeps both, each once."""
    number = 0

    def put():
        nonlocal number
        number += 1
        spool.put(envelope(number))

    put()
    lines = lines_of(put)
    assert lines > 10
    for line in range(1, lines + 1):
        with Interrupts(line, put) as interrupts:
            put()
        assert interrupts.seen == line

    assert spool.in_memory == 0
    assert sorted(drain(spool)) == list(range(1, number + 1))


class CutError(Exception):
    """What a signal handler raises."""


# The moment may be one at which nobody can be told, such as a callback of the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed database")
def test_an_exception_within_a_put_loses_nothing_that_was_accepted(tmp_path):
    """A handler that raises, at any moment, leaves the spool usable, with each call once."""
    started, returned = set(), set()

    def cut(*_):
        raise CutError

    before = signal.signal(signal.SIGALRM, cut)
    cuts, puts = 0, times(1200)
    try:
        for round_ in range(3):
            spool = opened(tmp_path / "spool")
            for number in range(round_ * puts, round_ * puts + puts):
                one = envelope(number)
                try:
                    signal.setitimer(signal.ITIMER_REAL, 1e-6 + number % 37 * 4e-6)
                    started.add(number)
                    spool.put(one)
                    returned.add(number)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except CutError:
                    cuts += 1
            spool.put(envelope(-1 - round_))
            spool.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with warnings.catch_warnings():
        # A file cut off while it was made is closed by the garbage collector only.
        warnings.simplefilter("ignore", ResourceWarning)
        del spool
        garbage.collect()
    numbers = left_in(tmp_path / "spool")

    assert cuts > puts // 7
    assert set(range(-3, 0)) | returned <= set(numbers)
    assert len(numbers) == len(set(numbers))
    assert set(numbers) <= set(range(-3, 0)) | started


def test_a_put_within_the_flushing_side_loses_nothing(spool):
    """At each line of taking and forgetting, an interrupt that puts a call keeps it."""
    put = iter(range(1_000_000))
    numbers = []

    def log():
        spool.put(envelope(next(put)))

    def flush():
        taken = spool.take(3)
        numbers.extend(number_of(one) for one in taken)
        spool.forget(taken)

    log()
    lines = lines_of(flush)
    for line in range(1, lines + 20):
        with Interrupts(line, log):
            flush()
    log()
    numbers += drain(spool)

    assert sorted(numbers) == list(range(next(put)))


def test_flushing_within_a_put_waits_for_its_turn(spool):
    """An interrupt of `put` that takes gets nothing, but what it forgets is forgotten later."""
    spool.put(envelope(1))
    held = spool.take(1)
    taken = []

    def flush():
        taken.append(spool.take(10))
        spool.forget(held)
        spool.forget(taken[-1])

    lines = lines_of(lambda: spool.put(envelope(2)))
    for line in range(1, lines + 1):
        with Interrupts(line, flush):
            spool.put(envelope(2 + line))

    assert [] in taken
    assert sorted(drain(spool) + [number_of(one) for some in taken for one in some]) == list(
        range(2, lines + 3)
    )
    assert all(file.live == 0 for file in spool._files())


def test_flushing_within_flushing_hands_out_each_call_once(spool):
    """At each line of taking and forgetting, an interrupt that does the same disturbs nothing."""
    put = iter(range(1_000_000))
    numbers = []

    def log():
        spool.put(envelope(next(put)))

    def flush(most=3):
        taken = spool.take(most)
        numbers.extend(map(number_of, taken))
        spool.forget(taken[1:])
        spool.forget(taken[:1])

    for _ in range(5):
        log()
    lines = lines_of(flush)
    for line in range(1, lines + 30):
        for _ in range(4):
            log()
        with Interrupts(line, lambda: flush(2)):
            flush()
    numbers += drain(spool)

    assert sorted(numbers) == list(range(next(put)))
    assert sum(file.live for file in spool._files()) == 0


def test_a_destructor_that_logs_does_not_hang(spool):
    """Objects whose `__del__` puts a call, collected while others put and take, are all heard."""
    number = iter(range(1_000_000))

    class Logs:
        def __init__(self):
            self.me = self

        def __del__(self):
            spool.put(envelope(next(number)))

    numbers = []
    with garbage.collecting(every=31):
        for _ in range(300):
            Logs()
            spool.put(envelope(next(number)))
            taken = spool.take(5)
            numbers += [number_of(one) for one in taken]
            spool.forget(taken)
    numbers += drain(spool)

    assert len(numbers) == 600
    assert sorted(numbers) == list(range(600))


def test_a_signal_handler_may_log_while_threads_do(spool, tmp_path):
    """A timer whose handler puts a call, in the middle of threads that do, loses nothing."""
    number = iter(range(1_000_000))
    stop = threading.Event()

    def put(*_):
        spool.put(envelope(next(number)))

    def work():
        while not stop.is_set():
            put()

    threads = [threading.Thread(target=work) for _ in range(2)]
    before = signal.signal(signal.SIGALRM, put)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for thread in threads:
            thread.start()
        for _ in range(800):
            put()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        stop.set()
        for thread in threads:
            thread.join()
        signal.signal(signal.SIGALRM, before)
    count = next(number)
    assert spool.in_memory == 0
    spool.close()

    assert sorted(left_in(tmp_path / "spool")) == list(range(count))


def test_a_fork_within_a_put_does_not_hang(spool):
    """A handler that forks in the middle of `put` gets a child with a spool of its own."""
    spool.put(envelope(1))
    exits = []

    def fork():
        child = os.fork()
        if child == 0:
            sys.settrace(None)
            spool.put(envelope(10))
            os._exit(drain(spool) != [10])
        exits.append(os.waitpid(child, 0)[1])

    lines = lines_of(lambda: spool.put(envelope(2)))
    for line in range(1, lines + 1, 3):
        with Interrupts(line, fork):
            spool.put(envelope(2 + line))

    assert exits
    assert set(exits) == {0}
    assert drain(spool) == [1, 2] + [2 + line for line in range(1, lines + 1, 3)]


def test_put_near_the_end_of_the_stack_does_not_raise(spool):
    """Wherever the recursion limit is met within `put`, the call is kept and nothing raised."""
    envelopes = [envelope(number) for number in range(60)]
    refused, begun = [], []

    def dive(number):
        with suppress(RecursionError):
            number = dive(number)
        if number < len(envelopes):
            try:
                spool.put(envelopes[number])
            except RecursionError as error:
                refused.append(number)
                begun.extend(filter(None, [error.__traceback__.tb_next]))
        return number + 1

    dive(0)

    assert begun == []
    assert len(refused) < 10
    assert sorted([*drain(spool), *refused]) == list(range(60))
