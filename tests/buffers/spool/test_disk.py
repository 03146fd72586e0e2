"""A disk that cannot be written never reaches the application: calls wait in memory."""

from __future__ import annotations

import os
import subprocess

import pytest

from cio_events._buffers.failures import Failure
from cio_events._buffers.spool import backlog, dead_letter_file, dead_letter_writer
from tests.support.spools import (
    Noting,
    SpoolWithPut,
    drain,
    envelope,
    left_in,
    number_of,
    opened,
    run_child,
    spool_files,
)


@pytest.fixture
def directory(tmp_path):
    """Where the spool is."""
    return tmp_path / "spool"


@pytest.fixture
def _impatient(monkeypatch):
    monkeypatch.setattr(backlog, "RETRY_INTERVAL", 0.0)


def fill_up(spool):
    """Let the file of *spool* be as large as it may get."""
    (pages,) = spool._own._execute("PRAGMA page_count").fetchone()
    spool._own._execute(f"PRAGMA max_page_count = {pages}").fetchone()


def test_when_the_disk_is_full_calls_wait_in_memory(directory):
    """Calls that find no room are kept, in order, said once, and counted."""
    report = Noting()
    spool = opened(directory, report)
    spool.put(envelope(0))
    fill_up(spool)
    for number in range(1, 100):
        spool.put(envelope(number))
    in_memory = spool.in_memory

    assert 50 < in_memory < 100
    assert report.kinds == ["spool"]
    assert "database or disk is full" in report[0][1]
    assert "wait in memory" in report[0][1]
    assert spool.problems == 1

    taken = spool.take(60)
    assert list(map(number_of, taken)) == list(range(60))
    assert spool.in_memory == in_memory
    spool.forget(taken)
    assert spool.in_memory == 40
    assert list(map(number_of, spool.take(1000))) == list(range(60, 100))
    spool.close()
    assert left_in(directory) == list(range(60, 100))


@pytest.mark.usefixtures("_impatient")
def test_calls_return_to_the_disk(directory):
    """When there is room again, what waits in memory is written, and what comes then as well."""
    report = Noting()
    spool = opened(directory, report)
    spool.put(envelope(0))
    fill_up(spool)
    for number in range(1, 300):
        spool.put(envelope(number))
    assert spool.in_memory > 200
    spool.take(0)

    assert spool.in_memory == 0
    assert report.kinds == ["spool", "spool"]
    assert "can be written again" in report[1][1]
    spool.put(envelope(300))
    assert drain(spool) == list(range(301))
    spool.close()
    assert list(directory.iterdir()) == []


def test_what_was_taken_from_memory_returns_to_the_disk(directory):
    """When there is room again, it is written before what came later, and so left in order."""
    spool = opened(directory)
    spool.put(envelope(0))
    fill_up(spool)
    for number in range(1, 100):
        spool.put(envelope(number))
    taken = spool.take(95)
    assert 0 < spool.in_memory < 100
    spool._retry_at = 0.0
    spool.take(0)
    assert spool.in_memory == 0
    spool.put(envelope(100))
    spool.forget(taken[90:])

    assert spool.close() == []
    assert left_in(directory) == [*range(90), *range(95, 101)]


def test_real_limits_of_the_system(directory):
    """A process that may not write more files goes on in memory, and writes them when it may."""
    code = """
import resource
from cio_events._buffers.spool import backlog
backlog.RETRY_INTERVAL = 0.0
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
report = Noting()
spool = opened(directory, report)
numbers = []
for number in range(1000):
    spool.put(envelope(number))
    if number == 500:
        numbers += [number_of(one) for one in spool.take(50)]
assert report.kinds[0] == "spool", report
assert spool.in_memory > 100
numbers += [number_of(one) for one in spool.take(100)]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
numbers += [number_of(one) for one in spool.take(2000)]
assert numbers == list(range(1000)), numbers
assert spool.put(envelope(1000)) is None
assert spool.close() == []
"""
    run_child(code, directory)

    assert sorted(left_in(directory)) == list(range(1001))


def test_a_full_file_system(tmp_path):
    """On a file system of 256 kB, nothing raises, and what fits no more is handed back."""
    mount = tmp_path / "small"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", mount],
        capture_output=True,
        check=False,
        timeout=20,
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        report = Noting()
        spool = opened(mount / "spool", report)
        for number in range(3000):
            spool.put(envelope(number))
        taken = spool.take(500)
        spool.forget(taken)
        spool.dead_letter(spool.take(1), [Failure("rejected", 400, None)])
        assert list(map(number_of, taken)) == list(range(500))
        lost = list(map(number_of, spool.close()))
        assert lost
        kept = left_in(mount / "spool")

        assert report.kinds[0] == "spool"
        assert sorted({*kept, *lost} - {500}) == list(range(501, 3000))
    finally:
        subprocess.run(["umount", mount], check=True, timeout=20)


def test_an_unusable_directory(tmp_path):
    """Where no directory can be, calls live in memory, and a close hands them back."""
    (tmp_path / "file").write_text("not a directory")
    report = Noting()
    spool = opened(tmp_path / "file" / "spool", report)
    for number in range(10):
        spool.put(envelope(number))

    assert report.kinds == ["spool"]
    assert spool.adopt() == (0, 0)
    taken = spool.take(4)
    spool.forget(taken[:2])
    assert spool.in_memory == 8
    assert list(map(number_of, spool.close())) == list(range(2, 10))
    assert spool.in_memory == 0


@pytest.mark.usefixtures("_impatient")
def test_a_directory_that_is_there_later(tmp_path):
    """When a missing disk comes back, calls go there."""
    place = tmp_path / "file"
    place.write_text("not a directory")
    spool = opened(place / "spool")
    spool.put(envelope(1))
    assert spool.in_memory == 1
    place.unlink()
    spool.take(0)
    spool.put(envelope(2))

    assert spool.in_memory == 0
    assert len(spool_files(place / "spool")) == 1
    assert drain(spool) == [1, 2]
    spool.close()


def test_a_directory_without_permission(tmp_path):
    """A process that may not write there says so, goes on in memory, and leaves files alone."""
    directory = tmp_path / "spool"
    spool = opened(directory)
    spool.put(envelope(1))
    spool.close()
    if os.geteuid() == 0:
        become = "os.setuid(65534)"
        # pytest's own directories, which only their owner may enter.
        for parent in [tmp_path, *tmp_path.parents]:
            parent.chmod(0o755)
            if parent.name.startswith("pytest-of-"):
                break
        directory.chmod(0o755)
    else:
        become = ""
        directory.chmod(0o500)
        spool_files(directory)[0].chmod(0)
    code = f"""
import urllib.parse  # while Python's library can be read
{become}
report = Noting()
spool = opened(directory, report)
spool.put(envelope(2))
assert spool.in_memory == 1
assert spool.adopt() == (0, 0)
assert drain(spool) == [2]
assert spool.close() == []
print(*report.kinds)
"""
    kinds = run_child(code, directory).split()
    directory.chmod(0o700)
    spool_files(directory)[0].chmod(0o600)

    assert kinds[0] == "spool"
    assert left_in(directory) == [1]


def test_what_waits_in_memory_at_the_close_is_written(directory):
    """A close tries once more to write what is in memory, taken or not."""
    spool = opened(directory)
    spool.put(envelope(0))
    fill_up(spool)
    for number in range(1, 100):
        spool.put(envelope(number))
    taken = spool.take(90)
    spool.forget(taken[::2])

    assert spool.close() == []
    assert left_in(directory) == [*range(1, 90, 2), *range(90, 100)]


def test_a_report_that_raises_does_not_matter(tmp_path):
    """Nothing that goes wrong with saying it reaches the application."""

    def report(kind: str, message: str) -> None:
        raise RuntimeError

    (tmp_path / "file").write_text("")
    spool = SpoolWithPut(tmp_path / "file", report=report)
    spool.put(envelope(1))

    assert drain(spool) == [1]
    assert spool.close() == []


class TestDeadLetters:
    """When dead letters cannot be written."""

    @pytest.fixture
    def report(self):
        """What the spool has to say."""
        return Noting()

    @pytest.fixture
    def spool(self, directory, report):
        """A spool with a directory where the dead letters should be."""
        directory.mkdir()
        (directory / dead_letter_file.NAME).mkdir()
        spool = opened(directory, report)
        for number in range(10):
            spool.put(envelope(number))
        yield spool
        spool.close()

    def test_an_end_is_an_end(self, spool, directory, report):
        """A call that cannot be kept is not pending again: the next process keeps it."""
        for one in spool.take(3):
            spool.dead_letter([one], [Failure("rejected", 400, "no")])

        assert set(report.kinds) == {"dead letters"}
        assert list(spool.failures()) == []
        assert spool.resend() == spool.discard() == 0
        spool.close()
        (directory / dead_letter_file.NAME).rmdir()
        assert left_in(directory) == list(range(3, 10))
        letters = [
            (number_of(one.envelope), one.reason, one.status)
            for one in opened(directory).failures()
        ]
        assert letters == [(number, "rejected", 400) for number in range(3)]

    def test_they_are_written_when_they_can_be(self, spool, directory):
        """Once the database can be written, what waited for it is a dead letter."""
        for one in spool.take(3):
            spool.dead_letter([one], [Failure("rejected", 400, "no")])
        (directory / dead_letter_file.NAME).rmdir()
        spool.take(0)

        assert [number_of(letter.envelope) for letter in spool.failures()] == [0, 1, 2]
        spool.close()
        assert left_in(directory) == list(range(3, 10))

    def test_one_that_was_in_memory_alone_is_pending_no_more(self, spool):
        """With no room for the call or for the dead letter, it has ended all the same."""
        fill_up(spool)
        for number in range(10, 200):
            spool.put(envelope(number))
        taken = spool.take(1000)
        in_memory = spool.in_memory
        assert in_memory > 50
        spool.dead_letter(taken[-10:], [Failure("rejected", 400, "no")] * 10)

        assert spool.in_memory == in_memory - 10

    def test_not_any_number_of_them_waits(self, spool, report, monkeypatch):
        """The oldest of those that cannot be written are given up, which is said."""
        monkeypatch.setattr(dead_letter_writer, "_WAITING_MOST", 3)
        for one in spool.take(10):
            spool.dead_letter([one], [Failure("rejected", 400, "no")])

        assert report.kinds.count("dead letters lost") == 7
        assert sum(file.live for file in spool._files()) == 3


def test_a_slow_start_waits_for_nobody(directory):
    """`put` on a disk that fails at every attempt stays as fast as memory."""
    directory.write_text("a file")
    spool = opened(directory)
    for number in range(20_000):
        spool.put(envelope(number % 10))
    assert spool.in_memory == 20_000
    assert len(spool.take(30_000)) == 20_000
    assert len(spool.close()) == 20_000
