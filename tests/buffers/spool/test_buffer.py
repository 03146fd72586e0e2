"""A spool keeps calls on disk, in order, until they are forgotten or kept."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from cio_events._buffers.failures import Failure
from cio_events._buffers.spool import backlog, buffer
from cio_events._wire.envelope import Route, seal, ulid_of
from tests.support.effort import times
from tests.support.spools import Noting, drain, envelope, left_in, number_of, opened, spool_files


@pytest.fixture
def directory(tmp_path):
    """Where the spool is."""
    return tmp_path / "spool"


@pytest.fixture
def spool(directory):
    """A spool with which nothing goes wrong."""
    report = Noting()
    spool = opened(directory, report)
    yield spool
    spool.close()
    assert report == []


def test_calls_come_out_as_they_went_in(spool):
    """What is taken is equal to what was put, byte by byte and in its order."""
    put = [envelope(number, size=number * 37) for number in range(300)]
    for one in put:
        spool.put(one)

    taken = spool.take(120) + spool.take(1000)

    assert taken == put
    assert {type(one) for one in taken} == {bytes}
    assert spool.take(10) == []


@pytest.mark.parametrize("large", [0, 1, 1500, 2999])
def test_calls_keep_their_order_around_a_large_one(spool, large):
    """More calls than are at hand in memory, one of them large, come out in order."""
    for number in range(3000):
        spool.put(envelope(number, size=20_000 if number == large else 10))
    numbers = []
    while taken := spool.take(130):
        numbers += map(number_of, taken)
        spool.forget(taken)
        if len(numbers) % 3 == 0:
            spool.put(envelope(3000 + len(numbers)))

    assert numbers == sorted(numbers)
    assert numbers[:3000] == list(range(3000))


def test_a_large_call_is_kept_whole(spool):
    """A message with attachments of megabytes comes out as it went in."""
    large = seal(Route.APP, 1_700_000_000_000, ulid_of(envelope(1)), os.urandom(3_000_000))

    spool.put(large)

    assert spool.take(1) == [large]


def test_what_is_not_forgotten_is_there_again(directory):
    """Calls that were taken, but not forgotten, wait for whoever opens the spool next."""
    spool = opened(directory)
    for number in range(10):
        spool.put(envelope(number))
    taken = spool.take(6)
    spool.forget(taken[:2])
    spool.forget([taken[4]])
    assert spool.close() == []

    assert left_in(directory) == [2, 3, 5, 6, 7, 8, 9]


def test_forgetting_in_any_order_keeps_the_rest(directory):
    """Each order of forgetting leaves exactly the calls that were not forgotten."""
    spool = opened(directory)
    for number in range(600):
        spool.put(envelope(number))
    taken = spool.take(600)
    for one in reversed(taken[::2]):
        spool.forget([one])
    spool.close()

    assert left_in(directory) == list(range(1, 600, 2))


def test_nothing_is_left_of_an_empty_spool(directory):
    """When everything was forgotten, closing leaves an empty directory."""
    spool = opened(directory)
    for number in range(2000):
        spool.put(envelope(number))
    assert drain(spool) == list(range(2000))
    spool.close()

    assert list(directory.iterdir()) == []


def test_a_spool_that_is_not_used_has_no_file(directory):
    """Opening a spool creates the directory only."""
    spool = opened(directory)

    assert list(directory.iterdir()) == []
    spool.close()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_only_the_owner_can_read(directory, umask):
    """Directory and files are private whatever the umask, the journals and dead letters too."""
    before = os.umask(umask)
    try:
        spool = opened(directory)
        spool.put(envelope(1))
        spool.put(envelope(2))
        spool.dead_letter(spool.take(1), [Failure("rejected", 400, "no")])
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    finally:
        os.umask(before)
    spool.close()

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert len(modes) >= 4
    assert set(modes.values()) == {0o600}


def test_equal_calls_are_kept_apart(directory):
    """Two calls that are equal to the byte are two, and forgotten one by one."""
    spool = opened(directory)
    one = envelope(1)
    other = bytes(bytearray(one))
    for each in (one, other, envelope(2)):
        spool.put(each)
    taken = spool.take(3)
    spool.forget([taken[0]])
    spool.close()

    assert left_in(directory) == [1, 2]


def test_adopted_calls_go_first_file_by_file(directory):
    """The calls of earlier spools come before our own, the oldest spool's first."""
    for start in (0, 10):
        earlier = opened(directory)
        earlier.put(envelope(start))
        earlier.put(envelope(start + 1))
        earlier.close()
    spool = opened(directory)
    spool.put(envelope(20))
    count, size = spool.adopt()

    assert count == 4
    assert size == 4 * len(envelope(0)) + 2  # two numbers have two digits
    assert [number_of(one) for one in spool.take(100)] == [0, 1, 10, 11, 20]
    spool.close()


def test_adopting_again_counts_nothing_twice(directory):
    """What was adopted is not counted by the next look."""
    earlier = opened(directory)
    earlier.put(envelope(1))
    earlier.close()
    spool = opened(directory)

    assert spool.adopt()[0] == 1
    assert spool.adopt() == (0, 0)
    assert drain(spool) == [1]
    assert spool.adopt() == (0, 0)
    spool.close()


def open_files():
    """How many file descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_two_spools_share_a_directory(directory):
    """Spools of one process leave each other's files alone, however often they look."""
    one, other = opened(directory), opened(directory)
    one.put(envelope(1))
    other.put(envelope(2))
    descriptors = open_files()
    for _ in range(20):
        assert one.adopt() == other.adopt() == (0, 0)

    assert open_files() <= descriptors + 2
    assert [number_of(each) for each in one.take(9)] == [1]
    assert [number_of(each) for each in other.take(9)] == [2]
    one.close()
    assert other.adopt()[0] == 1
    assert [number_of(each) for each in other.take(9)] == [1]
    other.close()


def test_the_files_adopted_at_a_time_are_bounded(directory, monkeypatch):
    """A process does not open any number of files; it adopts the others when some are done."""
    monkeypatch.setattr(backlog, "_ADOPT_MOST", 3)
    for number in range(8):
        earlier = opened(directory)
        earlier.put(envelope(number))
        earlier.close()
    spool = opened(directory)

    assert spool.adopt()[0] == 3
    assert drain(spool) == [0, 1, 2]
    assert drain(spool) == [3, 4, 5]
    assert drain(spool) == [6, 7]
    spool.close()


def test_the_journal_is_kept_small(directory, monkeypatch):
    """While calls come and go, their files are replaced, and the spool does not grow."""
    monkeypatch.setattr(buffer, "_JOURNAL_BYTES", 100_000)
    spool = opened(directory)
    sizes, seen = [], []
    for number in range(2000):
        spool.put(envelope(number))
        if number % 50 == 0:
            taken = spool.take(1000)
            seen += map(number_of, taken)
            spool.forget(taken[:-1])
            last = taken[-1]
            sizes.append(sum(path.stat().st_size for path in directory.iterdir()))
            spool.forget([last])
    seen += drain(spool)
    spool.close()

    assert seen == list(range(2000))
    assert max(sizes) < 1_000_000
    assert list(directory.iterdir()) == []


def test_a_backlog_is_moved_from_the_journal(directory, monkeypatch):
    """While nothing is delivered, journals are emptied into their files, in any number."""
    monkeypatch.setattr(buffer, "_JOURNAL_BYTES", 100_000)
    spool = opened(directory)
    for number in range(3000):
        spool.put(envelope(number))
        if number % 50 == 0:
            spool.take(0)
    journals = [path.stat().st_size for path in directory.iterdir() if path.suffix == ".spool-wal"]
    spool.close()

    assert len(journals) <= buffer._OLDER_MOST + 1
    assert max(journals) < 1_000_000
    assert left_in(directory) == list(range(3000))


def test_a_closed_spool_still_keeps_what_is_put(directory):
    """A call that comes after the close is on disk for the next process."""
    spool = opened(directory)
    spool.put(envelope(1))
    spool.close()
    spool.put(envelope(2))

    assert spool.in_memory == 0
    spool.close()
    assert left_in(directory) == [1, 2]


def test_many_threads_put_while_one_takes(directory):
    """Nothing is lost or doubled between threads, and each thread's calls keep their order."""
    spool, each = opened(directory), times(2000)
    threads = [
        threading.Thread(
            target=lambda first=first: [spool.put(envelope(first + n)) for n in range(each)]
        )
        for first in range(0, 6 * each, each)
    ]
    for thread in threads:
        thread.start()
    numbers = []
    while any(thread.is_alive() for thread in threads):
        taken = spool.take(200)
        numbers += map(number_of, taken)
        spool.forget(taken)
    for thread in threads:
        thread.join()
    numbers += drain(spool)
    spool.close()

    assert sorted(numbers) == list(range(6 * each))
    for first in range(0, 6 * each, each):
        own = [number for number in numbers if first <= number < first + each]
        assert own == sorted(own)


def test_no_credential_could_be_in_it(directory):
    """A spool stores envelopes and its own bookkeeping, and nothing else."""
    spool = opened(directory)
    spool.put(envelope(1))
    spool.put(envelope(2))
    spool.dead_letter(spool.take(1), [Failure("rejected", 400, "no")])
    spool.close()
    columns = set()
    for path in [*spool_files(directory), directory / "dead-letters.sqlite"]:
        connection = sqlite3.connect(path)
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            columns |= {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        connection.close()

    assert columns == {
        *("place", "crc", "envelope", "below"),
        *("number", "id", "reason", "status", "detail", "failed_at"),
        *("name", "seq"),  # SQLite's own
        "workspace",
    }


def test_a_message_in_doubt_is_known_to_who_adopts_it(directory):
    """A message that was being sent when its process ended is told from one that was not."""
    spool = opened(directory)
    for number in range(4):
        spool.put(envelope(number, route=Route.APP))
    taken = spool.take(4)
    spool.sending(taken[1])
    spool.sending(taken[2])
    spool.unsent(taken[2])
    assert not any(map(spool.maybe_sent, taken))
    spool.close()
    spool = opened(directory)
    spool.adopt()
    taken = spool.take(4)

    assert [spool.maybe_sent(one) for one in taken] == [False, True, False, False]
    spool.forget(taken)
    spool.close()


def test_its_repr_shows_where_it_is(spool, directory):
    """The repr names the directory."""
    assert repr(spool) == f"<Spool {directory}>"
    spool.put(envelope(1))
    assert repr(spool._own) == f"<SpoolFile {spool_files(directory)[0].name} live=1>"
