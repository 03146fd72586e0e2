"""Processes that share a spool: killed, forked, at once, one after the other."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import ExitStack

import pytest

from cio_events._process import forks
from cio_events._wire.envelope import ulid_of
from tests.support.effort import THOROUGH, times
from tests.support.spools import (
    CHILD_SECONDS,
    Noting,
    SpoolWithPut,
    child,
    drain,
    envelope,
    left_in,
    number_of,
    opened,
    run_child,
    spool_files,
    wait_for,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# In a process of its own, which is small and so forked in no time; from 3.12 on, a fork beside
# threads warns.
THREADS = """
import threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
"""

PUT_FOR_EVER = """
spool = opened(directory)
number = 0
while True:
    spool.put(envelope(number))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    number += 1
"""


@pytest.fixture
def directory(tmp_path):
    """Where the spool is."""
    return tmp_path / "spool"


@pytest.mark.parametrize("after", [1, 200, 3000])
def test_what_was_put_survives_sigkill(directory, after):
    """Every call whose `put` had returned is there after SIGKILL, in order."""
    with child(PUT_FOR_EVER, directory) as process:
        for line in process.stdout:
            if int(line) >= after:
                break
        os.kill(process.pid, signal.SIGKILL)
        accepted = [int(line), *map(int, process.stdout.read().split())]
        process.wait(CHILD_SECONDS)
    found = left_in(directory)

    assert len(found) >= accepted[-1] + 1
    assert found == list(range(len(found)))
    assert list(directory.iterdir()) == []


def test_sigkill_while_it_flushes_loses_nothing(directory):
    """Killed in the middle of all that a spool does, nothing that was put is missing."""
    code = """
from cio_events._buffers.spool import buffer
buffer._JOURNAL_BYTES = 50_000
spool = opened(directory)
number = 0
while True:
    for _ in range(50):
        spool.put(envelope(number))
        number += 1
    print("put", number, flush=True)
    taken = spool.take(30)
    spool.forget(taken[5:])
    spool.forget(taken[:5])
    print("forgotten", number_of(taken[-1]) + 1, flush=True)
"""
    for lines in (3, 40, 300):
        with child(code, directory) as process:
            said = dict.fromkeys(("put", "forgotten"), 0)
            for heard, line in enumerate(process.stdout):
                if heard == lines:
                    os.kill(process.pid, signal.SIGKILL)
                what, number = line.split()
                said[what] = int(number)
            process.wait(CHILD_SECONDS)
        found = left_in(directory)

        # It may have died between the two: then there are the first five of thirty.
        if found[5] == found[0] + 30:
            del found[:5]
        # What was forgotten in the last moment may be there again, and nothing else.
        assert found == list(range(found[0], found[-1] + 1))
        assert found[-1] + 1 >= said["put"]
        assert found[0] <= said["forgotten"] + 30
        # A file that it was just making is deleted when it is old.
        assert {path.stat().st_size for path in spool_files(directory)} <= {0}


def test_the_living_are_left_alone(directory):
    """Nobody adopts the file of a process that runs; it is free the moment that one is killed."""
    with child(PUT_FOR_EVER, directory) as process:
        for _ in range(100):
            last = int(process.stdout.readline())
        report = Noting()
        spool = opened(directory, report)
        for _ in range(20):
            assert spool.adopt() == (0, 0)
        os.kill(process.pid, signal.SIGKILL)
        last = [last, *map(int, process.stdout.read().split())][-1]
        process.wait(CHILD_SECONDS)

        assert spool.adopt()[0] >= last + 1
        assert report == []
        spool.close()


ADOPT_AND_TAKE = """
spool = opened(directory)
print("ready", flush=True)
sys.stdin.readline()
numbers = []
while list(directory.glob("*.spool")):
    numbers += drain(spool)
spool.close()
print(*numbers)
"""


# Leaves the processor to those who are looked at, which make a file in some milliseconds.
_BETWEEN_LOOKS = 0.0005


def test_racing_processes_adopt_each_call_once(directory):
    """Of several processes that adopt at once, exactly one gets each call."""
    count = times(80) * 50
    for start in range(0, count, 50):
        spool = opened(directory)
        for number in range(start, start + 50):
            spool.put(envelope(number))
        spool.close()
    with ExitStack() as ended:
        processes = [ended.enter_context(child(ADOPT_AND_TAKE, directory)) for _ in range(3)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=CHILD_SECONDS)[0] for process in processes]
    counts = Counter(int(number) for output in outputs for number in output.split())

    assert counts == Counter(range(count))
    assert list(directory.iterdir()) == []


def test_processes_come_and_go_while_others_adopt(directory):
    """Files that are made and closed under the eyes of an adopting process lose no call."""
    each = 3 * times(100)
    code = """
for start in range(0, int(sys.argv[3]), 3):
    spool = opened(directory)
    for number in range(3):
        spool.put(envelope(int(sys.argv[2]) + start + number))
    spool.close()
"""
    numbers = []
    spool = opened(directory)
    with child(code, directory, 0, each) as one, child(code, directory, each, each) as other:
        while one.poll() is None or other.poll() is None:
            numbers += drain(spool)
            time.sleep(_BETWEEN_LOOKS)
        assert one.returncode == other.returncode == 0
    while more := drain(spool):
        numbers += more
    spool.close()

    assert Counter(numbers) == Counter(range(2 * each))
    assert list(directory.iterdir()) == []


def test_a_file_that_is_just_being_made_is_not_taken_for_a_damaged_one(directory):
    """Nobody looks at a moment of its making when it seems to have lost its content."""
    code = f"""
from cio_events._buffers.spool import ownership
for _ in range({times(200)}):
    ownership.create(directory).remove()
"""
    report = Noting()
    spool = opened(directory, report)
    with child(code, directory) as process:
        while process.poll() is None:
            spool.adopt()
            time.sleep(_BETWEEN_LOOKS)
        assert process.returncode == 0
    spool.close()

    assert "spool damaged" not in report.kinds, report
    assert list(directory.iterdir()) == []


def test_a_clean_exit_without_close_leaves_the_calls(directory):
    """An interpreter that ends with an open spool leaves its calls to the next one."""
    code = """
spool = opened(directory)
for number in range(100):
    spool.put(envelope(number))
taken = spool.take(10)
spool.forget(taken[:5])
import gc, warnings
warnings.simplefilter("ignore")
"""
    run_child(code, directory)

    assert left_in(directory) == list(range(5, 100))


def test_an_unfinished_file_is_cleaned_away(directory):
    """Files whose makers died while they made them are deleted, but not before they are old."""
    directory.mkdir()
    empty = directory / "1-01ARZ3NDEKTSV4RRFFQ69G5FAV.spool"
    empty.touch()
    spool = opened(directory)

    assert spool.adopt() == (0, 0)
    assert empty.exists()
    old = time.time() - 3600
    os.utime(empty, (old, old))
    assert spool.adopt() == (0, 0)
    assert not empty.exists()
    spool.close()


class TestFork:
    """A child leaves what the parent has to the parent."""

    def test_each_has_its_own(self, directory):
        """Parent and child go on with files of their own, and nothing is delivered twice."""
        spool = opened(directory)
        spool.put(envelope(1))
        held = spool.take(1)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                assert spool.take(10) == []
                assert spool.adopt() == (0, 0)
                spool.put(envelope(2))
                assert len(spool_files(directory)) == 2
                assert [number_of(one) for one in spool.take(10)] == [2]
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
        spool.put(envelope(3))
        spool.forget(held)

        assert drain(spool) == [2, 3]
        spool.close()
        assert list(directory.iterdir()) == []

    def test_the_childs_end_does_not_touch_the_parents_file(self, directory):
        """After a child has ended in each way there is, what the parent puts still survives."""
        code = """
spool = opened(directory)
spool.put(envelope(0))
dead = spool.take(1)[0]
from cio_events._buffers.failures import Failure
spool.put(envelope(1))
spool.dead_letter(spool.take(1), [Failure("rejected", 400, None)])
for way in ("exit", "close", "collect", "put"):
    pid = os.fork()
    if pid == 0:
        if way == "close":
            spool.close()
        if way == "collect":
            import gc
            del spool, dead
            gc.collect()
        if way == "put":
            spool.put(envelope(100))
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    spool.put(envelope(2 + len(way)))
print("done", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
        with child(code, directory) as process:
            assert process.stdout.readline() == "done\n"
            process.wait(CHILD_SECONDS)

        assert sorted(left_in(directory)) == [0, 5, 6, 7, 9, 100]
        spool = opened(directory)
        assert [letter.id for letter in spool.failures()] == [
            ulid_of(letter.envelope) for letter in spool.failures()
        ]
        assert len(list(spool.failures())) == 1
        spool.close()

    def test_the_parents_lock_stays_the_parents(self, directory):
        """A child that lives on does not keep the file of its dead parent from being adopted."""
        code = """
spool = opened(directory)
for number in range(10):
    spool.put(envelope(number))
if os.fork() == 0:
    print(os.getpid(), flush=True)
    time.sleep(30)
    os._exit(0)
sys.stdin.readline()
"""
        with child(code, directory) as process:
            orphan = int(process.stdout.readline())
            try:
                os.kill(process.pid, signal.SIGKILL)
                process.wait(CHILD_SECONDS)

                assert left_in(directory) == list(range(10))
            finally:
                os.kill(orphan, signal.SIGKILL)

    def test_while_other_threads_are_in_the_middle(self, directory):
        """Children forked while threads put, take, adopt and keep dead letters can use a spool."""
        code = """
spool = opened(directory)
stop = threading.Event()
number = iter(range(10_000_000))

def work(do):
    while not stop.is_set():
        do()

def flush():
    spool.forget(spool.take(50))
    spool.adopt()
    list(spool.failures())

threads = [
    threading.Thread(target=work, args=(do,))
    for do in (lambda: spool.put(envelope(next(number))), flush)
]
for thread in threads:
    thread.start()
try:
    for _ in range(int(sys.argv[2])):
        pid = os.fork()
        if pid == 0:
            spool.put(envelope(1))
            spool.forget(spool.take(1))
            os._exit(spool.take(1) != [])
        end = time.monotonic() + 20
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                sys.exit("the child hangs")
            time.sleep(0.001)
finally:
    stop.set()
    for thread in threads:
        thread.join()
    spool.close()
"""
        run_child(THREADS + code, directory, 15 if THOROUGH else 8)

    def test_a_fork_from_two_threads_at_once(self, directory):
        """Forks from two threads, with two spools open, wait for each other and both succeed."""
        code = """
spools = [opened(directory), opened(directory)]
failures = []

def fork_often():
    for _ in range(int(sys.argv[2])):
        pid = os.fork()
        if pid == 0:
            spools[0].put(envelope(1))
            os._exit(0)
        failures.extend(filter(None, [os.waitpid(pid, 0)[1]]))

threads = [threading.Thread(target=fork_often) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

print(failures, len(found := drain(spools[1])), set(found))
for spool in spools:
    spool.close()
"""
        each = 20 if THOROUGH else 10
        assert run_child(THREADS + code, directory, each) == f"[] {2 * each} {{1}}\n"

    def test_a_spool_that_is_gone_is_not_told(self, directory):
        """A spool that nobody refers to any more does not stay in memory for the sake of forks."""
        spool = SpoolWithPut(directory, report=Noting())
        assert spool in forks._interruptible
        spool.close()
        del spool

        assert not any(each._directory == directory for each in forks._interruptible)


def test_a_killed_adopter_leaves_what_it_had_not_forgotten(directory):
    """A process killed while it works off an adopted file leaves the rest to the next one."""
    spool = opened(directory)
    for number in range(3000):
        spool.put(envelope(number))
    spool.close()
    code = """
spool = opened(directory)
assert spool.adopt()[0] == 3000
spool.forget(spool.take(1700))
spool.take(500)
print("now", flush=True)
time.sleep(60)
"""
    with child(code, directory) as process:
        assert process.stdout.readline() == "now\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait(CHILD_SECONDS)

    assert left_in(directory) == list(range(1700, 3000))


def test_what_another_process_leaves_is_soon_seen(directory):
    """A process that looks again and again finds what others leave."""
    spool = opened(directory)
    assert drain(spool) == []
    run_child("spool = opened(directory); spool.put(envelope(7)); spool.close()", directory)
    numbers = []
    wait_for(lambda: numbers.extend(drain(spool)) or numbers)

    assert numbers == [7]
    spool.close()
