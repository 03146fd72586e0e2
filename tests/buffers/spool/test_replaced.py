"""A directory that is replaced or removed beneath a running process costs no call."""

from __future__ import annotations

import shutil
import signal

import pytest

from cio_events._buffers.spool import backlog, writer
from cio_events._wire.envelope import Route
from tests.support.spools import (
    CHILD_SECONDS,
    Noting,
    child,
    drain,
    envelope,
    left_in,
    number_of,
    opened,
    spool_files,
)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(backlog, "RETRY_INTERVAL", 0.0)
    monkeypatch.setattr(writer, "_LOOK_INTERVAL", 0.0)


@pytest.fixture
def directory(tmp_path):
    """Where the spool is."""
    return tmp_path / "spool"


def swap(directory):
    """Replace it by a copy, as a restored backup does."""
    shutil.copytree(directory, directory.with_name("copy"))
    shutil.rmtree(directory)
    directory.with_name("copy").rename(directory)


def test_what_is_put_after_it_survives_sigkill(directory):
    """Though nothing was flushed since; and a message's mark is where the next process looks."""
    code = """
import shutil
from cio_events._wire.envelope import Route
spool = opened(directory)
for number in range(3):
    spool.put(envelope(number, 100, Route.APP))
message = spool.take(1)[0]
shutil.copytree(directory, directory.with_name("copy"))
shutil.rmtree(directory)
directory.with_name("copy").rename(directory)
time.sleep(0.01)
if sys.argv[2] == "put":
    spool.put(envelope(3))
else:
    assert spool.sending(message)
os.kill(os.getpid(), 9)
"""
    for then in ("put", "sending"):
        with child(code, directory, then) as process:
            assert process.wait(CHILD_SECONDS) == -signal.SIGKILL
        spool = opened(directory)
        spool.adopt()
        taken = spool.take(10)

        assert list(map(number_of, taken)) == [0, 1, 2, 3][: 4 if then == "put" else 3]
        doubtful = [number_of(one) for one in taken if spool.maybe_sent(one)]
        assert doubtful == ([] if then == "put" else [0])
        spool.forget(taken)
        spool.close()


@pytest.mark.parametrize("how", ["replaced", "removed", "moved"])
def test_a_call_that_races_with_it_is_saved_by_the_next_delivery(directory, monkeypatch, how):
    """It went where nobody finds it, and whoever takes calls brings it back to the disk."""
    monkeypatch.setattr(writer, "_LOOK_INTERVAL", 3600.0)
    spool = opened(directory)
    for number in (0, 1):
        spool.put(envelope(number))
    if how == "replaced":
        swap(directory)
    elif how == "removed":
        shutil.rmtree(directory)
    else:
        directory.rename(directory.with_name("moved"))
    spool.put(envelope(2))
    spool.take(0)
    kept = directory.with_name("kept")
    shutil.copytree(directory, kept)

    assert left_in(kept) == [0, 1, 2]
    assert drain(spool) == [0, 1, 2]


@pytest.mark.parametrize("first", ["put", "adopt", "sending"])
def test_its_copies_are_not_delivered_as_well(directory, first):
    """Each call comes once and in order, whatever notices the copy first."""
    report = Noting()
    spool = opened(directory, report)
    for number in range(3):
        spool.put(envelope(number, 100, Route.APP))
    held = spool.take(1)
    spool.forget(held[:0])
    swap(directory)
    if first == "put":
        spool.put(envelope(3))
    elif first == "adopt":
        assert spool.adopt() == (0, 0)
    else:
        assert spool.sending(held[0])
    spool.put(envelope(4))
    spool.forget(held)
    expected = [1, 2, 3, 4] if first == "put" else [1, 2, 4]

    assert spool.in_memory == 0
    assert drain(spool) == expected
    assert "it was deleted, or replaced by another" in repr(report)
    spool.close()
    assert list(directory.iterdir()) == []


def test_a_copy_of_what_was_delivered_does_not_come_back(directory):
    """Of a file with no call left, a copy may have some."""
    spool = opened(directory)
    spool.put(envelope(0))
    copy = directory.with_name("copy")
    shutil.copytree(directory, copy)
    spool.forget(spool.take(1))
    shutil.rmtree(directory)
    copy.rename(directory)
    spool.put(envelope(1))

    assert drain(spool) == [1]
    spool.close()
    assert left_in(directory) == []


def test_a_copy_that_another_process_has_stays_its(directory):
    """What is adopted there meanwhile is delivered there, and here."""
    spool, other = opened(directory), opened(directory)
    spool.put(envelope(0))
    swap(directory)
    assert other.adopt()[0] == 1
    spool.put(envelope(1))

    assert drain(spool) == [0, 1]
    assert drain(other) == [0]


def test_one_that_is_not_ours_gets_nothing(directory):
    """Who replaces it by one that others may write gets no call; they wait in memory."""
    report = Noting()
    spool = opened(directory, report)
    spool.put(envelope(0))
    swap(directory)
    directory.chmod(0o777)
    spool.put(envelope(1))

    assert spool.in_memory == 1
    assert "can be written by others" in report[0][1]
    assert len(spool_files(directory)) == 1
    directory.chmod(0o700)
    spool.adopt()
    assert spool.in_memory == 0
    assert drain(spool) == [0, 1]


def test_one_that_is_removed_is_made_again(directory):
    """What is put after that is on the disk before anything is flushed."""
    spool = opened(directory)
    for number in range(3):
        spool.put(envelope(number))
    shutil.rmtree(directory)
    spool.put(envelope(3))

    assert spool.in_memory == 0
    assert len(spool_files(directory)) == 1
    assert spool.close() == []
    assert left_in(directory) == [0, 1, 2, 3]
