"""The files of one process are one backlog, in the order in which they were made."""

from __future__ import annotations

import threading

import pytest

from cio_events._buffers.spool import buffer, ownership
from tests.support.effort import times
from tests.support.spools import drain, envelope, number_of, opened, spool_files


@pytest.fixture
def directory(tmp_path):
    """Where the spool is."""
    return tmp_path / "spool"


@pytest.fixture(autouse=True)
def _small_files(monkeypatch):
    """A file for every few calls."""
    monkeypatch.setattr(buffer, "_JOURNAL_BYTES", 1)


def fill(spool, numbers):
    """Put calls, each into a file of its own."""
    for number in numbers:
        spool.put(envelope(number))
        spool.adopt()  # looks after the journal, too


@pytest.mark.parametrize("step", [0, -1], ids=["one millisecond", "set back"])
def test_the_clock_does_not_matter(directory, monkeypatch, step):
    """Files made within one millisecond, or while the clock is set back, are in order."""
    moments = iter(range(1_800_000_000_000_000_000, 0, step * 3_600_000_000_000 or -1))
    monkeypatch.setattr(ownership.time, "time_ns", lambda: next(moments))
    first = opened(directory)
    fill(first, range(4))
    first.close()
    second = opened(directory)
    second.adopt()
    fill(second, range(4, 7))

    assert len(spool_files(directory)) > 4
    assert drain(second) == list(range(7))


def test_any_name_may_be_there(directory):
    """What is no file of ours does not matter for the order of those that are."""
    directory.mkdir()
    (directory / "1-ZZZZZZZZZZZZZZZZZZZZZZZZZZ.spool").mkdir()
    (directory / "zzzz.spool").mkdir()
    spool = opened(directory)
    spool.put(envelope(0))

    assert drain(spool) == [0]


def test_one_process_adopts_all_of_a_backlog(directory):
    """Of two that come at once, the second gets none of the files of the first's."""
    gone = opened(directory)
    fill(gone, range(4))
    gone.close()
    other = opened(directory)
    fill(other, range(4, 6))
    other.close()
    first, second = opened(directory), opened(directory)
    files = spool_files(directory)
    assert len(files) == 6
    claimed, _ = ownership.claim(files[0])

    assert second.adopt()[0] == 2
    claimed.close()
    assert first.adopt()[0] == 4
    assert (drain(first), drain(second)) == ([0, 1, 2, 3], [4, 5])


def test_an_empty_file_keeps_none_back(directory):
    """As one that was given up while it was made, when an interrupt raised."""
    gone = opened(directory)
    fill(gone, range(3))
    gone.close()
    first = spool_files(directory)[0]
    first.with_name(first.name.replace("-000001", "-000000")).touch()

    assert drain(opened(directory)) == [0, 1, 2]


def test_of_two_that_meet_each_call_is_somebodys(directory):
    """When both have looked, no file is left over, as whoever waits for them would not know."""
    spools = [opened(directory), opened(directory)]
    both = threading.Barrier(2, timeout=60)
    adopted = {0: 0, 1: 0}

    def adopt(which):
        both.wait()
        adopted[which] = spools[which].adopt()[0]

    for start in range(0, times(400), 10):
        for first in (start, start + 5):
            gone = opened(directory)
            fill(gone, range(first, first + 5))
            gone.close()
        threads = [threading.Thread(target=adopt, args=(which,)) for which in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sum(adopted.values()) == 10
        assert not any(spool.behind for spool in spools)
        numbers = []
        for spool in spools:
            taken = spool.take(100)
            numbers += map(number_of, taken)
            spool.forget(taken)
        assert sorted(numbers) == list(range(start, start + 10))
